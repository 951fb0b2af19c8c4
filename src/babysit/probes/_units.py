"""Units over a window of rows: never active, always at a flat end, and identical to one another.

A channel of an image counts as active when it is so anywhere in it; rows are images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from babysit.probes._activations import FlatEnds, flat, other_dimensions
from babysit.probes._numbers import WIDE, as_float, some_rows

WINDOW = 1000  # rows after which a new window begins; the lecture's counts of dead units are over 1000 inputs
SATURATED = 0.95  # of the window's rows at a flat end make a unit saturated (TheDeepChecker looks at this percentile)
ROUNDING = 1e-6  # of a sum: what order of summation may change
ROWS_IN_HALF = 4  # bfloat16 has some 1000 numbers between 0.05 and 8; layers have thousands of units


class UnitWindow:
    """One layer's units over the rows seen lately: the window under way and the one before it.

    Example:
        >>> window = UnitWindow(FlatEnds(0.0, None))
        >>> zeros, flat_ends = window.see(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]), 1)
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
        self, outputs: Tensor, dimension: int, *, inputs: Tensor | None = None, whole: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Outputs [N, ...]; a vector is one unit's.

        Args:
            outputs: Rows that shares are taken over.
            dimension: Where units lie.
            inputs: In place of outputs where flat ends are told by inputs.
            whole: Outputs that those are a part of: whether a unit is ever active is looked for in more rows.

        Returns:
            Share of outputs that are zero, and share at a flat end (None where nothing is flat).
        """
        part = outputs if whole is None else some_rows(whole, WIDE)
        if outputs.ndim < 2:
            outputs, part, dimension = outputs.reshape(-1, 1), part.reshape(-1, 1), 1
            inputs = inputs if inputs is None else inputs.reshape(-1, 1)
        rows = part.shape[0]
        self._turn(outputs.shape[dimension], outputs.device)
        active = _ever_active(part, dimension)
        self._active = active if self._active is None else self._active | active
        self._rows += rows
        zeros = (outputs == 0).mean(dtype=torch.float32)
        if self._ends is None:
            return zeros, None
        at_ends = flat(outputs if inputs is None else inputs, self._ends).float()
        flat_by_unit = at_ends.mean(other_dimensions(outputs, dimension))
        self._flat = flat_by_unit * rows if self._flat is None else self._flat + flat_by_unit * rows
        return zeros, flat_by_unit.mean()

    def _turn(self, units: int, device: torch.device) -> None:
        """Begin anew with other units, or a new window when this one is full."""
        if self._active is not None and (self._active.shape[0] != units or self._active.device != device):
            self._active = self._before = self._flat = self._flat_before = None
            self._rows = self._rows_before = 0
        if self._rows >= WINDOW:
            self._before, self._flat_before, self._rows_before = self._active, self._flat, self._rows
            self._active = self._flat = None
            self._rows = 0

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
            found["saturated-unit-share"] = (together >= SATURATED * rows - 1e-3).mean(dtype=torch.float32)
        return found


def _ever_active(values: Tensor, dimension: int) -> Tensor:
    """Units [units] with a value other than zero; NaN is not zero: a unit that gives NaN is sick in another way."""
    if not values.numel():
        return torch.zeros(values.shape[dimension], dtype=torch.bool, device=values.device)
    # Positions first, rows after: the other way round takes a hundred times as long where channels come last.
    inner = [number for number in other_dimensions(values, dimension) if number != 0]
    high, low = (values.amax(inner), values.amin(inner)) if inner else (values, values)
    if dimension != 0:
        high, low = high.amax(0), low.amin(0)
    return (high != 0) | (low != 0)


def identical_share(outputs: Tensor) -> Tensor:
    """Share of units [rows, units] whose outputs equal another unit's on every row; silent units are not counted.

    Units are told apart by two weighted sums over the rows, of the outputs and of their sizes: different units have
    different sums, except by chance. One row in half precision has too few different numbers to say: 0.
    """
    values = as_float(outputs)
    rows, units = values.shape
    if units < 2 or not rows or (rows < ROWS_IN_HALF and outputs.dtype.itemsize < values.dtype.itemsize):
        return values.new_zeros(())
    # Weights without pattern, from the golden ratio: no random numbers are drawn.
    weights = torch.arange(1, rows + 1, device=values.device, dtype=values.dtype).mul_(0.6180339887498949).frac_() + 0.5
    sums, order = (values * weights[:, None]).sum(dim=0).sort()
    sizes = (values.abs() * weights[:, None]).sum(dim=0)[order]
    allowed = ROUNDING * torch.minimum(sizes[1:], sizes[:-1])
    # What is silent has size 0; what overflows or is NaN differs by NaN or by infinitely much.
    near = (sums.diff().abs() <= allowed) & (sizes.diff().abs() <= allowed) & (allowed > 0) & allowed.isfinite()
    twin = torch.zeros(units, dtype=torch.bool, device=values.device)
    twin[1:] |= near
    twin[:-1] |= near
    return twin.mean(dtype=torch.float32)
