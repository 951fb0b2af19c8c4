"""Whether a training goes well in spite of what its set-up looks like: then a verdict is one step milder."""

from __future__ import annotations

from babysit.diseases._constant_answer import share_of_constant_answer
from babysit.diseases._loss_course import loss_left
from babysit.diseases._observed import latest
from babysit.record import TARGETS, Severity, Trace

# Measured: Adam at 0.001 brings ten layers of PyTorch's default weights, which plain SGD leaves at chance, to a loss of
# 0.001 of a constant answer's. Half of it is far from chance and far from noise in the labels.
LEARNED = 0.5
MILDER: dict[Severity, Severity] = {"sick": "warning", "warning": "note", "note": "note"}


def loss_share(trace: Trace) -> float | None:
    """The last losses over those of a constant answer, or, where that is not known, over the first ones."""
    share = share_of_constant_answer(trace)
    return loss_left(trace) if share is None else share


def has_learned(trace: Trace) -> bool:
    """Whether the loss has left chance far behind."""
    share, way = loss_share(trace), way_from_chance(trace)
    return (share is not None and share < LEARNED) or (way is not None and way > LEARNED)


def way_from_chance(trace: Trace) -> float | None:
    """What the answers of the training's end are worth: 0 by chance, 1 when all are right; None where nobody scored.

    Losses with a floor of their own, such as that of grey pixels or of a penalty, never come near zero.
    """
    r2, balanced = latest(trace, "r2"), latest(trace, "balanced-accuracy")
    classes = latest(trace, "classes-seen", layer=TARGETS) or 2
    if balanced is not None and classes > 1:
        return (balanced - 1 / classes) / (1 - 1 / classes)
    return r2


def severity_by_outcome(trace: Trace, severity: Severity) -> Severity:
    """As it is, or one step milder where the training goes well."""
    return MILDER[severity] if has_learned(trace) else severity
