"""How far a row's answer moves where all other rows of its batch are exchanged."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from babysit.probes import first_tensor

LEAST_ROWS = 4


def change_by_others(network: Callable[[Tensor], object], given: Tensor, replaced: Tensor) -> float | None:
    """Exchange all rows of a batch but one, the first or the last, and see how far that one's outputs move.

    Args:
        network: In evaluation mode.
        given: The batch, rows along its first axis.
        replaced: Other rows.

    Returns:
        The largest change over the standard deviation of the outputs; None where there is not one output a row.
    """
    alone = first_tensor(network(given))
    if alone is None or not alone.ndim or len(alone) != len(given):
        return None
    changes = []
    # The last row, too: of rows taken for time, the first knows nothing of the others.
    for row in (0, -1):
        exchanged = replaced.clone()
        exchanged[row] = given[row]
        among = first_tensor(network(exchanged))
        if among is None or alone.shape != among.shape:
            return None
        changes.append(float((alone[row] - among[row]).abs().max()))
    spread = float(alone.float().std())
    return max(changes) / spread if spread > 0 else 0.0
