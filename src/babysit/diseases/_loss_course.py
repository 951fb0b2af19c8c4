"""Where the loss has come to since the start: what tells a training that works from one that does not."""

from __future__ import annotations

import statistics

from babysit.diseases._observed import observed
from babysit.record import Trace

FIRST = 3  # losses whose median is the start; a single batch may be a lucky one
LAST_SHARE = 0.1  # of all losses, whose median is the end


def loss_left(trace: Trace) -> float | None:
    """The loss at the end as a share of the loss at the start; None where that cannot be said.

    It can be said of a loss that starts above zero and was seen at least twice as often as the start is long.
    """
    values = observed(trace, "loss").values
    if len(values) < 2 * FIRST:
        return None
    start = statistics.median(values[:FIRST])
    end = statistics.median(values[-max(FIRST, round(len(values) * LAST_SHARE)) :])
    return end / start if start > 0 else None
