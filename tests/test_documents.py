"""Every command in what coding agents read is one that the command line takes, and a few are run."""

from __future__ import annotations

import json
import pathlib
import re
import shlex

import pytest

from babysit.cli import run
from babysit.cli._app import app
from babysit.cli._arguments import with_json_files, with_subject_first
from babysit.cli._codes import BAD_INPUT, DONE

HERE = pathlib.Path(__file__).parent.parent
DOCUMENTS = ["AGENTS.md", "llms.txt", "src/babysit/cli/SKILL.md", "docs/agents.md", "docs/ci.md"]
RUN = ["babysit schema check", "babysit explain relu --json"]


def commands(document: str) -> list[str]:
    """What stands on a line of its own, or within `` in a text, and begins with babysit."""
    text = (HERE / document).read_text()
    lines = re.findall(r"^ *(?:run: +)?(babysit [^\n#`]*)", text, flags=re.MULTILINE)
    return sorted({line.strip() for line in [*lines, *re.findall(r"`(babysit [^\s`]+ [^`]*)`", text)]})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_command_is_taken(document: str) -> None:
    found = commands(document)
    assert len(found) >= 3
    for command in found:
        arguments = shlex.split(command.partition(" > ")[0])[1:]
        app.parse_args(with_json_files(with_subject_first(arguments)), exit_on_error=False, print_error=False)


@pytest.mark.parametrize("command", RUN)
def test_some_are_run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command in {one for document in DOCUMENTS for one in commands(document)}
    assert run(shlex.split(command)[1:]) == DONE
    assert json.loads(capsys.readouterr().out)


def test_links_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", (HERE / document).read_text()):
            assert (HERE / document).parent.joinpath(link).exists(), f"{document}: {link}"


def test_the_skill_is_written_and_not_over_what_is_not_ours(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["skill"]) == run(["skill"]) == DONE
    written = pathlib.Path(".claude/skills/babysit/SKILL.md")
    assert written.read_text() == (HERE / "src/babysit/cli/SKILL.md").read_text()
    pathlib.Path("SKILL.md").write_text("---\nname: mine\n---\n")
    assert run(["skill", "--out", "SKILL.md"]) == BAD_INPUT
    assert "not babysit's skill" in capsys.readouterr().err
