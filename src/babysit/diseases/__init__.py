"""Pure functions from a Trace to Findings: one disease a file, no torch."""

from babysit.diseases._cannot_overfit_tiny_batch import learned_by_heart
from babysit.diseases._catalogue import DISEASES
from babysit.diseases._constant_answer import constant_answer_loss
from babysit.diseases._disease import Disease
from babysit.diseases._rank import check_names, diagnose, ranked
from babysit.diseases._repeatedly import Repeatedly

__all__ = [
    "DISEASES",
    "Disease",
    "Repeatedly",
    "check_names",
    "constant_answer_loss",
    "diagnose",
    "learned_by_heart",
    "ranked",
]
