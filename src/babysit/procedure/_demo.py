"""demo: the whole procedure on real data that comes with scikit-learn."""

from __future__ import annotations

import pathlib

from babysit.procedure._fit import Fitted, fit
from babysit.record import Listener


def demo(out: str | pathlib.Path | None = None, *, listener: Listener | None = None) -> Fitted:
    """Set up, train and score a network on 1,797 handwritten digits (Alpaydin and Kaynak 1998).

    Args:
        out: The Run folder to make; None takes `runs/digits-NUMBER`.
        listener: Who shows the training.

    Example:
        >>> demo().evaluations["test"].score("accuracy").value > 0.95  # doctest: +SKIP
        True
    """
    return fit("digits", out=out, listener=listener)
