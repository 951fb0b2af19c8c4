"""`babysit predict`."""

from __future__ import annotations

import pathlib
import sys

import babysit
from babysit.cli._answer import tell_json
from babysit.cli._codes import DONE
from babysit.cli._options import File, Texts, refuse_folders
from babysit.reports import write_out


def predict(run: pathlib.Path, data: str, /, *, keep: Texts = None, out: File = None, json: File = None) -> int:
    """Answers of a Run, or of a Study's winners together, for new data, as CSV, Parquet or JSON.

    Parameters
    ----------
    run
        The Run folder, or that of a finished Study.
    data
        A file like the one learned from, with or without the target; for images a folder or one image.
    keep
        Columns of the data to put beside the answers.
    out
        The file to write: .csv, .parquet or .json; else the answers are CSV on the standard output.
    json
        Write a list of rows as JSON: to this file (NAME.json), or without a file to the standard output instead of CSV.
        With --out, the number of rows instead of the rows.
    """
    refuse_folders(out=out, json=json)
    predicted = babysit.predict(run, data, keep=keep or (), out=out)
    for note in predicted.notes:
        sys.stderr.write(f"note: {note}\n")
    tell_json(predicted.to_json, json)
    if out is not None:
        write_out(sys.stderr, f"{predicted}\n")
    elif json is None:
        write_out(sys.stdout, predicted.frame.write_csv())
    return DONE
