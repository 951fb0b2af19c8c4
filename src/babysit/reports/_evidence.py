"""The evidence of a finding in a sentence: what was measured, against which limit.

The sentences stand in `evidence.toml`, by the names of the diseases.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from babysit.record import Finding

SEEN = "{seen}"  # what the test of what depends on what saw, in its own words
MORE = " || "  # before an addition to a sentence
_NAME = re.compile(r"\{([^{}]+?)(%?)\}")
MOST_WORDS = 4  # of a finding without a sentence of its own
LAYERS = ("where", "of layer", "first layer", "deep layer", "last layer")  # evidence that names one
TRIED = "tried"  # of evidence: what a remedy did, which is told by itself


def evidence_sentence(finding: Finding) -> str:
    """What was measured, and against which limit.

    Example:
        >>> evidence = {"steps with a gradient left over": 85, "steps observed": 85, "threshold": 3}
        >>> evidence_sentence(Finding("gradients-not-cleared", "sick", "every step", evidence))
        '85 of 85 steps began with old gradients; 3 in a row are the limit'
        >>> evidence_sentence(Finding("a-new-one", "sick", evidence={"share": 0.25, "threshold": 0.1}))
        'share 0.25; the limit is 0.1'
    """
    known = {"where": finding.where.removeprefix("(") or "the network", **_score(finding), **finding.evidence}
    known |= {name: layer_text(known[name]) for name in LAYERS if isinstance(known.get(name), str)}
    for sentence in (*sentences().get(finding.name, ()), SEEN):
        first, *additions = sentence.split(MORE)
        told = _filled(first, known)
        if told is not None:
            more = [text for one in additions if (text := _filled(one, known)) is not None]
            return "; ".join([told, *more])
    return _listed(finding.evidence)


@functools.cache
def sentences() -> Mapping[str, Sequence[str]]:
    """Sentences by the name of a disease."""
    return tomllib.loads(files("babysit.reports").joinpath("evidence.toml").read_text("utf-8"))


def _score(finding: Finding) -> Mapping[str, Any]:
    """The score that a finding is about: evidence has it under the score's own name."""
    for name, value in finding.evidence.items():
        score, _, where = name.partition(" in training")
        constant = finding.evidence.get(f"{score} of a constant answer")
        if score != name and not where and constant is not None:
            return {"score": score, "score in training": value, "score of a constant answer": constant}
    return {}


def _filled(sentence: str, known: Mapping[str, Any]) -> str | None:
    if any(name not in known or known[name] is None for name, _ in _NAME.findall(sentence)):
        return None
    return _NAME.sub(lambda found: _value(known[found[1]], share=bool(found[2])), sentence)


def _value(value: Any, *, share: bool) -> str:
    if share and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        percent = 100 * value
        return f"{percent:.0f} %" if percent == 0 or 1 <= abs(percent) < 99 or percent == 100 else f"{percent:.3g} %"
    return value_text(value).partition("\n")[0]


def _listed(evidence: Mapping[str, Any]) -> str:
    """Of a finding without a sentence: its first numbers, and the limit."""
    named = {name: value for name, value in evidence.items() if name not in ("threshold", TRIED)}
    told = [f"{name} {_value(value, share=False)}" for name, value in named.items()]
    text = ", ".join(told[:MOST_WORDS])
    return f"{text}; the limit is {_value(evidence['threshold'], share=False)}" if "threshold" in evidence else text


def layer_text(name: str) -> str:
    """A layer's name as a sentence takes it: of a Sequential it is a number.

    Example:
        >>> layer_text("0"), layer_text("0, 2"), layer_text("blocks.0.fc")
        ('layer 0', 'layers 0, 2', 'blocks.0.fc')
    """
    return f"layer{'s' if ', ' in name else ''} {name}" if name[:1].isdigit() else name


def value_text(value: Any) -> str:
    """A number in four digits, a list in words.

    Example:
        >>> value_text(0.0012345), value_text(12345), value_text(["fc1", "fc2"])
        ('0.001234', '12,345', 'fc1, fc2')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ", ".join(map(value_text, value)) if isinstance(value, list | tuple) else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
