"""Class numbers that the outputs have no place for."""

from __future__ import annotations

import math
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._reading import latest
from babysit.record import OUTPUTS, TARGETS, Finding, Trace

LOSSES = frozenset({"cross-entropy", "nll"})
# Numbers that mark rows to leave out: PyTorch's own, and those of padding and of unlabelled pixels.
LEFT_OUT_LOW, LEFT_OUT_HIGH = frozenset({-100.0, -1.0}), frozenset({255.0})


def find(trace: Trace) -> list[Finding]:
    """PyTorch refuses such labels, so a loss that goes on says that they are left out on purpose."""
    low = latest(trace, "label-min", layer=TARGETS)
    high = latest(trace, "label-max", layer=TARGETS)
    width = latest(trace, "width", layer=OUTPUTS)
    if trace.facts.get("loss") not in LOSSES:
        return []
    too_low = low is not None and low < 0
    too_high = high is not None and width is not None and high >= width
    if not too_low and not too_high:
        return []
    goes_on = _goes_on(trace, _first_seen(trace, width))
    left_out = (not too_low or low in LEFT_OUT_LOW) and (not too_high or high in LEFT_OUT_HIGH)
    if (goes_on and left_out) or (low == -100.0 and not too_high):
        return []
    evidence: dict[str, Any] = {"smallest label": low, "largest label": high}
    if width is not None:
        evidence |= {"outputs": round(width), "threshold": f"labels from 0 to {round(width) - 1}"}
    else:
        evidence["threshold"] = "labels from 0 on"
    if high is not None and width is not None and high == width and low == 1:
        evidence["likely"] = "classes are counted from 1"
    evidence["the loss goes on"] = str(goes_on).lower()
    return [DISEASE.finding("targets", evidence=evidence, severity="warning" if goes_on else None)]


def _first_seen(trace: Trace, width: float | None) -> int:
    """The first step at which a label was out of range."""
    lows = zip(*trace.series("label-min", layer=TARGETS), strict=True)
    highs = zip(*trace.series("label-max", layer=TARGETS), strict=True)
    steps = [step for step, low in lows if low < 0]
    steps += [step for step, high in highs if width is not None and high >= width]
    return min(steps)


def _goes_on(trace: Trace, step: int) -> bool:
    """Whether a loss was computed at the step or later: PyTorch ends a training that such labels break."""
    steps, values = trace.series("loss")
    return any(at >= step and math.isfinite(value) for at, value in zip(steps, values, strict=True))


DISEASE = Disease(
    name="labels-out-of-range",
    group="data",
    severity="sick",
    seen_as="A class number is negative, or not below the number of outputs, under cross-entropy.",
    threshold=(
        "Any label outside 0 .. outputs - 1, but for -100, which PyTorch leaves out. Only a warning where losses"
        " follow, as PyTorch refuses labels that are not to be left out; nothing where they are -1 or 255 besides."
    ),
    source="PyTorch, documentation of CrossEntropyLoss: class indices in [0, C), and ignore_index, -100 by default.",
    why=(
        "The loss needs the output of the row's class, and there is none: PyTorch raises an error, and on a GPU"
        " the whole process fails. Where no error is raised, the wrong class is learned."
    ),
    remedies=(),
    explained_by=("wrong-loss",),
    reads=("label-max", "label-min", "loss", "width", "fact:loss"),
    find=find,
)
