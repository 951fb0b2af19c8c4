"""`babysit diagnose`."""

from __future__ import annotations

import pathlib

import babysit
from babysit.cli._answer import tell, words
from babysit.cli._options import File, Texts, refuse_folders


def diagnose(subject: pathlib.Path, /, *, ignore: Texts = None, report: File = None, json: File = None) -> int:
    """What was wrong with a training, from its saved trace or its log; causes first, with the numbers that show them.

    Exit code 1 when something sick was found, 3 when too little was measured to judge, else 0.

    Parameters
    ----------
    subject
        The Run folder; a trace that `babysit run --keep FILE` or `babysit.watch(..., keep=FILE)` wrote; or a log of any
        training: TensorBoard event files, an offline W&B run, an MLflow folder, `trainer_state.json`, CSV, JSON, JSON
        lines, or the captured output of a script.
    ignore
        Findings to ignore, by name.
    report
        Write the answer as one HTML file.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(report=report, json=json)
    found = babysit.diagnose(subject, ignore=ignore or ())
    following = words("babysit", "explain", found.findings[0].name) if found.findings else ""
    return tell(found, json, report, following)
