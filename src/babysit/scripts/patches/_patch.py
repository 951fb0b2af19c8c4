"""A copy of a script with remedies in its text: in the code where that is certain, else in one statement at the top."""

from __future__ import annotations

import contextlib
import difflib
import pathlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import libcst as cst

from babysit.record import InputError, Remedy, write_atomic
from babysit.remedies import applied_to_script, kind_of
from babysit.remedies.source import Code, Edited, Edits, is_text, statements
from babysit.scripts._script import Script
from babysit.scripts.patches._files import beside, file_of
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
class Patched:
    """The text of a script with remedies in it.

    Attributes:
        text: The whole patched text.
        written: The remedies that are written into the code.
        applied: The remedies that a statement at the top applies, because their place in the code is not certain.
        diff: The changes, as a unified diff.
        encoding: The encoding of the file.
    """

    text: str = field(repr=False)
    written: tuple[Written, ...]
    applied: tuple[Remedy, ...]
    diff: str = field(repr=False)
    encoding: str = "utf-8"


def patched(script: Script, remedies: Sequence[Remedy]) -> Patched:
    """Write remedies into the text of a script. The file of the script does not change.

    Args:
        script: The script.
        remedies: The remedies to write.

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
    file = file_of(script)
    others = [one.code for one in beside(file)]
    code, changes = write_all(file.code, remedies, others)
    done = {change.remedy.name for change in changes}
    applied = tuple(remedy for remedy in remedies if remedy.name not in done)
    for remedy in applied:
        if kind_of(remedy).of_the_text:
            raise InputError(f"no loop over epochs was found in {script.name}", legal="for epoch in range(...)")
    if applied:
        edited = on_top(code, applied)
        code, changes = edited.code, [change.after(edited) for change in changes]
    found = {change.remedy: {code.line(place.now) for place in change.places} - {0} for change in changes}
    written = tuple(Written(remedy, tuple(sorted(found[remedy]))) for remedy in remedies if remedy in found)
    diff = _diff(file.code.text, code.text, script.name)
    return Patched(code.text, written, applied, diff, code.module.encoding)


def write_patched(script: Script, remedies: Sequence[Remedy], path: pathlib.Path) -> Patched:
    """Write a patched copy of a script. The file is written completely or not at all, and never over the script.

    Args:
        script: The script.
        remedies: The remedies to write into the copy.
        path: The copy: a new file, or a patched copy that exists.

    Returns:
        The patched text and what was written.

    Raises:
        InputError: The path is the script itself, or a file that is not a patched copy. Nothing is written.
        StorageError: The file could not be written.
    """
    check_copy(script, path)
    done = patched(script, remedies)
    newline = "\r\n" if "\r\n" in done.text else "\n"
    gap = "" if done.text.endswith(("\n", "\r")) else newline
    content = f"{done.text}{gap}{MARK} {script.name.encode('ascii', 'replace').decode()}{newline}"
    write_atomic(path, content.encode(done.encoding))
    return done


def check_copy(script: Script, path: pathlib.Path) -> None:
    """Check that a patched copy can be written to a path.

    Raises:
        InputError: The path is the script itself, or a file that is not a patched copy.
    """
    original = file_of(script).path
    instead = original.with_name(f"{original.stem}_patched.py")
    if path.is_dir():
        raise InputError(f"{path} is a folder", legal="a file to write", write=str(path / instead.name))
    same = path.resolve() == original.resolve()
    with contextlib.suppress(OSError):
        same = same or path.samefile(original)
    if same:
        raise InputError(f"{path} is the script itself; babysit never overwrites it", write=str(instead))
    if path.exists() and not is_copy(path):
        raise InputError(
            f"{path} exists, and is not a patched copy",
            legal="a new file, or a patched copy that babysit wrote",
            write=str(instead) if not instead.exists() else str(path.with_name(f"{path.stem}_patched.py")),
        )
    if not path.resolve().parent.is_dir():
        raise InputError(
            f"there is no folder {path.parent}", legal="a file in a folder that exists", write=str(instead)
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
