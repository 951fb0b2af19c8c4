"""A check for continuous integration: GitHub's annotations and step summary, SARIF 2.1.0, JUnit's XML."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import xml.etree.ElementTree as ElementTree
from typing import Any, Literal

from babysit.record import Finding, PreFlight, printable
from babysit.reports._compact import compact_findings
from babysit.reports._evidence import evidence_sentence

CheckFormat = Literal["text", "github", "sarif", "junit"]
MOST_OF_A_KIND = 10  # annotations of one step that GitHub shows: ten errors, ten warnings, ten notices
LEVELS = {"sick": "error", "warning": "warning", "note": "note"}  # SARIF's; GitHub says notice for the last
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def check_as(form: Literal["github", "sarif", "junit"], found: PreFlight, version: str, file: str = "") -> str:
    """A check in one of the forms.

    Args:
        form: Which.
        found: The check.
        version: Of babysit.
        file: What was checked, for findings that name no file.
    """
    if form == "github":
        return github_annotations(found, file)
    if form == "sarif":
        return json.dumps(sarif_log(found, version, file), indent=2)
    return junit_xml(found)


def github_annotations(found: PreFlight, file: str = "") -> str:
    """Commands that GitHub shows beside the lines of a change, then the same as text for the log.

    Example:
        >>> sick = Finding("diverged", "sick", evidence={"loss": "NaN"}, file="train.py", line=7, why="It is lost.")
        >>> print(github_annotations(PreFlight("train.py", (), (sick,), 1.0, verdict="sick")).splitlines()[0])
        ::error file=train.py,line=7,title=babysit%3A diverged::loss NaN%0AIt is lost.
    """
    lines, counted = list[str](), dict[str, int]()
    for finding in found.findings:
        kind = LEVELS[finding.severity].replace("note", "notice")
        counted[kind] = counted.get(kind, 0) + 1
        if counted[kind] <= MOST_OF_A_KIND:
            lines.append(
                _command(kind, f"babysit: {finding.name}", message(finding), finding.file or file, finding.line)
            )
    if found.verdict == "not judged":
        lines.append(_command("warning", "babysit: not judged", "\n".join(found.reasons), file, 0))
    lines += [
        f"{number - MOST_OF_A_KIND} more of kind {kind} are told below, without an annotation"
        for kind, number in counted.items()
        if number > MOST_OF_A_KIND
    ]
    return "\n".join([*lines, f"check of {found.subject}: {found.verdict}", *compact_findings(found.findings)])


def step_summary(found: PreFlight) -> str:
    """A check as GitHub's summary of a step, in Markdown."""
    rows = [
        f"| {one.severity} | {_cell(one.name)} | {_cell(_place(one))} | {_cell(evidence_sentence(one))} |"
        for one in found.findings
    ]
    table = ["", "| | finding | where | numbers |", "| --- | --- | --- | --- |", *rows] if rows else []
    reasons = [f"- {_cell(reason)}" for reason in found.reasons]
    fixes = [
        f"\nTried for {one.name}: {_cell(one.did)}\n\n```diff\n{one.fix.rstrip()}\n```"
        for one in found.findings
        if one.fix
    ]
    return "\n".join([f"### babysit: {_cell(found.subject)} is {found.verdict}", "", *reasons, *table, *fixes]) + "\n"


def sarif_log(found: PreFlight, version: str, file: str = "") -> dict[str, Any]:
    """A check as a log of SARIF 2.1.0 (OASIS 2020), as code scanning reads it."""
    rules = list({one.name: one for one in found.findings}.values())
    places = {one.name: place for place, one in enumerate(rules)}
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "babysit",
                        "version": version,
                        "rules": [
                            {
                                "id": one.name,
                                "shortDescription": {"text": one.name.replace("-", " ")},
                                "fullDescription": {"text": one.why or one.name},
                                "defaultConfiguration": {"level": LEVELS[one.severity]},
                            }
                            for one in rules
                        ],
                    }
                },
                "invocations": [{"executionSuccessful": not found.interrupted}],
                "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "the root of the repository"}}},
                "properties": {"verdict": found.verdict, "reasons": list(found.reasons)},
                "results": [_result(one, places[one.name], one.file or file) for one in found.findings],
            }
        ],
    }


