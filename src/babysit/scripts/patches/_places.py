"""Where in a script's text a finding is: the line that its remedy changes, and the change as a diff."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

from babysit.record import Finding, InputError, Remedy
from babysit.remedies import REMEDIES
from babysit.scripts._script import Script
from babysit.scripts.patches._advice import PLACES
from babysit.scripts.patches._files import File, program_of
from babysit.scripts.patches._patch import patched
from babysit.scripts.patches._writers import is_apart, written

LINE = re.compile(r"([\w.-]+\.py):(\d+)")  # how what was seen while a script ran names its place


def with_places(
    script: Script, findings: Sequence[Finding], tried: Mapping[str, tuple[Sequence[Remedy], str]]
) -> tuple[Finding, ...]:
    """Findings with file and line, and with the fix that was tried.

    Raises:
        InputError: The script cannot be read.
    """
    file, modules = program_of(script)
    files = [file, *modules]
    return tuple(_told(script, files, finding, *tried.get(finding.name, ((), ""))) for finding in findings)


def _told(script: Script, files: Sequence[File], finding: Finding, remedies: Sequence[Remedy], did: str) -> Finding:
    place = next(_places(files, finding, remedies), None)
    return dataclasses.replace(
        finding,
        file=_path(place[0].path if place is not None else files[0].path),
        line=place[1] if place is not None else 0,
        fix=_fix(script, files, remedies),
        did=did,
    )


def _places(files: Sequence[File], finding: Finding, remedies: Sequence[Remedy]) -> Iterator[tuple[File, int]]:
    """The likeliest first: where it was seen, what was tried, what may help."""
    for text in (finding.where, *map(str, finding.evidence.values())):
        for name, line in LINE.findall(text):
            yield from ((file, int(line)) for file in files if file.path.name == name)
    known = [remedy for remedy in (*remedies, *finding.remedies) if remedy.name in REMEDIES]
    for remedy in known:
        yield from _written_at(files, remedy)
    for remedy in known:
        for file in files:
            lines = sorted(file.code.line(node) for node in PLACES[REMEDIES[remedy.name].place](file.code))
            yield from ((file, line) for line in lines[:1] if line)


def _written_at(files: Sequence[File], remedy: Remedy) -> Iterator[tuple[File, int]]:
    wanted = {remedy.name: remedy.value}
    for file in files:
        try:
            edited = None if is_apart(remedy, wanted) else written(file.code, remedy, wanted)
        except InputError:  # it needs a value, and the finding names none
            return
        if edited is not None:
            yield from ((file, line) for line in sorted(file.code.line(place.was) for place in edited.places) if line)


def _fix(script: Script, files: Sequence[File], remedies: Sequence[Remedy]) -> str:
    """The remedies as one diff, with paths that `git apply` and `patch -p1` find from the working directory."""
    if not remedies:
        return ""
    try:
        diff = patched(script, remedies, with_modules=True).diff
    except InputError:  # one of them has no form in a text
        return ""
    folder = files[0].path.resolve().parent
    for path in (one.path.resolve() for one in files):
        name = script.name if path == files[0].path.resolve() else os.path.relpath(path, folder)
        seen = _path(path).lstrip("/")
        diff = diff.replace(f"--- {name}\n+++ {name} (patched)\n", f"--- a/{seen}\n+++ b/{seen}\n")
    return diff


def _path(path: pathlib.Path) -> str:
    """A path as seen from the working directory; the whole of it where it lies elsewhere."""
    whole, here = path.resolve(), pathlib.Path.cwd()
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()
