"""Writes every page that is made from code: commands, recipe, remedies, JSON Schemas, names, and the older ones.

python docs/write_pages.py
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console

import babysit
from babysit.cli._app import VERBS, app
from babysit.cli._schema import ANSWERS
from babysit.lessons import pages
from babysit.lessons._explain import LECTURE
from babysit.record import json_schema, load_recipe, recipe_to_toml
from babysit.remedies import REMEDIES

DOCS = pathlib.Path(__file__).parent
COMMAND = "python docs/write_pages.py"
MADE = f"<!-- Made from the code by `{COMMAND}`: change the code, not this page. -->\n"
OLDER = ("write_diseases", "write_quantities", "write_exit_codes")
WIDTH = 100
PLACE = re.compile(r" at 0x[0-9a-f]+")  # in memory, of a default


def commands() -> str:
    """Every command with its help."""
    parts = [MADE, "# Commands\n", "What `babysit COMMAND --help` prints.\n"]
    for verb, summary in VERBS.items():
        console = Console(file=io.StringIO(), width=WIDTH, color_system=None, legacy_windows=False)
        app.help_print([verb], console=console)
        printed = console.file.getvalue()  # type: ignore[attr-defined]
        text = "\n".join(line.rstrip() for line in printed.strip().splitlines())
        parts.append(f"## {verb}\n\n{summary}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def recipe() -> str:
    """A recipe, each line with what it is and when to change it."""
    text = recipe_to_toml(load_recipe("default"))
    return f"{MADE}\n# The recipe\n\nWhat `babysit recipe` prints.\n\n```toml\n{text}```\n"


def remedies() -> str:
    """What each remedy does and how it can be applied."""
    ways = ("recipe", "live", "script", "source")
    lines = [
        MADE,
        "# Remedies\n",
        "What `babysit heal` tries, and `babysit run --remedy NAME=VALUE` applies.\n",
        "| remedy | what it does | where it cannot be applied |",
        "| --- | --- | --- |",
    ]
    for name, kind in REMEDIES.items():
        closed = [f"{way}: {reason}" for way in ways if (reason := getattr(kind, f"not_{way}", ""))]
        cells = (f"`{name}`", kind.summary, "; ".join(closed))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def schemas() -> str:
    """The JSON Schema of each answer."""
    parts = [MADE, "# JSON Schemas\n", "Of what a command prints with `--json`; `babysit schema COMMAND` prints it.\n"]
    for verb in sorted(ANSWERS):
        schema = json.dumps(json_schema(ANSWERS[verb]), indent=1)
        parts.append(f"## {verb}\n\n```json\n{schema}\n```\n")
    return "\n".join(parts)


def fields_of(record: Any) -> str:
    """The signature of a record by its fields, which is the same before its validation was built and after."""
    texts = []
    for field in dataclasses.fields(record):
        given = getattr(field.default, "default", field.default)  # of pydantic's own fields the default within
        default = "" if given is dataclasses.MISSING else f" = {given!r}"
        made = default or ("" if field.default_factory is dataclasses.MISSING else " = ...")
        texts.append(f"{field.name}: {field.type}{made}")
    return f"({', '.join(texts)})"


def names() -> str:
    """The public names, each with its docstring, whose examples the tests run."""
    parts = [MADE, "# Public names\n", "`import babysit` has these. Their examples run in the tests.\n"]
    for name in babysit.__all__:
        value = getattr(babysit, name)
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        kind = "class" if inspect.isclass(value) else "function"
        try:
            signature = fields_of(value) if dataclasses.is_dataclass(value) else str(inspect.signature(value))
            signature = PLACE.sub("", signature)
        except ValueError:
            signature = "(...)"
        parts.append(f"## {name}\n\n```text\n{kind} {name}{signature}\n\n{inspect.getdoc(value)}\n```\n")
    return "\n".join(parts)


def lecture() -> str:
    """The order of the lecture: each page with its first sentences and an exercise."""
    parts = [MADE, OF_THE_LECTURE]
    for name in LECTURE:
        page = pages()[name]
        parts.append(f"## {page.title}\n\n{page.words[0]}\n\nFigure: `babysit explain {name}`")
        parts += [f"*Break it:* {EXERCISES[name]}"] if name in EXERCISES else []
    return "\n\n".join(parts) + "\n"


OF_THE_LECTURE = """# The lecture, figure by figure

The order of CS231n's "Training Neural Networks, part I". `babysit explain lecture --html lecture.html` computes every
figure on your machine and writes all of it into one page that needs no network. Each exercise changes one thing in a
training that works, such as the [script](start/script.md) with its softmax taken off; then ask
`babysit check train.py`, and read what it measured before you read what it calls it.
"""
EXERCISES = {
    "sigmoid": "replace `nn.ReLU()` by `nn.Sigmoid()` in eight layers. Which layer's gradient is the smallest?",
    "relu": "begin all biases at -5. How many units never answer again?",
    "standardise": "multiply the inputs by 100, and add 1,000 to each. What does the first loss say?",
    "small-random": "draw all weights with a standard deviation of 0.0001. What do the activations do with depth?",
    "he": "draw them all as the constant 0.01 instead. How many different units does a layer have?",
    "batch-norm": "evaluate without `model.eval()`. Does the same row always get the same answer?",
    "first-loss": "multiply the last layer's weights by 100. What should the first loss of ten classes be?",
    "overfit-tiny": "shuffle the labels. Can twenty rows still be overfitted, and what of the other rows?",
    "learning-rate": "set the rate to 10, then to 0.000001. Which of both is seen from the loss alone?",
    "loss-curves": "take `optimizer.zero_grad()` out. Which curve would have told you?",
    "coarse-to-fine": "`babysit tune digits --space lr=1e-6:1e-4:log`. At which end is the best, and what is said?",
}
PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands,
    "reference/recipe.md": recipe,
    "reference/schemas.md": schemas,
    "reference/names.md": names,
    "remedies.md": remedies,
    "lecture.md": lecture,
}


if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
    for module in OLDER:
        subprocess.run([sys.executable, str(DOCS / f"{module}.py")], check=True)
    print(f"{len(PAGES)} pages, and those of {', '.join(OLDER)}")
