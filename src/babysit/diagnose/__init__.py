"""Pure functions from a Trace to Findings: one disease a file, no torch.

The room and its main function have one name: `babysit.diagnose(trace)` is `babysit.diagnose.diagnose(trace)`.
"""

from babysit.diagnose import _callable
from babysit.diagnose._cannot_overfit_tiny_batch import learned_by_heart
from babysit.diagnose._catalogue import DISEASES
from babysit.diagnose._constant_answer import constant_answer_loss
from babysit.diagnose._disease import Disease
from babysit.diagnose._rank import check_names, diagnose, ranked
from babysit.diagnose._repeatedly import Repeatedly

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

_callable.make_callable(__name__)
