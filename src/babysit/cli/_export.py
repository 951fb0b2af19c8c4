"""`babysit export`."""

from __future__ import annotations

import json as json_module
import pathlib
import sys
from typing import Annotated

from cyclopts import Parameter

import babysit


def export(run: pathlib.Path, path: pathlib.Path, /, *, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Write the model of a Run, or of a Study's winners together, preprocessing inside, as ONNX or for torch.export.

    Parameters
    ----------
    run
        The Run folder, or that of a finished Study.
    path
        Where to: .onnx or .pt2.
    json
        The answer as JSON on the standard output.
    """
    written = babysit.export(run, path)
    if json:
        sys.stdout.write(json_module.dumps({"schema": 1, "model": str(written)}) + "\n")
    else:
        sys.stdout.write(f"model: {written}\n")
