"""What is done from beginning to end: check, fit, resume, demo, run_script, watch."""

from babysit.procedure._check import Report, check
from babysit.procedure._compare_init import compare_init
from babysit.procedure._demo import demo
from babysit.procedure._fit import Fitted, fit, resume
from babysit.procedure._heal import heal
from babysit.procedure._patched_copy import PatchedCopy, write_patched
from babysit.procedure._run_script import ScriptRun, run_script
from babysit.procedure._watch import Watch, watch

__all__ = [
    "Fitted",
    "PatchedCopy",
    "Report",
    "ScriptRun",
    "Watch",
    "check",
    "compare_init",
    "demo",
    "fit",
    "heal",
    "resume",
    "run_script",
    "watch",
    "write_patched",
]
