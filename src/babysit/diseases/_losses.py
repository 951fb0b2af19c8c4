"""What is known of the losses that facts name."""

from __future__ import annotations

from babysit.record import Trace

SQUARED_OR_ABSOLUTE = frozenset({"mse", "l1", "smooth-l1", "huber"})
ELEMENTWISE = SQUARED_OR_ABSOLUTE | {"bce", "bce-with-logits", "gaussian-nll", "poisson-nll"}
# Never below zero, whatever enters them, as long as targets are what they should be.
NEVER_NEGATIVE = SQUARED_OR_ABSOLUTE | {"cross-entropy", "bce", "bce-with-logits", "hinge"}


def means_progress(trace: Trace) -> bool:
    """Whether a loss that falls means that something is learned, and one that stays that nothing is.

    Nobody knows of a loss written by hand: a policy gradient's, a critic's or a game's goes where it goes.

    Example:
        >>> means_progress(Trace(facts={"loss": "mse"})), means_progress(Trace(facts={"loss": "other"}))
        (True, False)
    """
    return trace.facts.get("loss", "other") != "other"
