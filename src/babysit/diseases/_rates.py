"""The learning rate over steps, and the rate that update ratios ask for."""

from __future__ import annotations

from babysit.diseases._observed import observed
from babysit.record import Trace

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
