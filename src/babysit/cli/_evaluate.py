"""`babysit evaluate`."""

from __future__ import annotations

import json as json_module
import pathlib
import sys
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

import babysit
from babysit.record import to_json
from babysit.reports import print_evaluation


def evaluate(
    run: pathlib.Path,
    /,
    *,
    data: str | None = None,
    phase: Literal["train", "validation", "test"] = "test",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Score a Run, or the winners of a Study together, on its own held-out rows or on a file.

    Parameters
    ----------
    run
        The Run folder, or that of a finished Study.
    data
        A file with the target column, scored instead of the Run's own rows.
    phase
        Which of the Run's own rows.
    json
        The scores as JSON on the standard output.
    """
    evaluation = babysit.evaluate(run, data, phase=phase)
    if json:
        sys.stdout.write(json_module.dumps(to_json(evaluation), indent=2) + "\n")
    else:
        print_evaluation(evaluation, Console())
