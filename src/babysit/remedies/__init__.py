"""Remedies: one a file, with all there is to know of it, and what a training is that they are applied to."""

from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._bias_prior import BiasPrior
from babysit.remedies._call_step import CallStep
from babysit.remedies._epochs import Epochs
from babysit.remedies._lr import rate_of
from babysit.remedies._registry import REMEDIES, applied_to_script, apply_to_live, kind_of
from babysit.remedies._remedy_kind import Held, RemedyKind, Where
from babysit.remedies._replacements import Replacements
from babysit.remedies._state import Batch, LossOf, RehearsalState, inputs_and_targets
from babysit.remedies._values import NoValue, Number, Values

__all__ = [
    "Application",
    "AppliedRemedies",
    "Batch",
    "BiasPrior",
    "CallStep",
    "Epochs",
    "Held",
    "LossOf",
    "NoValue",
    "Number",
    "REMEDIES",
    "RehearsalState",
    "RemedyKind",
    "Replacements",
    "Values",
    "Where",
    "applied_to_script",
    "apply_to_live",
    "inputs_and_targets",
    "kind_of",
    "rate_of",
]
