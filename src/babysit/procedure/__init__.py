"""What is done from beginning to end: check, fit, resume, demo, watch."""

from babysit.procedure._carry_out import Tuned
from babysit.procedure._check import Report, check
from babysit.procedure._compare_init import compare_init
from babysit.procedure._demo import demo
from babysit.procedure._fit import Fitted, fit, resume
from babysit.procedure._search_set_up import ray_engine
from babysit.procedure._tune import resume_study, tune
from babysit.procedure._tune_script import tune_script
from babysit.procedure._watch import Watch, watch

__all__ = [
    "Fitted",
    "Report",
    "Tuned",
    "Watch",
    "check",
    "compare_init",
    "demo",
    "fit",
    "ray_engine",
    "resume",
    "resume_study",
    "tune",
    "tune_script",
    "watch",
]
