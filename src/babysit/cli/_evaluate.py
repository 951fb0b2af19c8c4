"""`babysit evaluate`."""

from __future__ import annotations

import pathlib
from typing import Literal

import babysit
from babysit.cli._answer import tell
from babysit.cli._options import File, refuse_folders


def evaluate(
    run: pathlib.Path,
    /,
    data: str | None = None,
    *,
    phase: Literal["train", "validation", "test"] = "test",
    report: File = None,
    json: File = None,
) -> int:
    """Score a Run, or the winners of a Study together, on its own held-out rows or on a file.

    Parameters
    ----------
    run
        The Run folder, or that of a finished Study.
    data
        A file with the target column, scored instead of the Run's own rows.
    phase
        Which of the Run's own rows.
    report
        Write the answer as one HTML file.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(report=report, json=json)
    return tell(babysit.evaluate(run, data, phase=phase), json, report)
