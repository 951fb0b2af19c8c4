"""Where in a user's code something happens."""

from __future__ import annotations

import pathlib
import sys
import sysconfig
from types import FrameType

_LIBRARIES = sysconfig.get_paths()
_NOT_THE_SCRIPT = (
    str(pathlib.Path(__file__).parent.parent),
    *(_LIBRARIES[name] for name in ("purelib", "platlib", "stdlib")),
    "<frozen",
)


def where_in_script() -> str:
    """The innermost line of code that is neither babysit's nor a library's, as FILE:LINE; empty where there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_NOT_THE_SCRIPT):
            return f"{pathlib.PurePath(name).name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
