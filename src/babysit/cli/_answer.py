"""What `fit` and `demo` say when they end."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from babysit.cli._codes import BAD_NEWS, DONE, INTERRUPTED
from babysit.reports import print_summary, summary_dict

if TYPE_CHECKING:
    from babysit.api import Fitted


def answer(fitted: Fitted, *, as_json: bool) -> int:
    """Print a fitted Run's summary, or JSON. Returns the exit code."""
    if as_json:
        content = {
            **summary_dict(fitted.run),
            "reason": fitted.outcome.reason,
            "report": None if fitted.report is None else str(fitted.report),
        }
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        console = Console()
        print_summary(fitted.run, console)
        if fitted.outcome.finished:
            console.print(f"report: {fitted.report}", soft_wrap=True)
        else:
            console.print(f"go on:  babysit fit --resume {fitted.run.path}", soft_wrap=True)
    if not fitted.outcome.finished:
        return INTERRUPTED
    return BAD_NEWS if fitted.outcome.diverged else DONE
