"""Findings for people at a terminal: name, place, numbers, why it matters, what to try."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from babysit.record import Finding
from babysit.reports._evidence import TRIED, evidence_sentence, layer_text
from babysit.reports._remedy_summaries import remedy_summary

OF_ALL = ("every step", "training", "network")  # places that say nothing beside the name
_LINE = re.compile(r"[^:\n]+:\d+")
STYLES = {"sick": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print findings, each with its evidence; a consequence stands under its cause.

    Example:
        >>> print_findings([], Console(width=60))
        nothing found
    """
    console.print(findings_renderable(findings))


def findings_renderable(findings: Sequence[Finding]) -> RenderableType:
    """Findings as rich draws them."""
    return Group(*map(finding_block, findings)) if findings else Text("nothing found")


def finding_line(finding: Finding) -> Text:
    """A finding in one line, as a compiler would say it: where, how bad, what, and the numbers.

    Example:
        >>> finding_line(Finding("diverged", "sick", "step 12", {"loss": float("inf")})).plain
        'sick: diverged, step 12: loss inf'
        >>> left = {"steps with a gradient left over": 85, "steps observed": 85, "threshold": 3}
        >>> finding_line(Finding("gradients-not-cleared", "sick", "train.py:34", left)).plain
        'train.py:34: sick: gradients-not-cleared: 85 of 85 steps began with old gradients; 3 in a row are the limit'
    """
    place, where = _place(finding)
    numbers = evidence_sentence(finding)
    return Text.assemble(
        (f"{place}: " if place else "", "bold"),
        (f"{finding.severity}: {finding.name}", STYLES[finding.severity]),
        f", {layer_text(where)}" if where and where not in numbers else "",
        f": {numbers}" if numbers else "",
    )


def finding_block(finding: Finding) -> RenderableType:
    """A finding with everything that helps: why it matters, what was tried and what it did, what to try."""
    lines: list[RenderableType] = [Text(finding.why, style="dim")] if finding.why else []
    tried = finding.did or str(finding.evidence.get(TRIED, ""))
    if tried:
        lines.append(Text.assemble(("tried: ", "green"), tried))
    if finding.explained_by:
        lines.append(Text(f"follows from {finding.explained_by}: treat that first"))
    elif finding.remedies:
        first = finding.remedies[0]
        others = ", ".join(str(remedy) for remedy in finding.remedies[1:])
        summary = remedy_summary(first.name) if first.value is None else ""
        text = f"try: {first}" + (f": {summary}" if summary else "")
        lines.append(Text(text + (f"; or {others}" if others else "")))
    block = Group(finding_line(finding), Padding(Group(*lines), (0, 0, 1, 4)))
    return Padding(block, (0, 0, 0, 4)) if finding.explained_by else block


def _place(finding: Finding) -> tuple[str, str]:
    """FILE:LINE where it is known, and where in the training, where that says more than the name."""
    in_file = _LINE.fullmatch(finding.where) is not None
    where = "" if in_file or finding.where in OF_ALL else finding.where
    if finding.file and finding.line:
        return f"{finding.file}:{finding.line}", where
    return finding.where if in_file else "", where
