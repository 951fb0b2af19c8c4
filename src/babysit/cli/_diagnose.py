"""`babysit diagnose`."""

from __future__ import annotations

import json as json_module
import pathlib
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

import babysit
from babysit.cli._codes import BAD_NEWS, DONE
from babysit.record import Diagnosis, InputError, Run, read_trace, to_json
from babysit.reports import print_findings


def diagnose(
    run: pathlib.Path,
    /,
    *,
    ignore: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """What was wrong with a training, from its saved trace; causes first, with the numbers that show them.

    Exit code 1 when something found makes a sound training impossible, else 0.

    Parameters
    ----------
    run
        The Run folder, or a trace that `babysit.watch(..., keep=FILE)` wrote.
    ignore
        Names of findings not to report.
    json
        The findings as JSON on the standard output.
    """
    if run.is_file():
        trace = read_trace(run)
    elif run.is_dir():
        trace = Run(run).trace()
    else:
        raise InputError(f"there is no {run}", legal="a Run folder, or a trace's file")
    findings = babysit.diagnose(trace, ignore=ignore or ())
    if json:
        content = to_json(Diagnosis(tuple(findings)))
        sys.stdout.write(json_module.dumps(content, indent=2) + "\n")
    else:
        print_findings(findings, Console())
    return BAD_NEWS if any(finding.severity == "sick" for finding in findings) else DONE
