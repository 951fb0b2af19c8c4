"""The loss a training began with, and how much of it is left."""

from __future__ import annotations

from babysit.diseases._constant_answer import constant_answer_loss
from babysit.diseases._loss_curve import end_level
from babysit.diseases._observed import observed
from babysit.record import Trace

NOT_LEARNED = 0.9  # of the start: what is left of the loss where a training did not work
HALF_LEARNED = 0.5
AT_CHANCE = 0.1  # of a constant answer's loss: nothing is learned so near to it, however bad the start was


def start_level(trace: Trace) -> float | None:
    """The first loss, or that of the best constant answer where it is larger; None where neither is above zero.

    A batch of a few rows may begin with a loss that is small by luck, and a pretrained network with one that is small
    by merit: neither is what a later loss should be compared with.
    """
    first = observed(trace, "loss").values[:1]
    if not first or first[0] <= 0:
        return None
    return max(first[0], constant_answer_loss(trace) or 0.0)


def share_left(trace: Trace) -> float | None:
    """The last losses over the start; None where that cannot be said.

    Where they come to what a constant answer gets, they are told over that: bad first weights are soon made good by
    an answer that ignores the inputs.

    Example:
        >>> from babysit.record import Row
        >>> share_left(Trace(tuple(Row(step, "train", "", "loss", 2.0 / (step + 1)) for step in range(9))))
        0.14285714285714285
    """
    start, constant = start_level(trace), constant_answer_loss(trace)
    if start is None:
        return None
    level = end_level(observed(trace, "loss").values)
    return level / constant if constant and abs(level - constant) <= AT_CHANCE * constant else level / start
