"""The repository as those who work on it meet it: forms, guides, the version, and what no file may name."""

from __future__ import annotations

import pathlib
import re
import subprocess
import tomllib

import pytest
import yaml
from release.lower_bounds import CORE, lowest

import babysit

ROOT = pathlib.Path(__file__).parents[1]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
KINDS_OF_CHANGE = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
NOT_OURS = re.compile(r"pypi\.org|files\.pythonhosted|/work/|/tmp/wt|/root/|/home/\w+/\w")
TEXTS = (".md", ".py", ".toml", ".yml", ".yaml", ".cff", ".txt", "Makefile", "run")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_what_is_needed(path: pathlib.Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_there_are_forms() -> None:
    assert {path.stem for path in FORMS} == {"error", "false-alarm", "missed-fault", "proposal"}


def test_one_version_everywhere() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", read("CHANGELOG.md"), re.MULTILINE)
    assert released[0][0] == babysit.__version__
    citation = yaml.safe_load(read("CITATION.cff"))
    assert (citation["version"], str(citation["date-released"])) == released[0]
    assert tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["version"]["path"] == "src/babysit/__init__.py"


def test_the_changelog_has_the_usual_form() -> None:
    kinds = re.findall(r"^### (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    assert kinds
    assert set(kinds) <= set(KINDS_OF_CHANGE)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md", ".github/workflows/tests.yml", ".ci/run"])
def test_what_is_told_to_make_can_be_made(name: str) -> None:
    asked = set(re.findall(r"\bmake ([a-z][a-z-]*)\b(?! sure)", read(name)))
    assert asked
    assert asked <= targets()


def test_the_hooks_are_the_tools_of_the_gate() -> None:
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"], "nothing is fetched before a commit"
    entries = [hook["entry"] for hook in hooks[0]["hooks"]]
    for tool in ("ruff format", "ruff check", "mypy", "pytest"):
        assert any(tool in entry for entry in entries), tool
    for named in re.findall(r"tests/\w+\.py", " ".join(entries)):
        assert (ROOT / named).is_file()


def test_every_bound_is_a_lower_one_and_the_core_tests_exist() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = [one for several in project["optional-dependencies"].values() for one in several]
    named = [one for one in extras if not one.startswith("babysit[")]
    assert len(lowest(project["dependencies"] + named)) > len(project["dependencies"])
    assert [name for name in CORE if not (ROOT / name).exists()] == []


def test_no_file_names_a_package_host_or_a_place_on_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    named = []
    for name in listed:
        path = ROOT / name
        if name.endswith(TEXTS) and path.is_file() and name != "tests/test_repository.py":
            found = NOT_OURS.search(path.read_text(encoding="utf-8", errors="replace"))
            named += [f"{name}: {found.group()}"] if found else []
    assert named == []
