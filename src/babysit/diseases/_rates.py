"""The learning rate over steps, the update ratios that tell its effect, and the rate that they ask for."""

from __future__ import annotations

import statistics

from babysit.diseases._reading import observed
from babysit.record import WEIGHTED, Series, Trace

# Their steps have a length of about the rate in each weight, whatever the gradient's size. Adagrad and Adadelta, whose
# usual rates are .01 to 1, are left out.
ADAPTIVE = frozenset({"adam", "adamw", "adamax", "amsgrad", "lion", "nadam", "radam", "rmsprop"})
WARMING = 1.2  # the last rate over that of the middle step, from which on a rate is still rising


def is_adaptive(trace: Trace) -> bool:
    """Whether the optimizer scales the gradient to steps of the rate's size."""
    return trace.facts.get("optimizer", "") in ADAPTIVE


def still_warming_up(trace: Trace) -> bool:
    """Whether the rate rises to the last step: what comes of it cannot be seen yet."""
    rates = observed(trace, "lr").values
    return len(rates) > 1 and rates[-1] >= max(rates) and rates[-1] > WARMING * rates[len(rates) // 2]


def another_rate(rate: float, ratio: float | None, wanted: float, most: float) -> str:
    """The remedy `lr=...`, of one digit: the rate at which updates have the wanted size.

    Args:
        rate: What was used.
        ratio: Typical update ratio at that rate; None where it is unknown.
        wanted: The update ratio to aim at.
        most: Factor by which the rate changes at least towards the goal, and all it changes by without a ratio.

    Example:
        >>> another_rate(0.003, 0.3, 0.01, 0.1)
        'lr=0.0001'
    """
    factor = most if not ratio else wanted / ratio
    factor = min(factor, most) if most < 1 else max(factor, most)
    return f"lr={float(f'{rate * factor:.0e}'):g}"


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
