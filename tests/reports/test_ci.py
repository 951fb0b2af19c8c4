"""What continuous integration reads of a check: annotations, SARIF, JUnit, a summary."""

from __future__ import annotations

import json
import os
import pathlib
import re
import xml.etree.ElementTree as ElementTree

import jsonschema
import pytest

from babysit.cli import run
from babysit.cli._codes import BAD_INPUT, NOT_JUDGED
from babysit.record import Finding, PreFlight, PreFlightStep, Remedy, Severity
from babysit.reports import check_as, step_summary

SARIF = "BABYSIT_SARIF_SCHEMA"  # in the environment: the schema of SARIF 2.1.0, as a file
ROUGH = "50 % of\nthe rows, \x1b[2J <b> ::error:: `a|b`"


@pytest.fixture(autouse=True)
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def checked(findings: int = 3, *, file: str = "jobs/train.py") -> PreFlight:
    severities: tuple[Severity, ...] = ("sick", "warning", "note")
    found = tuple(
        Finding(
            f"finding-{number}",
            severities[number % 3],
            "layer, 1",
            {"loss": float("nan"), "text": ROUGH},
            "It is lost.",
            (Remedy("lr", "0.1"),),
            file=file,
            line=number + 1,
            fix="--- a/x\n+++ b/x\n" if number == 0 else "",
            did="lr=0.1: loss 2 -> 1" if number == 0 else "",
        )
        for number in range(findings)
    )
    steps = (PreFlightStep("data", "fail", "nan", findings=found[:1]), PreFlightStep("init", "skip", why=ROUGH))
    return PreFlight("train.py", (*steps, PreFlightStep("wiring", "pass")), found, 2.5, verdict="sick", reasons=("r",))


def test_annotations_stand_at_their_lines_ten_of_a_kind() -> None:
    lines = check_as("github", checked(36), "1").splitlines()
    commands = [line for line in lines if line.startswith("::")]
    assert commands[0].startswith(
        "::error file=jobs/train.py,line=1,title=babysit%3A finding-0::loss nan, text 50 %25 of%0A"
    )
    assert [sum(line.startswith(f"::{kind} ") for line in commands) for kind in ("error", "warning", "notice")] == [
        10
    ] * 3
    assert "2 more of kind error" in "\n".join(lines)
    assert "\x1b" not in "".join(lines)


def test_a_path_is_seen_from_the_root_of_the_repository(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    assert f"file={tmp_path.name}/jobs/train.py," in check_as("github", checked(1), "1")


def test_not_judged_is_told_and_never_passes() -> None:
    found = PreFlight("train.py", (), (), 1.0, reasons=("no loss was seen",))
    assert check_as("github", found, "1").startswith("::warning title=babysit%3A not judged::no loss was seen")
    suite = ElementTree.fromstring(check_as("junit", found, "1")).find("testsuite")
    assert suite is not None
    assert suite.get("errors") == "1"


def test_sarif_has_what_code_scanning_asks_for() -> None:
    log = json.loads(check_as("sarif", checked(), "1.2"))
    (one,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert one["tool"]["driver"]["name"] == "babysit"
    assert [result["level"] for result in one["results"]] == ["error", "warning", "note"]
    for result in one["results"]:
        assert one["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "jobs/train.py", "uriBaseId": "%SRCROOT%"}
        assert place["region"]["startLine"] >= 1
    elsewhere = json.loads(check_as("sarif", checked(1, file="/else/train.py"), "1"))["runs"][0]["results"][0]
    assert elsewhere["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///else/train.py"}


@pytest.mark.skipif(SARIF not in os.environ, reason=f"{SARIF} names no file with the schema of SARIF 2.1.0")
@pytest.mark.parametrize("findings", [0, 3])
def test_sarif_is_what_its_schema_says(findings: int) -> None:
    schema = json.loads(pathlib.Path(os.environ[SARIF]).read_text())
    jsonschema.validate(json.loads(check_as("sarif", checked(findings), "1.2")), schema)


def test_junit_counts_its_tests() -> None:
    suite = ElementTree.fromstring(check_as("junit", checked(), "1")).find("testsuite")
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "4",
        "failures": "2",
        "skipped": "1",
        "errors": "0",
    }
    assert len(suite.findall("testcase/failure")) == 2


def test_the_summary_is_one_table_whatever_names_hold() -> None:
    text = step_summary(checked())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)
    assert "```diff" in text
    assert "<b>" not in text


def test_the_command_prints_the_form_and_writes_the_summary(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    command = ["check", "iris", "--only", "initial-loss", "--seconds", "9"]
    code = run([*command, "--format", "github"])
    assert code != BAD_INPUT
    assert "check of iris:" in capsys.readouterr().out
    assert (tmp_path / "summary.md").read_text().startswith("### babysit: iris is ")
    assert run([*command, "--format", "junit"]) in (0, NOT_JUDGED)
    assert ElementTree.fromstring(capsys.readouterr().out).tag == "testsuites"
    assert run([*command, "--format", "sarif", "--json"]) == BAD_INPUT
    assert "both want the standard output" in capsys.readouterr().err
