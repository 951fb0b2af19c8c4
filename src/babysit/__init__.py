"""babysit sets up, babysits and tunes the training of neural networks in PyTorch.

Public names load when they are first used, so that `import babysit` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from babysit.record import BabysitError

__all__ = [
    "BabysitError",
    "__version__",
]

_HOME = {
    "BabysitError": "babysit.record",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'babysit' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
