"""Step 7, rate range: which learning rates learn, at constant rates on a ladder."""

from __future__ import annotations

from babysit.record import PreFlightStep
from babysit.rehearse._examination import Examination, skipped


def check_rate_range(examination: Examination) -> PreFlightStep:
    """Not there yet."""
    return skipped("rate-range", "not there yet")
