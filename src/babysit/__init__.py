"""babysit sets up, babysits and tunes the training of neural networks in PyTorch.

Public names load when they are first used, so that `import babysit` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from babysit.adapters import load_ipython_extension, unload_ipython_extension
    from babysit.api import (
        Result,
        check,
        compare,
        compare_init,
        diagnose,
        evaluate,
        explain,
        export,
        fit,
        heal,
        initialise,
        initialize,
        predict,
        resume,
        run,
        tune,
        watch,
    )
    from babysit.data import k_folds, prepare
    from babysit.nn import Maxout
    from babysit.record import (
        BabysitError,
        Finding,
        InputError,
        NotFiniteError,
        Recipe,
        Remedy,
        Run,
        SickError,
        Study,
        Trace,
    )
    from babysit.scripts import apply_remedies
    from babysit.search import Space
    from babysit.training import load

# The package where each public name lives.
_HOME = {
    "BabysitError": "record",
    "Finding": "record",
    "InputError": "record",
    "Maxout": "nn",
    "NotFiniteError": "record",
    "Recipe": "record",
    "Remedy": "record",
    "Result": "api",
    "Run": "record",
    "SickError": "record",
    "Space": "search",
    "Study": "record",
    "Trace": "record",
    "apply_remedies": "scripts",
    "check": "api",
    "compare": "api",
    "compare_init": "api",
    "diagnose": "api",
    "evaluate": "api",
    "explain": "api",
    "export": "api",
    "fit": "api",
    "heal": "api",
    "initialise": "api",
    "initialize": "api",
    "k_folds": "data",
    "load": "training",
    "load_ipython_extension": "adapters",
    "predict": "api",
    "prepare": "data",
    "resume": "api",
    "run": "api",
    "tune": "api",
    "unload_ipython_extension": "adapters",
    "watch": "api",
}

__all__ = [
    "BabysitError",
    "Finding",
    "InputError",
    "Maxout",
    "NotFiniteError",
    "Recipe",
    "Remedy",
    "Result",
    "Run",
    "SickError",
    "Space",
    "Study",
    "Trace",
    "__version__",
    "apply_remedies",
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
    "k_folds",
    "load",
    "load_ipython_extension",
    "predict",
    "prepare",
    "resume",
    "run",
    "tune",
    "unload_ipython_extension",
    "watch",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'babysit' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"babysit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
