"""Units over a window of rows: never active, always at a flat end, and identical to one another.

Of an image every position is a row, so that a channel counts as active when it is so anywhere.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from babysit.probe._activations import FlatEnds, flat, other_dimensions
from babysit.probe._subset import as_float

WINDOW = 1000  # rows after which a new window begins; the lecture's counts of dead units are over 1000 inputs
SATURATED = 0.95  # of the window's rows at a flat end make a unit saturated (TheDeepChecker looks at this percentile)


class UnitWindow:
    """One layer's units over the rows seen lately: the window under way and the one before it.

    Example:
        >>> window = UnitWindow(FlatEnds(0.0, None))
        >>> zeros, flat_ends = window.see(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]), 1, rows=2)
        >>> {name: round(float(value), 2) for name, value in window.measure().items()}["never-active-share"]
        0.33
    """

    def __init__(self, ends: FlatEnds | None) -> None:
        self._ends = ends
        self._active: Tensor | None = None  # bool [units]: in the window under way
        self._before: Tensor | None = None  # the same in the one before
        self._flat: Tensor | None = None  # float [units]: sum of shares of rows at a flat end, weighted by rows
        self._flat_before: Tensor | None = None
        self._rows = self._rows_before = 0

    def see(
        self, outputs: Tensor, dimension: int, rows: int, inputs: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Outputs [N, ...] of `rows` rows; `inputs` in their place where flat ends are told by inputs.

        Returns:
            Share of outputs that are zero, and share at a flat end (None where nothing is flat).
        """
        if self._active is not None and self._active.shape[0] != outputs.shape[dimension]:
            self._active = self._before = self._flat = self._flat_before = None
            self._rows = self._rows_before = 0
        if self._rows >= WINDOW:
            self._before, self._flat_before, self._rows_before = self._active, self._flat, self._rows
            self._active = self._flat = None
            self._rows = 0
        others = other_dimensions(outputs, dimension)
        # NaN is not zero: a unit that gives NaN is sick in another way.
        by_unit = (outputs != 0).float().mean(others)
        active = by_unit > 0
        self._active = active if self._active is None else self._active | active
        self._rows += rows
        zeros = 1 - by_unit.mean()
        if self._ends is None:
            return zeros, None
        flat_by_unit = flat(outputs if inputs is None else inputs, self._ends).float().mean(others)
        self._flat = flat_by_unit * rows if self._flat is None else self._flat + flat_by_unit * rows
        return zeros, flat_by_unit.mean()

    def measure(self) -> dict[str, float | Tensor]:
        """Shares of the window's units."""
        if self._active is None:
            return {}
        active, rows = self._active, self._rows + self._rows_before
        if self._before is not None:
            active = active | self._before
        found: dict[str, float | Tensor] = {
            "never-active-share": 1 - active.mean(dtype=torch.float32),
            "window-rows": float(rows),
        }
        if self._flat is not None:
            together = self._flat if self._flat_before is None else self._flat + self._flat_before
            found["saturated-unit-share"] = (together >= SATURATED * rows).mean(dtype=torch.float32)
        return found


def identical_share(outputs: Tensor) -> Tensor:
    """Share of units [rows, units] whose outputs equal another unit's on every row; silent units are not counted.

    Units are told apart by one weighted sum over the rows: different units have different sums, except by chance.
    """
    values = as_float(outputs)
    rows, units = values.shape
    if units < 2:
        return values.new_zeros(())
    # Weights without pattern, from the golden ratio: no random numbers are drawn.
    weights = torch.arange(1, rows + 1, device=values.device, dtype=values.dtype).mul_(0.6180339887498949).frac_() + 0.5
    alive = (values != 0).any(dim=0)
    sums = (values * weights[:, None]).sum(dim=0)
    size = (values.abs() * weights[:, None]).sum(dim=0)
    order = sums.argsort()
    near = (sums[order].diff().abs() <= 1e-6 * size[order][1:]) & alive[order][1:] & alive[order][:-1]
    twin = torch.zeros_like(alive)
    twin[1:] |= near
    twin[:-1] |= near
    return twin.mean(dtype=torch.float32) if math.prod(values.shape) else values.new_zeros(())
