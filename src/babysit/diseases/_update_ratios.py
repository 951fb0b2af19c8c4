"""Update ratios of the weights that matter for a judgement of the learning rate."""

from __future__ import annotations

import statistics

from babysit.diseases._observed import observed
from babysit.record import WEIGHTED, Series, Trace

JUDGED = WEIGHTED | {"embedding"}


def update_ratios(trace: Trace) -> dict[str, Series]:
    """By main weight: the finite ratios. Biases and scales begin at zero or one and say little of a rate."""
    found = {}
    for name in trace.layers_with("update-ratio"):
        series = observed(trace, "update-ratio", layer=name)
        if series.values and _is_judged(trace, name):
            found[name] = series
    return found


def _is_judged(trace: Trace, name: str) -> bool:
    layer = trace.layer(name)
    if layer is not None:
        return layer.kind in JUDGED
    owner, _, parameter = name.rpartition(".")
    if "bias" in parameter:
        return False
    layer = trace.layer(owner)
    return layer.kind in JUDGED if layer is not None else True


def typical(series: Series, *, since: float = float("-inf"), until: float = float("inf")) -> float | None:
    """Median between two steps, both included; None where nothing was measured there.

    Example:
        >>> typical(Series((0, 1, 5), (0.5, 0.1, 0.2)), since=1)
        0.15000000000000002
    """
    values = [value for step, value in zip(*series, strict=True) if since <= step <= until]
    return statistics.median(values) if values else None
