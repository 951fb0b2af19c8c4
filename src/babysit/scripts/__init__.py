"""An unmodified script as a Subject: the patcher that sees and changes it, its child processes, its text."""

from babysit.scripts._apply import apply_remedies
from babysit.scripts._changes import Changes
from babysit.scripts._patcher import Enough, Patcher
from babysit.scripts._processes import Processes
from babysit.scripts._script import Ended, Script, run_script, with_arguments
from babysit.scripts._starts import LOST, Started, Starter
from babysit.scripts._subject import Rehearsed, ScriptSubject

__all__ = [
    "Changes",
    "Ended",
    "Enough",
    "LOST",
    "Patcher",
    "Processes",
    "Rehearsed",
    "Script",
    "ScriptSubject",
    "Started",
    "Starter",
    "apply_remedies",
    "run_script",
    "with_arguments",
]
