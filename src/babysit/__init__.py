"""babysit sets up, babysits and tunes the training of neural networks in PyTorch.

Public names load when they are first used, so that `import babysit` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from babysit.adapters import load_ipython_extension, unload_ipython_extension
    from babysit.data import Prepared, Preprocessing, k_folds, prepare
    from babysit.diagnose import diagnose
    from babysit.explain import explain
    from babysit.nn import Maxout, MaxoutConv2d, initialise
    from babysit.procedure import (
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
    from babysit.record import (
        BabysitError,
        Evaluation,
        Finding,
        Healing,
        InputError,
        NotFiniteError,
        Recipe,
        Remedy,
        RunFolder,
        SickError,
        Trace,
        load_recipe,
    )
    from babysit.report import write_page
    from babysit.script import apply_remedies
    from babysit.train import TrainedModel, evaluate, export, load, predict
    from babysit.tune import Space, export_to_optuna

# Where each public name lives.
_HOME = {
    "BabysitError": "record",
    "Evaluation": "record",
    "Finding": "record",
    "Fitted": "procedure",
    "Healing": "record",
    "InputError": "record",
    "Maxout": "nn",
    "MaxoutConv2d": "nn",
    "NotFiniteError": "record",
    "PatchedCopy": "procedure",
    "Prepared": "data",
    "Preprocessing": "data",
    "Recipe": "record",
    "Remedy": "record",
    "Report": "procedure",
    "RunFolder": "record",
    "ScriptRun": "procedure",
    "SickError": "record",
    "Space": "tune",
    "Trace": "record",
    "TrainedModel": "train",
    "Tuned": "procedure",
    "Watch": "procedure",
    "apply_remedies": "script",
    "check": "procedure",
    "compare_init": "procedure",
    "demo": "procedure",
    "diagnose": "diagnose",
    "evaluate": "train",
    "explain": "explain",
    "export": "train",
    "export_to_optuna": "tune",
    "fit": "procedure",
    "heal": "procedure",
    "initialise": "nn",
    "k_folds": "data",
    "load": "train",
    "load_ipython_extension": "adapters",
    "load_recipe": "record",
    "predict": "train",
    "prepare": "data",
    "ray_engine": "procedure",
    "resume": "procedure",
    "resume_study": "procedure",
    "run_script": "procedure",
    "tune": "procedure",
    "tune_script": "procedure",
    "unload_ipython_extension": "adapters",
    "watch": "procedure",
    "write_page": "report",
    "write_patched": "procedure",
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
    "RunFolder",
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
