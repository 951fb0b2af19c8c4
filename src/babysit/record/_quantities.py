"""The one table of quantities: a name, a unit and a definition each. Docs are made from it."""

from __future__ import annotations

from typing import NamedTuple


class Quantity(NamedTuple):
    """What a number in a Trace means."""

    name: str
    unit: str
    definition: str


QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("loss", "", "the loss that was made small on the batch, penalties included, as it was"),
        Quantity("data-loss", "", "mean loss over the rows of a phase, penalties left out"),
        Quantity("accuracy", "share", "rows whose likeliest class is the right one"),
        Quantity("r2", "", "1 - squared error over the squared error of the phase's mean target"),
        Quantity("lr", "per step", "learning rate of the step"),
        Quantity("gradient-norm", "", "Euclidean length of the gradient over all parameters, before clipping"),
        Quantity("epoch-seconds", "seconds", "wall time of an epoch's steps, evaluation left out"),
    )
}
