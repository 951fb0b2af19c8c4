"""What is done from beginning to end: check, fit, resume, demo, run_script, watch."""

from babysit.api._carry_out import Tuned
from babysit.api._check import Report, check
from babysit.api._compare_init import compare_init
from babysit.api._demo import demo
from babysit.api._fit import Fitted, fit, resume
from babysit.api._heal import heal
from babysit.api._patched_copy import PatchedCopy, write_patched
from babysit.api._run_script import ScriptRun, run_script
from babysit.api._search_set_up import ray_engine
from babysit.api._tune import resume_study, tune
from babysit.api._tune_script import tune_script
from babysit.api._watch import Watch, watch

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
