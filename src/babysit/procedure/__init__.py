"""The whole procedure, from data to report: `fit` and `demo`."""

from babysit.procedure._demo import demo
from babysit.procedure._fit import Fitted, fit, resume

__all__ = ["Fitted", "demo", "fit", "resume"]
