"""What is done from beginning to end: check, fit, resume, demo, run_script, watch."""

from babysit.procedure._carry_out import Tuned
from babysit.procedure._check import Report, check
from babysit.procedure._compare_init import compare_init
from babysit.procedure._demo import demo
from babysit.procedure._fit import Fitted, fit, resume
from babysit.procedure._heal import heal
from babysit.procedure._patched_copy import PatchedCopy, write_patched
from babysit.procedure._run_script import ScriptRun, run_script
from babysit.procedure._search_set_up import ray_engine
from babysit.procedure._tune import resume_study, tune
from babysit.procedure._tune_script import tune_script
from babysit.procedure._watch import Watch, watch

__all__ = [
    "Fitted",
    "PatchedCopy",
    "Report",
    "ScriptRun",
    "Tuned",
    "Watch",
    "check",
    "compare_init",
    "demo",
    "fit",
    "heal",
    "ray_engine",
    "resume",
    "resume_study",
    "run_script",
    "tune",
    "tune_script",
    "watch",
    "write_patched",
]
