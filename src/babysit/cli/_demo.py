"""`babysit demo`."""

from __future__ import annotations

import pathlib
from typing import Annotated

from cyclopts import Parameter

import babysit
from babysit.cli._answer import answer
from babysit.reports import LiveView


def demo(
    *,
    out: pathlib.Path | None = None,
    time: float = 30.0,
    plain: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """The whole procedure on a bundled real data set: 1,797 handwritten digits.

    Parameters
    ----------
    out
        The Run folder to make; else runs/digits-NUMBER.
    time
        Seconds for the search of rate, regularisation and dropout before the training; 0 leaves it out.
    plain
        Lines instead of a live panel.
    json
        The result as JSON on the standard output.
    """
    with LiveView(plain=plain) as progress:
        fitted = babysit.demo(out=out, time=time, progress=progress)
    return answer(fitted, as_json=json)
