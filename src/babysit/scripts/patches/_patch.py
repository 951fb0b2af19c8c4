"""A copy of a script with remedies in its text: in the code where that is certain, else in one statement at the top."""

from __future__ import annotations

import contextlib
import difflib
import os
import pathlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import libcst as cst

from babysit.record import InputError, Remedy, write_atomic
from babysit.remedies import applied_to_script, kind_of
from babysit.remedies.source import Code, Edited, Edits, is_text, statements
from babysit.scripts._script import Script
from babysit.scripts.patches._files import file_of, program_of
from babysit.scripts.patches._writers import write_all

LINE_END = re.compile(r"\r\n|\r|\n")
MARK = "# babysit: a patched copy of"  # the last line of each copy begins with this


@dataclass(frozen=True)
class Written:
    """A remedy that is written into the code.

    Attributes:
        remedy: The remedy.
        lines: The numbers of the lines that show it, in the patched text.
    """

    remedy: Remedy
    lines: tuple[int, ...]


@dataclass(frozen=True)
class PatchedModule:
    """The text of a module that the script imports from its folder, with remedies in it.

    Attributes:
        name: Its path from the script's folder.
        text: The whole patched text.
        encoding: The encoding of the file.
    """

    name: str
    text: str = field(repr=False)
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Patched:
    """The text of a script with remedies in it.

    Attributes:
        text: The whole patched text.
        written: The remedies that are written into the code.
        applied: The remedies that a statement at the top applies, because their place in the code is not certain.
        diff: The changes, as a unified diff; those of modules follow the script's.
        encoding: The encoding of the file.
        modules: Modules of the script's folder that are changed, too.
    """

    text: str = field(repr=False)
    written: tuple[Written, ...]
    applied: tuple[Remedy, ...]
    diff: str = field(repr=False)
    encoding: str = "utf-8"
    modules: tuple[PatchedModule, ...] = ()


def patched(script: Script, remedies: Sequence[Remedy], *, with_modules: bool = False) -> Patched:
    """Write remedies into the text of a script. The file of the script does not change.

    Args:
        script: The script.
        remedies: The remedies to write.
        with_modules: Whether remedies may be written into the modules that it imports from its folder, too.

    Raises:
        InputError: The script cannot be read, or it cannot have one of the remedies.

    Example:
        >>> import tempfile
        >>> text = "import torch\\nnet = torch.nn.Linear(2, 1)\\nopt = torch.optim.SGD(net.parameters(), lr=0.1)\\n"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "train.py")
        ...     _ = path.write_text(text)
        ...     done = patched(Script(str(path)), [Remedy("lr", "0.01")])
        >>> done.text.splitlines()[2], done.written[0].lines, done.applied
        ('opt = torch.optim.SGD(net.parameters(), lr=0.01)', (3,), ())
    """
    if not remedies:
        raise InputError("no remedy is given, so there is nothing to write", write="lr=0.01")
    applied_to_script(remedies)  # refuses remedies that scripts cannot have, and values that are not legal
    file, modules = program_of(script)
    code, changes = write_all(file.code, remedies, [one.code for one in modules])
    done = {change.remedy.name for change in changes}
    elsewhere: list[Remedy] = []
    diff, changed = "", list[PatchedModule]()
    for module in modules if with_modules else ():
        left = [remedy for remedy in remedies if remedy.name not in done]
        rest = [one.code for one in (file, *modules) if one is not module]
        now, more = write_all(module.code, left, rest)
        if more:
            name = os.path.relpath(module.path, file.path.resolve().parent)
            diff += _diff(module.code.text, now.text, name)
            changed.append(PatchedModule(name, now.text, now.module.encoding))
            elsewhere += [change.remedy for change in more]
            done |= {change.remedy.name for change in more}
    applied = tuple(remedy for remedy in remedies if remedy.name not in done)
    for remedy in applied:
        if kind_of(remedy).of_the_text:
            raise InputError(f"no loop over epochs was found in {script.name}", legal="for epoch in range(...)")
    if applied:
        edited = on_top(code, applied)
        code, changes = edited.code, [change.after(edited) for change in changes]
    found = {change.remedy: {code.line(place.now) for place in change.places} - {0} for change in changes}
    found |= {remedy: set() for remedy in elsewhere}
    written = tuple(Written(remedy, tuple(sorted(found[remedy]))) for remedy in remedies if remedy in found)
    diff = _diff(file.code.text, code.text, script.name) + diff
    return Patched(code.text, written, applied, diff, code.module.encoding, tuple(changed))


