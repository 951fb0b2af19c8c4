"""`babysit report`."""

from __future__ import annotations

import json as json_module
import pathlib
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from babysit.record import Run
from babysit.reports import print_summary, summary_dict, write_page


def report(
    run: pathlib.Path,
    /,
    *,
    out: pathlib.Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write the report of a Run as one HTML file, and print its summary.

    Parameters
    ----------
    run
        The Run folder.
    out
        Where the page goes; else report.html in the Run folder.
    json
        The summary as JSON on the standard output.
    """
    folder = Run(run)
    page = write_page(folder, out)
    if json:
        sys.stdout.write(json_module.dumps({**summary_dict(folder), "report": str(page)}, indent=2) + "\n")
    else:
        console = Console()
        print_summary(folder, console)
        console.print(f"report: {page}", soft_wrap=True)
