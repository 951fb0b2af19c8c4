"""The verbs, from beginning to end, and what they answer. Each loads when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babysit.api._after_training import Evaluated, Exported, Predicted, evaluate, export, predict
    from babysit.api._carry_out import Tuned
    from babysit.api._check import Checked, check
    from babysit.api._compare import ComparedTrainings, compare
    from babysit.api._compare_init import Compared, compare_init
    from babysit.api._diagnose import Diagnosed, diagnose
    from babysit.api._explain import Explained, explain
    from babysit.api._fit import Fitted, fit
    from babysit.api._heal import Healed, heal
    from babysit.api._initialize import Initialized, initialise, initialize
    from babysit.api._result import Result
    from babysit.api._resume import resume
    from babysit.api._run import ScriptRun, run
    from babysit.api._tune import tune
    from babysit.api._watch import Watch, watch

# The file where each name lives: `diagnose` needs no torch, so it must not load files that do.
_FILES = {
    "Checked": "check",
    "Compared": "compare_init",
    "ComparedTrainings": "compare",
    "Diagnosed": "diagnose",
    "Evaluated": "after_training",
    "Explained": "explain",
    "Exported": "after_training",
    "Fitted": "fit",
    "Healed": "heal",
    "Initialized": "initialize",
    "Predicted": "after_training",
    "Result": "result",
    "ScriptRun": "run",
    "Tuned": "carry_out",
    "Watch": "watch",
    "check": "check",
    "compare": "compare",
    "compare_init": "compare_init",
    "diagnose": "diagnose",
    "evaluate": "after_training",
    "explain": "explain",
    "export": "after_training",
    "fit": "fit",
    "heal": "heal",
    "initialise": "initialize",
    "initialize": "initialize",
    "predict": "after_training",
    "resume": "resume",
    "run": "run",
    "tune": "tune",
    "watch": "watch",
}

__all__ = [
    "Checked",
    "Compared",
    "ComparedTrainings",
    "Diagnosed",
    "Evaluated",
    "Explained",
    "Exported",
    "Fitted",
    "Healed",
    "Initialized",
    "Predicted",
    "Result",
    "ScriptRun",
    "Tuned",
    "Watch",
    "check",
    "compare",
    "compare_init",
    "diagnose",
    "evaluate",
    "explain",
    "export",
    "fit",
    "heal",
    "initialise",
    "initialize",
    "predict",
    "resume",
    "run",
    "tune",
    "watch",
]


def __getattr__(name: str) -> object:
    if name not in _FILES:
        raise AttributeError(f"module 'babysit.api' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"babysit.api._{_FILES[name]}"), name)
    globals()[name] = value
    return value
