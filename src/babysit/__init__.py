"""babysit sets up, babysits and tunes the training of neural networks in PyTorch.

Public names load when they are first used, so that `import babysit` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from babysit.adapters import load_ipython_extension, unload_ipython_extension
    from babysit.api import (
        Fitted,
        PatchedCopy,
        Report,
        ScriptRun,
        Tuned,
        Watch,
        check,
        compare_init,
        demo,
        fit,
        heal,
        ray_engine,
        resume,
        resume_study,
        run_script,
        tune,
        tune_script,
        watch,
        write_patched,
    )
    from babysit.data import Prepared, Preprocessing, k_folds, prepare
    from babysit.diseases import diagnose
    from babysit.lessons import explain
    from babysit.nn import Maxout, MaxoutConv2d, initialise
    from babysit.record import (
        BabysitError,
        Evaluation,
        Finding,
        Healing,
        InputError,
        NotFiniteError,
        Recipe,
        Remedy,
        Run,
        SickError,
        Trace,
        load_recipe,
    )
    from babysit.reports import write_page
    from babysit.scripts import apply_remedies
    from babysit.search import Space, export_to_optuna
    from babysit.training import TrainedModel, evaluate, export, load, predict

# Where each public name lives.
_HOME = {
    "BabysitError": "record",
    "Evaluation": "record",
    "Finding": "record",
    "Fitted": "api",
    "Healing": "record",
    "InputError": "record",
    "Maxout": "nn",
    "MaxoutConv2d": "nn",
    "NotFiniteError": "record",
    "PatchedCopy": "api",
    "Prepared": "data",
    "Preprocessing": "data",
    "Recipe": "record",
    "Remedy": "record",
    "Report": "api",
    "Run": "record",
    "ScriptRun": "api",
    "SickError": "record",
    "Space": "search",
    "Trace": "record",
    "TrainedModel": "training",
    "Tuned": "api",
    "Watch": "api",
    "apply_remedies": "scripts",
    "check": "api",
    "compare_init": "api",
    "demo": "api",
    "diagnose": "diseases",
    "evaluate": "training",
    "explain": "lessons",
    "export": "training",
    "export_to_optuna": "search",
    "fit": "api",
    "heal": "api",
    "initialise": "nn",
    "k_folds": "data",
    "load": "training",
    "load_ipython_extension": "adapters",
    "load_recipe": "record",
    "predict": "training",
    "prepare": "data",
    "ray_engine": "api",
    "resume": "api",
    "resume_study": "api",
    "run_script": "api",
    "tune": "api",
    "tune_script": "api",
    "unload_ipython_extension": "adapters",
    "watch": "api",
    "write_page": "reports",
    "write_patched": "api",
}

__all__ = [
    "BabysitError",
    "Evaluation",
    "Finding",
    "Fitted",
    "Healing",
    "InputError",
    "Maxout",
    "MaxoutConv2d",
    "NotFiniteError",
    "PatchedCopy",
    "Prepared",
    "Preprocessing",
    "Recipe",
    "Remedy",
    "Report",
    "Run",
    "ScriptRun",
    "SickError",
    "Space",
    "Trace",
    "TrainedModel",
    "Tuned",
    "Watch",
    "__version__",
    "apply_remedies",
    "check",
    "compare_init",
    "demo",
    "diagnose",
    "evaluate",
    "explain",
    "export",
    "export_to_optuna",
    "fit",
    "heal",
    "initialise",
    "k_folds",
    "load",
    "load_ipython_extension",
    "load_recipe",
    "predict",
    "prepare",
    "ray_engine",
    "resume",
    "resume_study",
    "run_script",
    "tune",
    "tune_script",
    "unload_ipython_extension",
    "watch",
    "write_page",
    "write_patched",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'babysit' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"babysit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
