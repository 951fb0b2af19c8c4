"""`babysit recipe`."""

from __future__ import annotations

import json as json_module
import pathlib
import sys
from typing import Annotated

from cyclopts import Parameter

from babysit.record import InputError, load_recipe, recipe_to_toml, with_settings, write_atomic


def recipe(
    name: str = "default",
    /,
    *,
    set_: Annotated[list[str] | None, Parameter(name="--set", consume_multiple=True, negative="")] = None,
    out: pathlib.Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Print a recipe, with a comment on each line: what it is, its unit, when to change it.

    Parameters
    ----------
    name
        One of babysit's own (default, lecture, lecture-tuned), or a recipe file to check and complete.
    set_
        Changes to it, such as lr=0.01.
    out
        Write it to this new file instead.
    json
        As JSON.
    """
    chosen = with_settings(load_recipe(name), set_ or ())
    if json:
        text = json_module.dumps(chosen.model_dump(mode="json", by_alias=True), indent=2) + "\n"
    else:
        text = recipe_to_toml(chosen)
    if out is None:
        sys.stdout.write(text)
    else:
        if out.exists():
            raise InputError(f"{out} exists already", write="another --out")
        write_atomic(out, text)
