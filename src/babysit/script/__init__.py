"""An unmodified script as a Subject: the seam that sees and changes it, its child processes, its text."""

from babysit.script._advice import advice_for
from babysit.script._apply import apply_remedies
from babysit.script._changes import Changes
from babysit.script._patch import Patched, Written, check_copy, patched, write_patched
from babysit.script._processes import Processes
from babysit.script._script import Ended, Script, run_script, with_arguments
from babysit.script._seam import Enough, Seam
from babysit.script._starts import LOST, Started, Starter
from babysit.script._subject import Rehearsed, ScriptSubject

__all__ = [
    "Changes",
    "Ended",
    "Enough",
    "LOST",
    "Patched",
    "Processes",
    "Rehearsed",
    "Script",
    "ScriptSubject",
    "Seam",
    "Started",
    "Starter",
    "Written",
    "advice_for",
    "apply_remedies",
    "check_copy",
    "patched",
    "run_script",
    "with_arguments",
    "write_patched",
]
