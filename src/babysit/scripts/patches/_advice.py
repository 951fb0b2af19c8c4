"""Advice: for each remedy one line that says what to write into the script, and where."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Callable, Iterable, Sequence

import libcst as cst

from babysit.record import InputError, Remedy
from babysit.remedies import CallStep, Where, kind_of
from babysit.remedies.source import (
    LOADERS,
    Code,
    Place,
    Wanted,
    epoch_loop,
    losses,
    made_losses,
    makes_network,
    module_classes,
    optimizer_calls,
)
from babysit.scripts._script import Script
from babysit.scripts.patches._files import File, beside, file_of
from babysit.scripts.patches._writers import is_apart, write_all, written

LINE_END = re.compile(r"\r\n|\r|\n")
# Where a reader should look, if no line is certain.
Places = Callable[[Code], Iterable[cst.CSTNode]]


def _loop(code: Code) -> list[cst.CSTNode]:
    found = epoch_loop(code)
    return [found] if found is not None else []


def _networks(code: Code) -> list[cst.CSTNode]:
    made = [node for node in code.every(cst.Assign) if makes_network(code, node.value)]
    whole = [node for node in made if all(isinstance(one.target, cst.Name) for one in node.targets)]
    return list(whole or made or module_classes(code))


def _losses(code: Code) -> list[cst.CSTNode]:
    made = [call for call, _ in made_losses(code)]
    return list(made or [call for call, _ in losses(code)])


def _backwards(code: Code) -> list[cst.CSTNode]:
    return list(code.methods("backward"))


def _steps(code: Code) -> list[cst.CSTNode]:
    return list(code.methods("step"))


def _evaluations(code: Code) -> list[cst.CSTNode]:
    return list(code.calls_of({"torch.no_grad", "torch.inference_mode"}))


def _loaders(code: Code) -> list[cst.CSTNode]:
    return list(code.calls_of(LOADERS))


def _initialisations(code: Code) -> list[cst.CSTNode]:
    return [call for call in code.calls() if code.dotted(call.func).startswith("torch.nn.init.")] or _networks(code)


def _optimizers(code: Code) -> list[cst.CSTNode]:
    return list(optimizer_calls(code))


PLACES: dict[Where, Places] = {
    "backward": _backwards,
    "evaluation": _evaluations,
    "initialisation": _initialisations,
    "loader": _loaders,
    "loop": _loop,
    "loss": _losses,
    "network": _networks,
    "optimizer": _optimizers,
    "step": _steps,
}


def _in_the_optimizer(remedy: Remedy) -> bool:
    """Whether a remedy changes the call that makes the optimizer; advice shows all such remedies in one line."""
    kind = kind_of(remedy)
    return kind.place == "optimizer" and "optimizer" in kind.held_in


def advice_for(script: Script, remedies: Sequence[Remedy]) -> tuple[str, ...]:
    """What to write into a script for each remedy: one line each, with file and line number if they are certain.

    Args:
        script: The script. It and the modules that it imports from its folder are read, not run.
        remedies: The remedies. The answer has the same order.

    Raises:
        InputError: The script cannot be read.

    Example:
        >>> import tempfile
        >>> text = "import torch\\nnet = torch.nn.Linear(2, 1)\\nopt = torch.optim.SGD(net.parameters(), lr=0.1)\\n"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "train.py")
        ...     _ = path.write_text(text)
        ...     advice_for(Script(str(path)), [Remedy("lr", "0.01")])
        ('train.py:3: opt = torch.optim.SGD(net.parameters(), lr=0.01)',)
    """
    script.check()
    try:
        file = file_of(script)
        files = [file, *beside(file)]
    except InputError as error:
        if not isinstance(error.__cause__, SyntaxError):
            raise
        files = []  # Python can read the script, but libcst cannot: the advice is in words, without lines
    wanted = {remedy.name: remedy.value for remedy in remedies}
    return tuple(_advice(files, remedy, wanted, remedies) for remedy in remedies)


def _advice(files: Sequence[File], remedy: Remedy, wanted: Wanted, remedies: Sequence[Remedy]) -> str:
    asked = remedy
    made = any(optimizer_calls(one.code) for one in files)
    if _in_the_optimizer(remedy) and CallStep.name in wanted and not made:
        asked = Remedy(CallStep.name)  # it makes the optimizer, with all wanted settings
    for file in files:
        edited = None if is_apart(remedy, wanted) else written(file.code, asked, wanted)
        if edited is not None:
            places = edited.places if asked is remedy else edited.places[:1]
            return _told(file, files[0], places, *_together(file.code, remedy, edited.code, places, remedies))
    kind = kind_of(remedy)
    line = kind.advice_for(remedy)
    for file in files:
        lines = sorted({file.code.line(node) for node in PLACES[kind.place](file.code)})
        if lines:
            return f"{_name(file, files[0])}:{', '.join(map(str, lines))}: {line}"
    return line


def _together(
    before: Code, remedy: Remedy, after: Code, places: Sequence[Place], remedies: Sequence[Remedy]
) -> tuple[Code, Sequence[Place]]:
    """The text after all remedies of the optimizer's call, and the places of this one in it."""
    family = [one for one in remedies if _in_the_optimizer(one)]
    if not _in_the_optimizer(remedy) or len(family) < 2:  # this remedy and at least one more
        return after, places
    whole, changes = write_all(before, family)
    mine = next((change.places for change in changes if change.remedy == remedy), ())
    same = len(mine) == len(places) and len(LINE_END.findall(whole.text)) == len(LINE_END.findall(before.text))
    return (whole, mine) if same else (after, places)


def _told(file: File, script: File, places: Sequence[Place], after: Code, now: Sequence[Place]) -> str:
    lines = LINE_END.split(after.text)
    found: dict[str, list[int]] = {}
    for place, seen in sorted(zip(places, now, strict=True), key=lambda pair: after.line(pair[1].now)):
        line = place.say or lines[after.line(seen.now) - 1].strip()
        number = file.code.line(place.was)
        if number not in found.setdefault(line, []):
            found[line].append(number)
    name = _name(file, script)
    return "; ".join(f"{name}:{', '.join(map(str, numbers))}: {line}" for line, numbers in found.items())


def _name(file: File, script: File) -> str:
    """The path of a file as seen from the script's folder."""
    return pathlib.PurePath(os.path.relpath(file.path.resolve(), script.path.resolve().parent)).as_posix()
