"""`babysit demo`."""

from __future__ import annotations

import babysit
from babysit.cli._answer import tell
from babysit.cli._options import File, Flag, refuse_folders
from babysit.reports import LiveView

DATA = "digits"


def demo(*, seconds: float = 30.0, out: File = None, plain: Flag = False, json: File = None) -> int:
    """The whole procedure on a bundled real data set: 1,797 handwritten digits (Alpaydin and Kaynak 1998).

    Parameters
    ----------
    seconds
        Time limit in seconds of the search of rate, regularisation and dropout; 0 leaves the search out.
    out
        The Run folder to make; else runs/digits-NUMBER.
    plain
        Lines instead of a live panel.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(json=json)
    with LiveView(plain=plain) as progress:
        fitted = babysit.fit(DATA, seconds=seconds, out=out, progress=progress)
    return tell(fitted, json)
