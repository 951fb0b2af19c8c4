"""Where babysit meets what others run trainings in. Each is thin, and loaded when it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babysit.adapters._fit_watch import BabysitCallback
    from babysit.adapters._ignite import IgniteHandler
    from babysit.adapters._keras import KerasCallback
    from babysit.adapters._lightning import LightningCallback, lightning_factory
    from babysit.adapters._logs import is_log, read_log
    from babysit.adapters._notebook import load_ipython_extension, unload_ipython_extension
    from babysit.adapters._sinks import Sinks
    from babysit.adapters._skorch import SkorchCallback
    from babysit.adapters._transformers import TransformersCallback

# The file where each public name lives.
_HOME = {
    "BabysitCallback": "_fit_watch",
    "IgniteHandler": "_ignite",
    "KerasCallback": "_keras",
    "LightningCallback": "_lightning",
    "Sinks": "_sinks",
    "SkorchCallback": "_skorch",
    "TransformersCallback": "_transformers",
    "is_log": "_logs",
    "lightning_factory": "_lightning",
    "load_ipython_extension": "_notebook",
    "read_log": "_logs",
    "unload_ipython_extension": "_notebook",
}

__all__ = [
    "BabysitCallback",
    "IgniteHandler",
    "KerasCallback",
    "LightningCallback",
    "Sinks",
    "SkorchCallback",
    "TransformersCallback",
    "is_log",
    "lightning_factory",
    "load_ipython_extension",
    "read_log",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'babysit.adapters' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"babysit.adapters.{_HOME[name]}"), name)
    globals()[name] = value
    return value
