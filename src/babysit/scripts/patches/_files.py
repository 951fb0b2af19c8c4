"""The file of a script, and the modules in its folder that it imports. Nothing is run."""

from __future__ import annotations

import importlib.machinery
import os
import pathlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from babysit.record import InputError
from babysit.remedies.source import Code, Elsewhere, called, loss_kinds, reads_shares
from babysit.scripts._script import Script

MOST = 50  # modules that are read, because the package of a script may be large


@dataclass(frozen=True)
class File:
    """A Python file.

    Attributes:
        path: Its path.
        code: Its parsed text.
    """

    path: pathlib.Path
    code: Code


def file_of(script: Script) -> File:
    """The script's own file.

    Raises:
        InputError: There is no such file, or it cannot be parsed.
    """
    script.check()
    path = _path_of_module(script.target) if script.module else pathlib.Path(script.target)
    if path is None:
        raise InputError(
            f"there is no module {script.target} that Python can import",
            legal="a module that can be imported from this folder",
        )
    try:
        return _read(path, script.arguments)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} cannot be parsed: {error}") from error


def beside(file: File) -> list[File]:
    """The modules in the script's folder and below that it imports, directly or through other modules."""
    found: dict[pathlib.Path, File] = {}
    waiting = [file]
    while waiting and len(found) < MOST:
        one = waiting.pop(0)
        for path in _imports(one, file.path.resolve().parent):
            if path in found or path == file.path.resolve():
                continue
            try:
                found[path] = _read(path, ())
            except (OSError, SyntaxError, ValueError):
                continue
            waiting.append(found[path])
    return list(found.values())


def program_of(script: Script) -> tuple[File, list[File]]:
    """The script's own file, and the modules that it imports from its folder; each knows what the others show.

    Raises:
        InputError: As of `file_of`.
    """
    file = file_of(script)
    others = beside(file)
    for one in (file, *others):
        rest = [other.code for other in (file, *others) if other is not one]
        one.code.elsewhere = Elsewhere(
            made=frozenset(called(call) for code in rest for call in code.calls()),
            losses=frozenset(kind for code in rest for kind in loss_kinds(code)),
            reads_shares=any(reads_shares(code) for code in rest),
        )
    return file, others


def _read(path: pathlib.Path, arguments: tuple[str, ...]) -> File:
    return File(path, Code(path.read_bytes(), arguments))


def _imports(file: File, folder: pathlib.Path) -> Iterator[pathlib.Path]:
    code = file.code
    found = [(folder, alias.evaluated_name) for node in code.every(cst.Import) for alias in node.names]
    for node in code.every(cst.ImportFrom):
        start = file.path.resolve().parents[len(node.relative) - 1] if node.relative else folder
        module = code.words(node.module) if node.module is not None else ""
        given = () if isinstance(node.names, cst.ImportStar) else node.names
        found += [(start, module), *((start, f"{module}.{alias.evaluated_name}".lstrip(".")) for alias in given)]
    for start, name in found:
        place = start.joinpath(*name.split(".")) if name else start
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                yield path.resolve()


def _path_of_module(name: str) -> pathlib.Path | None:
    """The file of a module, or of a package's `__main__`. Nothing is imported to find it."""
    folders: list[str] | None = [os.getcwd(), *sys.path]
    parts = name.split(".")
    spec = None
    for place in range(len(parts)):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[: place + 1]), folders)
        if spec is None:
            return None
        folders = list(spec.submodule_search_locations or ()) or None
        if folders is None and place < len(parts) - 1:
            return None
    if folders:
        spec = importlib.machinery.PathFinder.find_spec(f"{name}.__main__", folders)
    return pathlib.Path(spec.origin) if spec is not None and spec.origin and spec.origin.endswith(".py") else None
