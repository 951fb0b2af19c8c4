"""The loss that a constant answer gets, and whether a training already does much better."""

from __future__ import annotations

import math
import statistics

from babysit.diseases._observed import latest
from babysit.record import TARGETS, Trace

CLASS_LOSSES = frozenset({"cross-entropy", "nll", "bce", "bce-with-logits"})
LAST_LOSSES = 10  # of which the median is taken: one batch says little
NORMAL_DEVIATION = math.sqrt(2 / math.pi)  # mean |x| of a standard normal variable


def constant_answer_loss(trace: Trace) -> float | None:
    """Mean loss of the best answer that ignores the inputs; None where the trace does not tell.

    Cross-entropy: the entropy of the classes' shares. Squared error: the targets' variance. Absolute error: what
    normally distributed targets give, the highest of all shapes with one standard deviation within a quarter.
    """
    loss = trace.facts.get("loss", "")
    if trace.facts.get("loss-reduction", "mean") != "mean":
        return None
    if loss in CLASS_LOSSES:
        entropy = latest(trace, "label-entropy", layer=TARGETS)
        return entropy if entropy else None
    spread = latest(trace, "value-std", layer=TARGETS)
    if not spread:
        return None
    absolute = NORMAL_DEVIATION * spread
    huber = min(spread**2 / 2, absolute)
    return {"mse": spread**2, "l1": absolute, "smooth-l1": huber, "huber": huber}.get(loss)


def last_loss(trace: Trace) -> float | None:
    """Median of the last losses of training; None where there is none, or one of them is not finite."""
    values = trace.series("loss").values[-LAST_LOSSES:]
    if not values or not all(math.isfinite(value) for value in values):
        return None
    return statistics.median(values)


def share_of_constant_answer(trace: Trace) -> float | None:
    """The last losses over that of a constant answer: near 1 when nothing is learned, near 0 when all is.

    Example:
        >>> from babysit.record import Row
        >>> rows = (Row(0, "train", TARGETS, "value-std", 2.0), Row(0, "train", "", "loss", 1.0))
        >>> share_of_constant_answer(Trace(rows, facts={"loss": "mse"}))
        0.25
    """
    constant, reached = constant_answer_loss(trace), last_loss(trace)
    return None if constant is None or reached is None else reached / constant
