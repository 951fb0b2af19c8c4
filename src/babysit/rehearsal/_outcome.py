"""What a rehearsal came to, in numbers that rehearsals can be compared by."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from babysit.diseases import solved
from babysit.record import BabysitError, InputError, RehearsalError, Trace, Values

TAIL = 0.1  # of the steps, whose mean loss is the loss at the end: single batches are noise
SCORES = ("accuracy", "balanced-accuracy", "r2")


@dataclass(frozen=True)
class RehearsalOutcome:
    """What a rehearsal came to.

    Attributes:
        steps: Taken.
        loss: Mean of the last tenth of the steps; inf when a loss was NaN or infinite, or the training failed.
        first: The first loss.
        trained: Score of the last training steps, by name: balanced accuracy or R2; None when it was not seen.
        evaluated: Score of the last evaluation, by name.
        failed: The error that ended it; empty when none did.
    """

    steps: int
    loss: float
    first: float
    trained: tuple[str, float] | None = None
    evaluated: tuple[str, float] | None = None
    failed: str = ""

    @property
    def values(self) -> Values:
        """What is known, by name: a score under its phase and its own name."""
        told: dict[str, float | int | str] = {"steps": self.steps, "loss": self.loss}
        for phase, scored in (("training", self.trained), ("evaluation", self.evaluated)):
            if scored is not None:
                told[f"{phase} {scored[0]}"] = scored[1]
        if self.failed:
            told["failed"] = self.failed
        return told

    def __str__(self) -> str:
        if self.failed:
            return f"failed: {self.failed}"
        parts = [f"loss {self.loss:.4g}"]
        for phase, scored in (("training", self.trained), ("evaluation", self.evaluated)):
            if scored is not None:
                parts.append(f"{phase} {scored[0]} {scored[1]:.3g}")
        return ", ".join(parts)


def outcome_of(found: Trace | BabysitError) -> RehearsalOutcome:
    """Of a rehearsal's trace, or of the error that ended it.

    Example:
        >>> from babysit.record import Row
        >>> rows = [Row(step, "train", "", "loss", 1 / (step + 1)) for step in range(20)]
        >>> outcome_of(Trace(tuple(rows))).loss < 0.06
        True
    """
    if isinstance(found, BabysitError):
        trace = getattr(found, "trace", None) if isinstance(found, RehearsalError) else None
        known = outcome_of(trace) if trace is not None else RehearsalOutcome(0, math.inf, math.nan)
        return RehearsalOutcome(known.steps, math.inf, known.first, None, None, str(found).splitlines()[0])
    losses = found.series("loss").values
    tail = losses[-max(1, round(TAIL * len(losses))) :]
    sound = bool(losses) and all(math.isfinite(value) for value in losses)
    return RehearsalOutcome(
        steps=len(losses),
        loss=statistics.fmean(tail) if sound else math.inf,
        first=losses[0] if losses else math.nan,
        trained=_last(found, "train"),
        evaluated=_last(found, "validation"),
    )


def _last(trace: Trace, phase: str) -> tuple[str, float] | None:
    latest = [
        (series.steps[-1], name, series.values[-1])
        for name in SCORES
        if (series := trace.series(name, phase=phase)).values
    ]
    return max(latest)[1:] if latest else None


def gain(before: RehearsalOutcome, after: RehearsalOutcome, *, comparable: bool = True) -> float:
    """The share of the gap to a perfect training that remedies close: 1 for all of it; below 0 they made it worse.

    A score of evaluations counts before one of training rows, and the loss only where neither was seen.

    Args:
        before: As it is.
        after: With the remedies, after as many steps.
        comparable: Whether both losses are of one function and scale.

    Example:
        >>> gain(RehearsalOutcome(9, 2.0, 2.3, ("r2", 0.5)), RehearsalOutcome(9, 1.0, 2.3, ("r2", 0.75)))
        0.5
    """
    if after.failed or not math.isfinite(after.loss):
        return -1.0
    for first, second in ((before.evaluated, after.evaluated), (before.trained, after.trained)):
        if first is not None and second is not None and first[0] == second[0]:
            return _closed(_sound(first[1]), _sound(second[1]))
    if before.evaluated is None and before.trained is None and not comparable:
        return -1.0
    if before.failed or not math.isfinite(before.loss):
        # Anything that learns at all is better than nothing.
        return _fallen(after) if comparable or after.trained is None else _sound(after.trained[1])
    if not comparable:
        return -1.0
    if before.loss > 0 and after.loss >= 0:
        return max(-1.0, 1 - after.loss / before.loss)
    spread = abs(before.first - before.loss) or abs(before.loss) or 1.0
    return max(-1.0, min(1.0, (before.loss - after.loss) / spread))


def _closed(before: float, after: float) -> float:
    if solved(before):
        return min(0.0, after - before)
    return max(-1.0, (after - before) / (1 - before))


def _fallen(after: RehearsalOutcome) -> float:
    if not math.isfinite(after.first) or after.first <= 0:
        return 0.5
    return max(0.0, 1 - after.loss / after.first)


def _sound(score: float) -> float:
    """A score that is NaN, or an R2 worse than a constant answer's, counts as 0."""
    return max(0.0, score) if math.isfinite(score) else 0.0


def median_of(outcomes: Sequence[RehearsalOutcome]) -> RehearsalOutcome:
    """The outcome in the middle, by what `gain` goes by first."""

    def key(one: RehearsalOutcome) -> float:
        for scored in (one.evaluated, one.trained):
            if scored is not None:
                return _sound(scored[1])
        return -one.loss

    return sorted(outcomes, key=key)[len(outcomes) // 2]


def first_line(text: str) -> str:
    """The first line that is not empty."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].strip() if lines else text


def check_training(name: str, trace: Trace) -> None:
    """Refuse a subject that trains nothing: there is nothing to check.

    Raises:
        InputError: No training was seen.
    """
    if trace.series("loss").values or trace.layers or trace.happened("not-finite"):
        return
    failed = trace.happened("failed")
    if failed:
        raise InputError(f"{name} fails before it trains: {first_line(failed[0].text)}")
    late = trace.happened("out-of-time")
    if late:
        raise InputError(
            f"{name} had not begun to train when its time was over: {late[0].text}",
            cause="it reads data or builds a network for so long, or the machine is busy",
            write="more time, as in --seconds 600",
        )
    raise InputError(
        f"no training was seen in {name}: no backward pass and no step of an optimizer",
        cause="it trains only under a condition that was not met, or in a process of its own; or it changes its"
        " weights by hand with torch.autograd.grad, which is not seen",
        write="its arguments after --, as in: babysit check train.py -- --train",
    )
