"""`babysit export`."""

from __future__ import annotations

import pathlib

import babysit
from babysit.cli._answer import tell
from babysit.cli._options import File, refuse_folders


def export(run: pathlib.Path, path: pathlib.Path, /, *, json: File = None) -> int:
    """Write the model of a Run, or of a Study's winners together, preprocessing inside, as ONNX or for torch.export.

    Parameters
    ----------
    run
        The Run folder, or that of a finished Study.
    path
        The file to write: .onnx or .pt2.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(json=json)
    return tell(babysit.export(run, path), json)
