"""The documents: what is made from code is current, every block of code runs, and every page can be found."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import yaml
from docs import build, write_pages, write_readme

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
WRITTEN = [path for path in sorted(DOCS.rglob("*.md")) if path.relative_to(DOCS).as_posix() not in write_pages.PAGES]
BLOCK = re.compile(r"^```(python|console)(?: title=\"([\w.]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_WORDS = 600
DONE = 0


def blocks(path: pathlib.Path) -> list[tuple[str, str, str]]:
    """Kind, title and content of each block that runs."""
    return BLOCK.findall(path.read_text(encoding="utf-8"))


# Pages whose blocks are lines of a program of the reader's, beside frameworks or trackers of theirs: they are compiled.
SKETCHES = {"docs/frameworks", "docs/trackers"}
WITH_BLOCKS = [path for path in WRITTEN if blocks(path)]


def is_slow(path: pathlib.Path) -> bool:
    """Commands start processes; Python runs here."""
    return any(kind == "console" for kind, _, _ in blocks(path))


@pytest.mark.parametrize("name", write_pages.PAGES)
def test_what_is_made_from_code_is_current(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == write_pages.PAGES[name](), f"run {write_pages.COMMAND}"


def test_every_page_is_to_be_found() -> None:
    def files(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        parts = entry if isinstance(entry, list) else entry.values()
        return [name for part in parts for name in files(part)]

    listed = files(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert sorted(listed) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize("path", [README, *WRITTEN], ids=lambda path: path.stem)
def test_links_lead_somewhere(path: pathlib.Path) -> None:
    for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), f"{path.name}: {link}"


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if is_slow(path) else []) for path in WITH_BLOCKS],
)
def test_every_block_runs(path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for kind, title, content in blocks(path):
        if title:
            (tmp_path / title).write_text(content, encoding="utf-8")
        elif path.relative_to(ROOT).with_suffix("").as_posix() in SKETCHES:
            compile(content, path.name, "exec", dont_inherit=True)
        elif kind == "python":
            exec(compile(content, f"{path.name}", "exec", dont_inherit=True), names)
        else:
            run_console(content)


def run_console(content: str) -> None:
    """Run each line that begins with $; a line `exit code N` behind it says how it ends, 0 without one."""
    lines = content.splitlines()
    assert lines[0].startswith("$ ")
    for at, line in enumerate(lines):
        if not line.startswith("$ "):
            assert line.startswith("exit code "), line
            continue
        follows = lines[at + 1] if at + 1 < len(lines) else ""
        code = int(follows.removeprefix("exit code ")) if follows.startswith("exit code ") else DONE
        words = shlex.split(line.removeprefix("$ "))
        command = [sys.executable, *(["-m", "babysit"] if words[0] == "babysit" else []), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{line}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def test_no_page_of_ours_is_told_to_fetch() -> None:
    assert build.FETCHES.search('<script src="//cdn.example/x.js"></script>')
    assert build.FETCHES.search('<link rel="stylesheet" href="https://fonts.example/x">')
    assert build.FETCHES.search("@import url(https://fonts.example/x)")
    assert not build.FETCHES.search('<a href="https://example.org">there</a><script src="here.js"></script>')
    assert not build.FETCHES.search((DOCS / "heal.svg").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_documents_are_built_without_a_warning(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("mkdocs", reason="make docs installs mkdocs")
    command = [sys.executable, str(DOCS / "build.py"), str(tmp_path / "site")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == DONE, done.stdout + done.stderr


def test_the_readme_is_short_and_shows_the_script_of_the_demo() -> None:
    text = README.read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```|<!--.*?-->", " ", text, flags=re.DOTALL)
    assert len(prose.split()) <= MOST_WORDS
    parts = write_readme.parts(text)
    assert parts.keys() == {"script", "check", "heal"}
    code = write_readme.SCRIPT.read_text(encoding="utf-8").rstrip()
    assert parts["script"] == f"```python\n{code}\n```"


@pytest.mark.slow
def test_the_readme_shows_what_is_said_now() -> None:
    now = write_readme.made({verb: write_readme.said(verb) for verb in write_readme.SHOWN})
    shown = write_readme.parts(README.read_text(encoding="utf-8"))
    for name, content in now.items():
        assert write_readme.alike(shown[name]) == write_readme.alike(content), f"run {write_readme.COMMAND}"
