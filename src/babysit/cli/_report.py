"""`babysit report`."""

from __future__ import annotations

import json as json_text
import pathlib

from babysit.cli._answer import STANDARD_OUTPUT, tell_json
from babysit.cli._codes import DONE
from babysit.cli._options import File, refuse_folders
from babysit.record import Run, to_json
from babysit.reports import CleanConsole, print_summary, training_answer, write_page


def report(run: pathlib.Path, /, *, out: File = None, json: File = None) -> int:
    """Write the report of a Run as one HTML file, and print its summary.

    Parameters
    ----------
    run
        The Run folder.
    out
        The file to write; else report.html in the Run folder.
    json
        Write the summary as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(json=json)
    folder = Run(run)
    page = write_page(folder, out)
    answer = training_answer(folder, report=page)
    tell_json(lambda: json_text.dumps(to_json(answer), indent=2), json)
    if json != STANDARD_OUTPUT:
        console = CleanConsole()
        print_summary(folder, console)
        console.print(f"report: {page}", soft_wrap=True, highlight=False)
    return DONE