def _result(finding: Finding, place: int, file: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.name,
        "ruleIndex": place,
        "level": LEVELS[finding.severity],
        "message": {"text": message(finding)},
        "partialFingerprints": {
            "babysit/v1": hashlib.sha256(f"{finding.name} {finding.where} {from_root(file)}".encode()).hexdigest()
        },
    }
    if file:
        seen = from_root(file)
        whole = pathlib.PurePath(seen).is_absolute()
        address = {"uri": pathlib.PurePath(seen).as_uri()} if whole else {"uri": seen, "uriBaseId": "%SRCROOT%"}
        region = {"region": {"startLine": finding.line}} if finding.line else {}
        result["locations"] = [{"physicalLocation": {"artifactLocation": address, **region}}]
    return result


def junit_xml(found: PreFlight) -> str:
    """A check as JUnit's XML: a test for each of its steps, and one for the verdict."""
    sick = found.verdict == "sick"
    suite = ElementTree.Element("testsuite", name="babysit", time=f"{found.seconds:.3f}")
    counted = {"failures": 0, "errors": 0, "skipped": 0}

    def told(test: ElementTree.Element, kind: str, counter: str, first: str, text: str = "") -> None:
        counted[counter] += 1
        ElementTree.SubElement(test, kind, message=_xml(first)).text = _xml(text)

    for step in found.steps:
        test = ElementTree.SubElement(
            suite, "testcase", classname=_xml(found.subject), name=step.name, time=f"{step.seconds:.3f}"
        )
        if step.verdict == "fail":
            told(test, "failure", "failures", step.measured, "\n".join(compact_findings(step.findings)))
        elif step.verdict in ("skip", "not judged"):
            told(test, "skipped", "skipped", step.why or step.measured)
    test = ElementTree.SubElement(suite, "testcase", classname=_xml(found.subject), name="verdict")
    if sick:
        text = "\n".join(compact_findings(found.findings))
        told(test, "failure", "failures", "; ".join(found.reasons) or "sick", text)
    elif found.verdict == "not judged":  # nothing was proven: no test has passed
        told(test, "error", "errors", "not judged", "\n".join(found.reasons))
    suite.attrib.update(tests=str(len(found.steps) + 1), **{name: str(number) for name, number in counted.items()})
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def message(finding: Finding) -> str:
    """What a finding says, in lines: its numbers, why it matters, what was tried or may help."""
    lines = [evidence_sentence(finding), finding.why]
    if finding.explained_by:
        lines.append(f"It follows from {finding.explained_by}.")
    elif finding.did:
        lines.append(f"Tried: {finding.did}")
    elif finding.remedies:
        lines.append(f"May help: {', '.join(map(str, finding.remedies))}")
    return "\n".join(line for line in lines if line) or finding.name


def from_root(file: str) -> str:
    """A path as seen from the root of the repository, which GitHub names; else from the working directory."""
    if not file:
        return ""
    root = pathlib.Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    whole = pathlib.Path(file).resolve()
    return (whole.relative_to(root) if whole.is_relative_to(root) else whole).as_posix()


def _command(kind: str, title: str, text: str, file: str, line: int) -> str:
    given = {"file": from_root(file), "line": str(line) if line else "", "title": title}
    told = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in given.items() if value)
    return f"::{kind} {told}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for sign in f"%\r\n{more}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return printable(text)


def _place(finding: Finding) -> str:
    line = f":{finding.line}" if finding.line else ""
    return f"{from_root(finding.file)}{line}" if finding.file else finding.where


def _cell(text: str) -> str:
    """A text in one cell of a table of Markdown."""
    return printable(text.replace("\n", " ")).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def _xml(text: str) -> str:
    return _NOT_XML.sub("?", text)
