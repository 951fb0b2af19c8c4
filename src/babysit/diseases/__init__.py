"""Pure functions from a Trace to Findings: one disease a file, no torch."""

from babysit.diseases._catalogue import DISEASES, readers_of
from babysit.diseases._diagnose import Repeatedly, check_names, diagnose, not_measured, ranked
from babysit.diseases._disease import Disease
from babysit.diseases._learned import (
    RIGHT,
    all_right,
    evidence_of_learning,
    means_progress,
    overfits_tiny_batch,
    solved,
    starts_trained,
    validation_agrees,
)

__all__ = [
    "DISEASES",
    "Disease",
    "RIGHT",
    "Repeatedly",
    "all_right",
    "check_names",
    "diagnose",
    "evidence_of_learning",
    "means_progress",
    "not_measured",
    "overfits_tiny_batch",
    "ranked",
    "readers_of",
    "solved",
    "starts_trained",
    "validation_agrees",
]
