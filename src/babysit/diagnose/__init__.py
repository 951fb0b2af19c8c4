"""Pure functions from a Trace to Findings: one disease a file, no torch."""

from babysit.diagnose._catalogue import DISEASES
from babysit.diagnose._disease import Disease
from babysit.diagnose._rank import diagnose

__all__ = ["DISEASES", "Disease", "diagnose"]
