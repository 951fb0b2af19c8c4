"""What remedies do, in a line each, for reports, which load no torch.

The class of a remedy says it, in `babysit/remedies`. To import one loads torch, and takes longer than to diagnose a
kept trace. So the names and summaries are read from the text of the files, where they stand as they are.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from importlib.resources import files


def remedy_summary(name: str, default: str = "") -> str:
    """What a remedy does, behind a colon an example with a value; `default` for experiments and what is not known.

    Example:
        >>> remedy_summary("lr")
        'another learning rate: lr=0.001'
    """
    return _summaries().get(name, default)


@functools.cache
def _summaries() -> Mapping[str, str]:
    found = {}
    for file in files("babysit").joinpath("remedies").iterdir():
        if file.name.endswith(".py"):
            for made in ast.parse(file.read_text("utf-8")).body:
                told = _texts(made) if isinstance(made, ast.ClassDef) else {}
                if {"name", "summary"} <= told.keys():
                    found[told["name"]] = told["summary"]
    return found


def _texts(made: ast.ClassDef) -> dict[str, str]:
    """The attributes of a class that are texts."""
    return {
        target.id: statement.value.value
        for statement in made.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
