"""What is known of the losses that facts name."""

from __future__ import annotations

from babysit.record import Trace, losses_that

SQUARED_OR_ABSOLUTE = losses_that(distance=True)
ELEMENTWISE = losses_that(elementwise=True)
# Never below zero, whatever enters them, as long as targets are what they should be.
NEVER_NEGATIVE = losses_that(least_zero=True)


def means_progress(trace: Trace) -> bool:
    """Whether a loss that falls means that something is learned, and one that stays that nothing is.

    Nobody knows of a loss written by hand: a policy gradient's, a critic's or a game's goes where it goes.

    Example:
        >>> means_progress(Trace(facts={"loss": "mse"})), means_progress(Trace(facts={"loss": "other"}))
        (True, False)
    """
    return trace.facts.get("loss", "other") != "other"
