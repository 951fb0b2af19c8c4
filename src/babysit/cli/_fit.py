"""`babysit fit`."""

from __future__ import annotations

import babysit
from babysit.cli._answer import tell
from babysit.cli._options import File, Flag, Settings, refuse_folders
from babysit.reports import LiveView


def fit(
    data: str | None = None,
    /,
    *,
    target: str | None = None,
    recipe: str | None = None,
    settings: Settings = None,
    seconds: float = 30.0,
    out: File = None,
    plain: Flag = False,
    json: File = None,
) -> int:
    """From data to a trained, scored and kept network with a report.

    Exit code 1 when the training diverged, 130 when it was interrupted: babysit resume goes on with it.

    Parameters
    ----------
    data
        A table (CSV, JSON, Parquet, Arrow, ARFF, libsvm, Excel, also compressed), an npz or npy file, a folder of
        images (a folder a class), or a bundled set: digits, iris, wine, breast-cancer, diabetes.
    target
        The column to learn; found when it is not given.
    recipe
        A recipe file, or one of babysit's own by name; `babysit recipe` prints one.
    settings
        Changes to the recipe, such as lr=0.01 model.widths=[64,64].
    seconds
        Time limit in seconds of the search of rate, regularisation and dropout before the training; 0 leaves the
        search out.
    out
        The Run folder to make; else runs/NAME-NUMBER.
    plain
        Lines instead of a live panel.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(json=json)
    with LiveView(plain=plain) as progress:
        fitted = babysit.fit(
            data,
            target,
            recipe=recipe,
            settings=settings or (),
            seconds=seconds,
            out=out,
            progress=progress,
        )
    return tell(fitted, json)
