"""`babysit predict`."""

from __future__ import annotations

import io
import json as json_module
import pathlib
import sys
from typing import Annotated

from cyclopts import Parameter

import babysit
from babysit.record import InputError, write_atomic

ENDINGS = (".csv", ".parquet", ".json")


def predict(
    run: pathlib.Path,
    data: str,
    /,
    *,
    out: pathlib.Path | None = None,
    keep: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Answers of a Run, or of a Study's winners together, for new data, as CSV or Parquet.

    Parameters
    ----------
    run
        The Run folder, or that of a finished Study.
    data
        A file like the one learned from, with or without the target; for images a folder or one image.
    out
        Where to: .csv, .parquet or .json; else CSV on the standard output.
    keep
        Columns of the data to put beside the answers.
    json
        A JSON list of rows on the standard output instead of CSV.
    """
    if out is not None and out.suffix not in ENDINGS:
        raise InputError(f"'{out}' ends in '{out.suffix}'", legal=", ".join(ENDINGS), write="--out predictions.csv")
    frame = babysit.predict(run, data, keep=keep or ())
    if out is None:
        sys.stdout.write(frame.write_json() + "\n" if json else frame.write_csv())
        return
    if out.suffix == ".parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        write_atomic(out, buffer.getvalue())
    else:
        write_atomic(out, frame.write_csv() if out.suffix == ".csv" else frame.write_json())
    if json:
        sys.stdout.write(json_module.dumps({"schema": 1, "rows": frame.height, "out": str(out)}) + "\n")
    else:
        sys.stderr.write(f"{frame.height:,} answers written to {out}\n")