def write_patched(script: Script, remedies: Sequence[Remedy], path: pathlib.Path) -> Patched:
    """Write a patched copy of a script. Files are written completely or not at all, and never over the script.

    Args:
        script: The script.
        remedies: The remedies to write into the copy.
        path: The copy: a new file, or a patched copy that exists. Or a folder: it gets copies of the script and of the
            modules that it imports from its folder, with remedies in each of them.

    Returns:
        The patched text and what was written.

    Raises:
        InputError: The path is the script itself, or a file that is not a patched copy. Nothing is written.
        StorageError: The file could not be written.
    """
    check_copy(script, path)
    if not is_folder(path):
        done = patched(script, remedies)
        write_atomic(path, _marked(done.text, script.name).encode(done.encoding))
        return done
    done = patched(script, remedies, with_modules=True)
    changed = {one.name: _marked(one.text, one.name).encode(one.encoding) for one in done.modules}
    changed[script.name] = _marked(done.text, script.name).encode(done.encoding)
    for name, content in {**_modules(script), **changed}.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, content)
    return done


def is_folder(path: pathlib.Path) -> bool:
    """Whether a path for a patched copy stands for a folder."""
    return path.is_dir() or path.suffix != ".py"


def _modules(script: Script) -> dict[str, bytes]:
    """The modules that the script imports from its folder, by their paths from there, each marked as a copy."""
    file, modules = program_of(script)
    folder = file.path.resolve().parent
    return {
        name: _marked(one.code.text, name).encode(one.code.module.encoding)
        for one in modules
        if (name := os.path.relpath(one.path, folder))
    }


def _marked(text: str, name: str) -> str:
    """A text with the line at its end that says that it is a copy."""
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = "" if text.endswith(("\n", "\r")) or not text else newline
    return f"{text}{gap}{MARK} {name.encode('ascii', 'replace').decode()}{newline}"


def check_copy(script: Script, path: pathlib.Path) -> None:
    """Check that a patched copy can be written to a path.

    Raises:
        InputError: The path is the script itself, or a file that is not a patched copy; or a copy there would not find
            the modules that the script imports from its own folder.
    """
    original = file_of(script).path
    instead = original.with_name(f"{original.stem}_patched.py")
    if not path.resolve().parent.is_dir():
        raise InputError(
            f"there is no folder {path.parent}", legal="a file in a folder that exists", write=str(instead)
        )
    modules = [*_modules(script)]
    if is_folder(path):
        for name in (script.name, *modules):
            _check_file(path / name, original, instead)
        return
    _check_file(path, original, instead)
    if modules and path.resolve().parent != original.resolve().parent:
        raise InputError(
            f"{path} would not find {', '.join(modules)}, which {script.name} imports from its own folder",
            legal="a file beside the script, or a folder, which gets copies of the modules, too",
            write=str(instead),
        )


def _check_file(path: pathlib.Path, original: pathlib.Path, instead: pathlib.Path) -> None:
    same = path.resolve() == original.resolve()
    with contextlib.suppress(OSError):
        same = same or path.samefile(original)
    if same:
        raise InputError(f"{path} is the script itself; babysit never overwrites it", write=str(instead))
    if path.is_dir():
        raise InputError(f"{path} is a folder", legal="a file to write", write=str(path / instead.name))
    if path.exists() and not is_copy(path):
        raise InputError(
            f"{path} exists, and is not a patched copy",
            legal="a new file, or a patched copy that babysit wrote",
            write=str(instead) if not instead.exists() else str(path.with_name(f"{path.stem}_patched.py")),
        )


def is_copy(path: pathlib.Path) -> bool:
    """Whether babysit wrote this file as a patched copy."""
    lines = path.read_bytes().splitlines()
    return bool(lines) and lines[-1].startswith(MARK.encode())


def on_top(code: Code, remedies: Sequence[Remedy]) -> Edited:
    """Insert a statement that applies remedies before all other statements of a script."""
    named = ", ".join('"' + str(remedy).replace("\\", "\\\\").replace('"', '\\"') + '"' for remedy in remedies)
    texts: tuple[str, ...] = ("import babysit", f"babysit.apply_remedies({named})")
    if code.imports.get("babysit", "babysit") != "babysit" or any(one.value == "babysit" for one in code.stores()):
        texts = (f'__import__("babysit").apply_remedies({named})',)
    edits = Edits(code)
    for place, statement in enumerate(statements(code.module)):
        match statement:
            case cst.ImportFrom(module=cst.Name(value="__future__")):
                continue
        if place or not is_text(statement):
            edits.before(statement, *texts, apart=True)
            return edits.made()
    edits.at_end(*texts)
    return edits.made()


def _diff(before: str, after: str, name: str) -> str:
    one, two = (LINE_END.sub("\n", text).splitlines(keepends=True) for text in (before, after))
    lines = difflib.unified_diff(one, two, name, f"{name} (patched)")
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
