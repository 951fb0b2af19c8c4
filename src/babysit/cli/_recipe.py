"""`babysit recipe`."""

from __future__ import annotations

import json as json_text
import sys

from babysit.cli._answer import STANDARD_OUTPUT, tell_json
from babysit.cli._codes import DONE
from babysit.cli._options import File, Settings, refuse_folders
from babysit.record import InputError, load_recipe, recipe_to_toml, with_settings, write_atomic
from babysit.reports import write_out


def recipe(name: str = "default", /, *, settings: Settings = None, out: File = None, json: File = None) -> int:
    """Print a recipe, with a comment on each line: what it is, its unit, when to change it.

    Parameters
    ----------
    name
        One of babysit's own (default, lecture, lecture-tuned), or a recipe file to check and complete.
    settings
        Changes to it, such as lr=0.01.
    out
        Write it to this new file instead.
    json
        Write it as JSON: to this file (NAME.json), or without a file to the standard output instead of TOML.
    """
    refuse_folders(json=json)
    chosen = with_settings(load_recipe(name), settings or ())
    if out is not None:
        if out.exists():
            raise InputError(f"{out} exists already", write="another --out")
        write_atomic(out, recipe_to_toml(chosen))
    tell_json(lambda: json_text.dumps(chosen.model_dump(mode="json", by_alias=True), indent=2), json)
    if out is None and json != STANDARD_OUTPUT:
        write_out(sys.stdout, recipe_to_toml(chosen))
    return DONE
