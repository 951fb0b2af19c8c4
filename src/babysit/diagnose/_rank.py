"""From a Trace to findings in the order in which they are likely to be the cause."""

from __future__ import annotations

from collections.abc import Sequence

from babysit.diagnose._catalogue import DISEASES
from babysit.record import Finding, Trace


def diagnose(trace: Trace, *, ignore: Sequence[str] = ()) -> list[Finding]:
    """What is wrong with a training, causes first.

    Args:
        trace: What was measured.
        ignore: Names of findings not to report.

    Returns:
        Findings, each with its evidence.
    """
    return [found for disease in DISEASES.values() if disease.name not in ignore for found in disease.find(trace)]
