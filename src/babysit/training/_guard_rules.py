"""When a training is lost: rules over its losses and findings. Pure, and far more patient than the findings are."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence

from babysit.record import Finding, Trace

# To stop a sound training is worse than to watch a lost one for some steps. Measured on the 32 rough and sound ones of
# tests/api/guarded.py: losses rise to 125 times the largest of the first ten where returns grow, to 15 elsewhere.
EXPLODED = 10_000.0
FALLEN = 1000.0  # of that again, below zero: a critic's loss has no lower end
IN_A_ROW = 10
FIRST = 10  # losses that tell where it began
LEAST = 1.0  # a training that begins near zero, as a good network does, may rise to one
LOST_IN_A_ROW = 20  # a scaler of mixed precision begins with some steps that it skips; 65,536 halves 16 times to 1
FIRST_LOOK, GROWTH = 200, 1.5  # steps after which findings are looked at, and by how much the next look is later
LAST_LOOK = 5000  # steps; a start is over by then
RECENT = 20


class LossRules:
    """Judges losses one after the other.

    Example:
        >>> rules = LossRules()
        >>> [rules.take(loss) for loss in (2.3, 2.2, math.nan)]
        ['', '', '']
        >>> rules.broken
        True
        >>> [told for _ in range(40) if (told := rules.take(math.nan))][0]
        'the loss was not a number in 20 backward passes in a row'
    """

    def __init__(self) -> None:
        self._first: list[float] = []
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._above = self._not_finite = 0

    @property
    def broken(self) -> bool:
        """Whether the last loss is NaN or infinite."""
        return self._not_finite > 0

    @property
    def limit(self) -> float:
        """What losses must stay below; infinite while too few are known."""
        return EXPLODED * max(LEAST, *self._first) if len(self._first) == FIRST else math.inf

    @property
    def calm(self) -> bool:
        """Whether the losses of late are numbers, and not ten times as high as the first ones."""
        if self.broken or not self._recent:
            return not self.broken
        return statistics.median(map(abs, self._recent)) <= self.limit / EXPLODED * 10

    def take(self, loss: float) -> str:
        """Take the next loss. Returns why the training is lost; empty while it is not."""
        if not math.isfinite(loss):
            self._not_finite += 1
            if self._not_finite == LOST_IN_A_ROW:
                return f"the loss was not a number in {LOST_IN_A_ROW} backward passes in a row"
            return ""
        self._not_finite = 0
        if len(self._first) < FIRST:
            self._first.append(abs(loss))
        self._recent.append(loss)
        self._above = self._above + 1 if loss > self.limit or loss < -FALLEN * self.limit else 0
        if self._above == IN_A_ROW:
            return f"the loss exploded: it is {loss:.4g}, and {IN_A_ROW} in a row were beyond {self.limit:.4g}"
        return ""

    def begin_anew(self) -> None:
        """The training went back: what was wrong by now is no more."""
        self._recent.clear()
        self._above = self._not_finite = 0


def dead_start(trace: Trace, findings: Sequence[Finding]) -> str:
    """Why a training that began some hundred steps ago will never learn; empty where that is not proven.

    A loss at that of a constant answer is not enough: the two networks of a game stay there for long. A sick finding
    has to explain it.

    Args:
        trace: Of the training.
        findings: In it.
    """
    ends = [one for one in findings if one.name in ("stuck-at-chance", "not-learning") and one.severity == "sick"]
    causes = {one.name: one for one in findings if one.severity == "sick" and one not in ends}
    for end in ends:
        cause = causes.get(end.explained_by)
        if cause is not None:
            place = f" in {cause.where}" if cause.where else ""
            return f"the training has a dead start: {end.name}, because of {cause.name}{place}"
    return ""


def blown_up(trace: Trace, findings: Sequence[Finding]) -> str:
    """Why a classifier that is far above its start will not come back; empty where it may.

    Cross-entropy over classes has a known start, and nothing that is sound ends at three times of it. Other losses grow
    on purpose: returns of a game, penalties.
    """
    if trace.facts.get("loss") != "cross-entropy":
        return ""
    far = [one for one in findings if one.name == "diverged" and one.severity == "sick"]
    # A last loss that is NaN alone may be one of those whose step is left out.
    if not far or far[0].evidence.get("first") != "above the limit":
        return ""
    return "the loss exploded: it stays above three times the first one"
