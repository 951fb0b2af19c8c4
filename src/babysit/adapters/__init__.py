"""Where babysit meets what others run trainings in. Each is thin, and loaded when it is used."""

from babysit.adapters._logs import is_log, read_log
from babysit.adapters._notebook import load_ipython_extension, unload_ipython_extension
from babysit.adapters._sinks import Sinks

__all__ = [
    "Sinks",
    "is_log",
    "load_ipython_extension",
    "read_log",
    "unload_ipython_extension",
]
