"""The page of a training that was watched, checked or healed, or whose log was read. One file, offline, one make.

The verdict stands first in a sentence. Then come the findings, each with what shows it and what to do, the lines to
change, what was tried, the checks, the training and the inside of the network, and how to do it all again.
"""

from __future__ import annotations

import datetime
import pathlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from babysit.record import Finding, Healing, PreFlight, Trace, TraceLayer, library_versions, write_atomic
from babysit.reports import _draw, _figures
from babysit.reports._environment import filled
from babysit.reports._evidence import evidence_sentence
from babysit.reports._healing_text import effect_text, shown_outcomes, tried_rows
from babysit.reports._inside import MOST_LAYERS
from babysit.reports._pictures import Picture, curves_picture, evidence_pictures, inside_pictures, loss_picture

SHOWN_EVENTS = ("failed", "guard", "not-finite", "step-missing", "unseen", "not-applied")
MOST_EVENTS = 8
_NETWORK = (
    ("lr", "Learning rate", "The learning rate at each step, as the optimizer used it."),
    ("gradient-norm", "Gradient norm", "Length of the gradient before clipping, where it was measured."),
)
WORDS = {
    "sick": "Something is wrong",
    "sound": "Sound",
    "not judged": "Not judged",
    "healed": "Healed",
    "better": "Better, and not well yet",
    "nothing found": "Nothing wrong was found",
}


@dataclass(frozen=True)
class Account:
    """What a page tells of a training.

    Attributes:
        name: Of the training: a script, a recipe, a log.
        verdict: Of `WORDS`.
        sentence: The verdict in a sentence that needs no other words.
        trace: What was measured of the training as it is.
        findings: What is wrong, causes first.
        reasons: Why the verdict is what it is.
        check: The steps of a check.
        healing: What was tried.
        after: What was measured with the remedies.
        notes: What the reader should know.
        made: How to do it again: the command, the date, the duration, versions; by name.
    """

    name: str
    verdict: str
    sentence: str
    trace: Trace = field(default_factory=Trace)
    findings: tuple[Finding, ...] = ()
    reasons: tuple[str, ...] = ()
    check: PreFlight | None = None
    healing: Healing | None = None
    after: Trace | None = None
    notes: tuple[str, ...] = ()
    made: Mapping[str, str] = field(default_factory=dict)


def reproduction(name: str, command: str, seconds: float | None = None) -> dict[str, str]:
    """How a page's answer was made, for "How to reproduce".

    Args:
        name: What it is about.
        command: What was typed; empty where it was called from Python.
        seconds: How long it took.
    """
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    told = {"subject": name, "command": command, "date": now}
    if seconds is not None:
        told["duration"] = f"{seconds:.1f} s"
    told["versions"] = ", ".join(f"{library} {version}" for library, version in library_versions().items())
    told["system"] = f"{platform.system()} {platform.machine()}"
    return {label: text for label, text in told.items() if text}


def account_of_check(found: PreFlight, trace: Trace, made: Mapping[str, str]) -> Account:
    """Of a check."""
    return Account(
        found.subject,
        found.verdict,
        verdict_sentence(found.subject, found.verdict, found.findings, found.reasons),
        trace,
        found.findings,
        found.reasons if found.verdict != "sick" else (),
        check=found,
        notes=found.notes,
        made=made,
    )


def account_of_healing(found: Healing, trace: Trace, after: Trace | None, made: Mapping[str, str]) -> Account:
    """Of a healing."""
    names = " and ".join(map(str, found.remedies or found.mended))
    did = f" It {effect_text(found.effect)}." if found.effect is not None else ""
    if found.remedies and not found.left:
        verdict, sentence = "healed", f"{found.subject} was sick, and {names} heals it.{did}"
    elif found.remedies:
        still = ", ".join(one.name for one in found.left)
        verdict, sentence = "better", f"{found.subject} is sick, and {names} helps.{did} Still wrong: {still}."
    elif found.mended:
        verdict, sentence = "sick", f"{found.subject} has a fault that {names} mends; its score is good without it."
    elif found.unjudged:
        verdict, sentence = "not judged", f"{found.subject} cannot be judged: nothing was found, and {found.unjudged}."
    elif any(one.severity != "note" for one in found.findings):
        told = verdict_sentence(found.subject, "sick", found.findings, ())
        verdict, sentence = "sick", f"{told} Nothing that was tried heals it."
    else:
        verdict = "nothing found"
        sentence = f"In {found.subject} nothing wrong was found, and no remedy that was tried did better."
    return Account(found.subject, verdict, sentence, trace, found.findings, (), None, found, after, found.notes, made)


