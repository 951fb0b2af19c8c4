"""`babysit fit`."""

from __future__ import annotations

import pathlib
from typing import Annotated

from cyclopts import Parameter

import babysit
from babysit.cli._answer import answer
from babysit.record import InputError
from babysit.reports import LiveView


def fit(
    data: str | None = None,
    /,
    *,
    target: str | None = None,
    recipe: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", consume_multiple=True, negative="")] = None,
    out: pathlib.Path | None = None,
    resume: pathlib.Path | None = None,
    time: float = 30.0,
    plain: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """From data to a trained, scored and kept network with a report.

    Parameters
    ----------
    data
        A CSV, Parquet, npz or npy file, a folder of images (a folder a class), or a bundled set: digits, iris, wine,
        breast-cancer, diabetes.
    target
        The column to learn; found when it is not given.
    recipe
        A recipe file, or one of babysit's own by name; `babysit recipe` prints one.
    set_
        Changes to the recipe, such as lr=0.01 model.widths=[64,64].
    out
        The Run folder to make; else runs/NAME-NUMBER.
    resume
        Go on with an interrupted or killed Run instead.
    time
        Seconds for the search of rate, regularisation and dropout before the training; 0 leaves it out.
    plain
        Lines instead of a live panel.
    json
        The result as JSON on the standard output.
    """
    with LiveView(plain=plain) as progress:
        if resume is not None:
            given = {"DATA": data, "--target": target, "--recipe": recipe, "--set": set_, "--out": out}
            surplus = ", ".join(name for name, value in given.items() if value is not None)
            if surplus:
                raise InputError(
                    f"--resume goes on with a Run as it was begun, and {surplus} would change it",
                    write=f"babysit fit --resume {resume}",
                )
            fitted = babysit.resume(resume, progress=progress)
        else:
            fitted = babysit.fit(
                data,
                target,
                recipe=recipe,
                settings=set_ or (),
                time=time,
                out=out,
                progress=progress,
            )
    return answer(fitted, as_json=json)
