"""`babysit explain`."""

from __future__ import annotations

import json as json_module
import pathlib
import sys
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.table import Table

from babysit.cli._codes import DONE
from babysit.record import InputError, plain
from babysit.reports import Lesson, print_lesson, write_lessons_page

LECTURE_TITLE = "Training neural networks, part I"


def explain(
    *names: str,
    html: pathlib.Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """What something is, in plain words, with its figure computed here and now.

    Without a name it lists all that there is.

    Parameters
    ----------
    names
        An activation, initialisation, preprocessing step, loss, optimizer, check, disease, quantity or remedy;
        "lecture" for all of CS231n's lecture in its order.
    html
        Write a page that works offline instead, to this file.
    json
        Words and figures' numbers as JSON on the standard output.
    """
    if html is not None and html.is_dir():
        raise InputError(f"{html} is a folder", legal="a file to write", write=f"--html {html}/lesson.html")
    from babysit.lessons import explain as explain_one  # here, since it imports torch
    from babysit.lessons import explain_lecture, page_of

    name = " ".join(names)
    if not name:
        _list(Console())
        return DONE
    lecture = name.lower() == "lecture"
    if not lecture:
        page_of(name)  # an unknown name is told before anything is computed
    lessons = explain_lecture() if lecture else [explain_one(name)]
    title = LECTURE_TITLE if lecture else lessons[0].title
    if json:
        _as_json(lessons)
    elif html is not None:
        path = write_lessons_page(lessons, title, html)
        sys.stdout.write(f"{path}\n")
    else:
        console = Console()
        for lesson in lessons:
            print_lesson(lesson, console)
    return DONE


def _as_json(lessons: list[Lesson]) -> None:
    content = []
    for lesson in lessons:
        figures = [{"type": type(figure).__name__, **figure._asdict()} for figure in lesson.figures]
        content.append({**asdict(lesson), "figures": figures})
    sys.stdout.write(json_module.dumps(plain({"schema": 1, "lessons": content}), indent=1) + "\n")


def _list(console: Console) -> None:
    from babysit.lessons import pages

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("kind", style="bold")
    table.add_column("names")
    kinds: dict[str, list[str]] = {"lecture": ["lecture"]}
    for key, page in pages().items():
        if ":" not in key:
            kinds.setdefault(page.kind, []).append(page.name)
    for kind, found in kinds.items():
        table.add_row(kind, ", ".join(found))
    console.print(table)
    console.print("babysit explain NAME, with --html FILE for a page", style="dim")
