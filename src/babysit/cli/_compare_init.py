"""`babysit compare-init`."""

from __future__ import annotations

import json as json_module
import pathlib
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

import babysit
from babysit.cli._codes import DONE
from babysit.record import InputError, to_json
from babysit.reports import comparison_lesson, print_lesson, write_lessons_page


def compare_init(
    subject: str,
    /,
    *,
    target: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", consume_multiple=True, negative="")] = None,
    schemes: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    steps: int = 60,
    seeds: int = 3,
    html: pathlib.Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Initialisations side by side on your network and data, layer by layer, and the one to take.

    Parameters
    ----------
    subject
        A recipe (a .toml file), or data as `fit` takes it.
    target
        Of data: the column to learn.
    set_
        Changes to the recipe, as path=value.
    schemes
        Which to compare: "as given", and names such as xavier, he, orthogonal, lsuv, small-random, auto.
    steps
        Of each short training.
    seeds
        Of weights and order.
    html
        Write a page that works offline instead, to this file.
    json
        The numbers as JSON on the standard output.
    """
    if html is not None and html.is_dir():
        raise InputError(f"{html} is a folder", legal="a file to write", write=f"--html {html}/compare.html")
    found = babysit.compare_init(subject, target=target, settings=set_ or (), schemes=schemes, steps=steps, seeds=seeds)
    lesson = comparison_lesson(found)
    if json:
        sys.stdout.write(json_module.dumps(to_json(found), indent=2) + "\n")
    elif html is not None:
        sys.stdout.write(f"{write_lessons_page([lesson], lesson.title, html)}\n")
    else:
        print_lesson(lesson, Console())
    return DONE