def account_of_trace(
    trace: Trace,
    findings: Sequence[Finding],
    *,
    name: str = "a training",
    verdict: str = "",
    reasons: Sequence[str] = (),
    made: Mapping[str, str] | None = None,
) -> Account:
    """Of a training that was watched, or whose log was read."""
    sick = any(one.severity == "sick" for one in findings)
    word = verdict or ("sick" if sick else "nothing found" if trace.series("loss").steps else "not judged")
    headline = trace_headline(trace, findings)
    told = verdict_sentence(name, word, findings, reasons) if sick or verdict else headline
    return Account(
        name,
        word,
        told,
        trace,
        tuple(findings),
        tuple(reasons) if word != "sick" else (),
        notes=(headline,) if told != headline else (),
        made=made or {},
    )


def verdict_sentence(name: str, verdict: str, findings: Sequence[Finding], reasons: Sequence[str]) -> str:
    """The verdict in a sentence for somebody who does not know babysit.

    Example:
        >>> verdict_sentence("train.py", "sound", (), ("it learns: accuracy 0.9",))
        'train.py trains as it should: it learns: accuracy 0.9.'
    """
    if verdict == "sick" and findings:
        first = findings[0]
        return f"{name} does not train as it should: {first.name.replace('-', ' ')}: {evidence_sentence(first)}."
    because = f": {reasons[0]}" if reasons else ""
    if verdict == "sound":
        return f"{name} trains as it should{because}."
    if verdict == "not judged":
        return f"{name} cannot be judged{because}."
    return f"In {name} nothing wrong was found{because}."


def write_trace_page(trace: Trace, findings: Sequence[Finding], path: str | pathlib.Path) -> pathlib.Path:
    """Write the report of a trace as one HTML file.

    Args:
        trace: What was measured.
        findings: What was wrong with it.
        path: Where to.

    Returns:
        The path.

    Raises:
        StorageError: The disk refused it; nothing is left half-written.
    """
    target = pathlib.Path(path)
    write_atomic(target, render_trace_page(trace, findings))
    return target


def render_trace_page(trace: Trace, findings: Sequence[Finding]) -> str:
    """The page of a trace as text."""
    return render_account(account_of_trace(trace, findings))


def render_account(told: Account) -> str:
    """The page as text."""
    trace, healing = told.trace, told.healing
    training = [found for found in (loss_picture(trace), *_network_pictures(trace)) if found is not None]
    inside, drawn = inside_pictures(trace), evidence_pictures(trace, told.findings)
    if told.after is not None:
        both = _both_losses(trace, told.after)
        training = [*([both] if both is not None else []), *training]
    events = [event for event in trace.events if event.kind in SHOWN_EVENTS]
    return filled(
        "trace.html",
        {one.name: one.figure for one in (*training, *inside, *drawn.values()) if one.figure is not None},
        told=told,
        how=_how(told),
        word=WORDS.get(told.verdict, told.verdict),
        events=events[:MOST_EVENTS],
        more_events=max(0, len(events) - MOST_EVENTS),
        findings=told.findings,
        drawn=drawn,
        training=training,
        inside=inside,
        layers=[*map(_in_cells, trace.layers)],
        layers_left_out=len(trace.layers) > MOST_LAYERS,
        facts=dict(trace.facts),
        effect=effect_text(healing.effect) if healing is not None and healing.effect is not None else "",
        outcomes=shown_outcomes(healing.effect) if healing is not None and healing.effect is not None else [],
        tried=tried_rows(healing) if healing is not None else [],
        diff=diff_lines(healing.diff) if healing is not None else [],
        patches={one.name: diff_lines(one.fix) for one in told.findings if one.fix},
    )


