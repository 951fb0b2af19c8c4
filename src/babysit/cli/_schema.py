"""`babysit schema`."""

from __future__ import annotations

import json as json_text
import sys
from typing import Any

from babysit.cli._codes import DONE
from babysit.cli._options import File
from babysit.record import (
    DemoAnswer,
    Diagnosis,
    Evaluation,
    ExplainAnswer,
    ExportAnswer,
    Healing,
    InitialisationComparison,
    InputError,
    JobAnswer,
    JobsAnswer,
    PredictionsFile,
    PreFlight,
    Recipe,
    RunAnswer,
    SearchAnswer,
    TrainingAnswer,
    TrainingComparison,
    json_schema,
    write_atomic,
)
from babysit.reports import write_out

# What each command prints with `--json`.
ANSWERS: dict[str, Any] = {
    "check": PreFlight,
    "compare": TrainingComparison,
    "compare-init": InitialisationComparison,
    "demo": DemoAnswer,
    "diagnose": Diagnosis,
    "evaluate": Evaluation,
    "explain": ExplainAnswer,
    "export": ExportAnswer,
    "fit": TrainingAnswer,
    "heal": Healing,
    "predict": list[dict[str, Any]] | PredictionsFile,  # rows; with --out, where they are
    "recipe": Recipe,
    "report": TrainingAnswer,
    "resume": TrainingAnswer | SearchAnswer,
    "run": RunAnswer,
    "status": JobAnswer | JobsAnswer,
    "tune": SearchAnswer,
}


def schema(name: str, /, *, out: File = None) -> int:
    """Print the JSON Schema of what a command answers with --json.

    Parameters
    ----------
    name
        The command: check, compare, compare-init, demo, diagnose, evaluate, explain, export, fit, heal, predict,
        recipe, report, resume, run, status or tune.
    out
        Write it to this file instead.
    """
    if name not in ANSWERS:
        raise InputError(f"there is no answer '{name}'", legal=", ".join(ANSWERS), write="babysit schema check")
    text = json_text.dumps(json_schema(ANSWERS[name]) | {"title": f"babysit {name} --json"}, indent=2) + "\n"
    if out is None:
        write_out(sys.stdout, text)
    else:
        write_atomic(out, text)
    return DONE
