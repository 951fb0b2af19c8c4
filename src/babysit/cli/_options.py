"""Options that several verbs share, so that they are written and understood alike.

Options that take several values take them one after another, `--ignore overfitting oscillating`, and may be repeated.
"""

from __future__ import annotations

import pathlib
from typing import Annotated

from cyclopts import Parameter

from babysit.record import InputError, storage_error

Texts = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]
Settings = Annotated[list[str] | None, Parameter(name=["--settings", "--set"], consume_multiple=True, negative="")]
Remedies = Annotated[list[str] | None, Parameter(name=["--remedies", "--remedy"], consume_multiple=True, negative="")]
Argument = Annotated[str, Parameter(allow_leading_hyphen=True)]
Module = Annotated[bool, Parameter(name=["--module", "-m"], negative="")]
Flag = Annotated[bool, Parameter(negative="")]
File = pathlib.Path | None

# What a file is usually called, for each option that writes one.
USUAL_NAMES = {
    "apply": "train_patched.py",
    "json": "answer.json",
    "keep": "trace.db",
    "out": "predictions.csv",
    "report": "report.html",
}


def refuse_folders(**files: File) -> None:
    """Refuse folders before anything is computed, where a file is to be written.

    Args:
        **files: By the option's name.

    Raises:
        InputError: One of them is a folder.

    Example:
        >>> refuse_folders(report=pathlib.Path("."))
        Traceback (most recent call last):
            ...
        babysit.record._errors.InputError: --report . is a folder
          legal: a file to write
          write: --report report.html
    """
    for option, path in files.items():
        try:
            folder = path is not None and path.is_dir()
        except OSError as error:
            assert path is not None
            raise storage_error(error, path) from None
        if path is not None and folder:
            usual = path / USUAL_NAMES[option]
            raise InputError(f"--{option} {path} is a folder", legal="a file to write", write=f"--{option} {usual}")