def diff_lines(diff: str) -> list[tuple[str, str]]:
    """Lines of a unified diff, each with what it is: added, removed, head or empty.

    Example:
        >>> diff_lines("@@ -1 +1 @@\\n-a\\n+b\\n c")
        [('head', '@@ -1 +1 @@'), ('removed', '-a'), ('added', '+b'), ('', ' c')]
    """
    kinds = {"+++": "head", "---": "head", "@@ ": "head"}
    first = {"+": "added", "-": "removed"}
    return [(kinds.get(line[:3], first.get(line[:1], "")), line) for line in diff.splitlines()]


def _both_losses(before: Trace, after: Trace) -> Picture | None:
    """The smoothed loss as it is and with the remedies, on the same axes."""
    curves = []
    for name, trace in (("as it is", before), ("with the remedies", after)):
        found = [curve for curve in _figures.loss_curves(trace).curves if curve.name in ("train", "train, smoothed")]
        curves += [curve._replace(name=name) for curve in found]
    if len(curves) < 2 or min(len(curve.steps) for curve in curves) < 2:
        return None
    positive = all(value > 0 for curve in curves for value in curve.values)
    figure = _draw.draw_curves(_figures.Curves(tuple(curves)), "loss", log=positive)
    text = "The loss of the same rows in the same order from the same first weights, smoothed."
    return Picture("training-both", "The loss, as it is and with the remedies", text, figure)


def _in_cells(layer: TraceLayer) -> tuple[str, ...]:
    numbers = (layer.depth, layer.units, layer.fan_in, layer.parameters)
    return (
        layer.name or "(the network)",
        layer.activation or layer.kind,
        *(f"{number:,}" if number else "" for number in numbers),
    )


def trace_headline(trace: Trace, findings: Sequence[Finding]) -> str:
    """How long it was watched and what came of it, in a sentence.

    Example:
        >>> trace_headline(Trace(), ())
        'Nothing was measured.'
    """
    losses = trace.series("loss")
    if not losses.steps:
        return "Nothing was measured."
    count = {severity: sum(found.severity == severity for found in findings) for severity in ("sick", "warning")}
    verdict = "nothing sick found"
    if count["sick"]:
        verdict = f"first of all {findings[0].name}"
    elif count["warning"]:
        verdict = f"{count['warning']} warning{'s' if count['warning'] > 1 else ''}, first {findings[0].name}"
    # Of many losses that are not finite, the last are not kept.
    steps = max(row.step for row in trace.rows) + (trace.facts.get("log") != "step")
    unit = {"epoch": "epochs", "record": "records"}.get(trace.facts.get("log", ""), "steps")
    return f"{steps:,} {unit}, loss {losses.values[0]:.4g} to {losses.values[-1]:.4g}: {verdict}."


def _how(told: Account) -> str:
    """What babysit did to know it."""
    if told.check is not None:
        return "babysit trained it for a short while and looked for what is wrong"
    if told.healing is not None:
        return "babysit trained it again with remedies, and compared"
    if "log" in told.trace.facts:
        return "babysit read the log of this training and looked for what is wrong"
    return "babysit watched it train and looked for what is wrong"


def _network_pictures(trace: Trace) -> list[Picture | None]:
    name, scores = _figures.score_curves(trace)
    title = name[0].upper() + name[1:]
    text = "The gap between the two curves is overfitting."
    if len(scores.curves) == 1:
        text = f"Of the {scores.curves[0].name.replace('train', 'training')} rows alone."
    drawn = [curves_picture("training-score", title, text, scores, title)]
    for quantity, title, text in _NETWORK:
        drawn.append(curves_picture(f"training-{quantity}", title, text, _figures.single_curve(trace, quantity)))
    return drawn
