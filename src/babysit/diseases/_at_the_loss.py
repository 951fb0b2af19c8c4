"""What entered the loss function: outputs and targets.

A step may call several loss functions, one for each of its heads. What was measured is of all of them then, while the
facts tell of one, so nothing is said of such a training.
"""

from __future__ import annotations

from babysit.diseases._observed import observed
from babysit.record import OUTPUTS, TARGETS, Series, Trace


def of_outputs(trace: Trace, quantity: str) -> Series:
    """A quantity of the outputs in each batch; batches with outputs that are not finite are left out."""
    if _several_losses(trace):
        return Series((), ())
    broken = observed(trace, "not-finite-share", layer=OUTPUTS)
    spoiled = {step for step, share in zip(*broken, strict=True) if share > 0}
    steps, values = observed(trace, quantity, layer=OUTPUTS)
    kept = [(step, value) for step, value in zip(steps, values, strict=True) if step not in spoiled]
    return Series(tuple(step for step, _ in kept), tuple(value for _, value in kept))


def of_targets(trace: Trace, quantity: str) -> Series:
    """A quantity of the targets, over all rows seen by each step."""
    return Series((), ()) if _several_losses(trace) else observed(trace, quantity, layer=TARGETS)


def _several_losses(trace: Trace) -> bool:
    """Two rows for one step, or more rows seen in the first batch than it has."""
    twice = any(len(set(steps)) < len(steps) for steps in [trace.series("width", layer=OUTPUTS).steps])
    seen = observed(trace, "rows-seen", layer=TARGETS).values[:1]
    return twice or seen > observed(trace, "batch-rows", layer=TARGETS).values[:1] > ()


def output_width(trace: Trace) -> int:
    """Outputs a row; 0 where nobody looked."""
    widths = of_outputs(trace, "width").values
    return int(widths[-1]) if widths else 0


def output_range(trace: Trace) -> tuple[float, float] | None:
    """The smallest and the largest output of all batches."""
    low, high = of_outputs(trace, "value-min").values, of_outputs(trace, "value-max").values
    return (min(low), max(high)) if low and high else None


def target_range(trace: Trace) -> tuple[float, float] | None:
    """The smallest and the largest target, class numbers too."""
    low = of_targets(trace, "value-min").values + of_targets(trace, "label-min").values
    high = of_targets(trace, "value-max").values + of_targets(trace, "label-max").values
    return (min(low), max(high)) if low and high else None


def target_value(trace: Trace, quantity: str) -> float | None:
    """What a quantity of the targets came to over all rows seen."""
    values = of_targets(trace, quantity).values
    return values[-1] if values else None


def whole_numbers(trace: Trace) -> bool:
    """Whether every target is a whole number, or was given as one."""
    shares = of_targets(trace, "integer-share").values
    if shares:
        return all(share == 1 for share in shares)
    return bool(of_targets(trace, "label-max").values)
