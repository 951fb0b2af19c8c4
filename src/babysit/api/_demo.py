"""demo: the whole procedure on real data that comes with scikit-learn."""

from __future__ import annotations

import pathlib

from babysit.api._fit import Fitted, fit
from babysit.api._search_first import SEARCH_SECONDS
from babysit.record import Progress, silent


def demo(
    out: str | pathlib.Path | None = None,
    *,
    time: float = SEARCH_SECONDS,
    progress: Progress = silent,
) -> Fitted:
    """Set up, train and score a network on 1,797 handwritten digits (Alpaydin and Kaynak 1998).

    Args:
        out: The Run folder to make; None takes `runs/digits-NUMBER`.
        time: Seconds for the search; 0 leaves it out.
        progress: Receives progress events, of the search and of the training.

    Example:
        >>> demo().evaluations["test"].score("accuracy").value > 0.95  # doctest: +SKIP
        True
    """
    return fit("digits", time=time, out=out, progress=progress)
