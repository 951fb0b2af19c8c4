"""`babysit resume`."""

from __future__ import annotations

import pathlib

import babysit
from babysit.cli._answer import tell
from babysit.cli._options import File, Flag, refuse_folders
from babysit.reports import LiveView


def resume(
    folder: pathlib.Path, data: str | None = None, /, *, ray: str | None = None, plain: Flag = False, json: File = None
) -> int:
    """Go on with a training or a search that was interrupted or killed; it ends as if it had never stopped.

    Parameters
    ----------
    folder
        The Run folder, or that of a Study.
    data
        The data, where they are no longer where they were.
    ray
        Of a Study: the address of a Ray cluster that trains: local, auto, or HOST:PORT of its head.
    plain
        Lines instead of a live panel.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(json=json)
    with LiveView(plain=plain) as progress:
        resumed = babysit.resume(folder, data, ray=ray, progress=progress)
    return tell(resumed, json)
