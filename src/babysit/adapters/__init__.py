"""Where babysit meets what others run trainings in. Each is thin, and loaded when it is used."""

from babysit.adapters._notebook import load_ipython_extension, unload_ipython_extension

__all__ = [
    "load_ipython_extension",
    "unload_ipython_extension",
]
