"""An unmodified script as a Subject: the patcher that sees and changes it, the runner of its processes, its text."""

from babysit.scripts._apply import apply_remedies
from babysit.scripts._as_main import Ended, Enough
from babysit.scripts._forks import watched_already
from babysit.scripts._located import located
from babysit.scripts._messages import RunRequest, WatchRequest
from babysit.scripts._patcher import Patcher
from babysit.scripts._runner import Runner, Started
from babysit.scripts._sandbox import NO_PROTECTION, available, protection_line
from babysit.scripts._script import Script, failure, run_script, with_arguments
from babysit.scripts._subject import Rehearsed, ScriptSubject, kept_folder, rehearsed, watching_environment

__all__ = [
    "Ended",
    "Enough",
    "NO_PROTECTION",
    "Patcher",
    "Rehearsed",
    "RunRequest",
    "Runner",
    "Script",
    "ScriptSubject",
    "Started",
    "WatchRequest",
    "apply_remedies",
    "available",
    "failure",
    "kept_folder",
    "located",
    "protection_line",
    "rehearsed",
    "run_script",
    "watched_already",
    "watching_environment",
    "with_arguments",
]
