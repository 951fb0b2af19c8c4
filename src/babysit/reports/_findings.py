"""Findings for people at a terminal: name, place, numbers, why it matters, what to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from babysit.record import Finding
from babysit.reports._remedy_summaries import remedy_summary

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
    """A finding in one line.

    Example:
        >>> finding_line(Finding("diverged", "sick", "step 12", {"loss": float("inf")})).plain
        'sick: diverged, step 12 (loss inf)'
    """
    where = f", {finding.where}" if finding.where else ""
    numbers = evidence_text(finding.evidence, most=3).partition("\n")[0]  # an error may have many lines
    return Text.assemble(
        (f"{finding.severity}: {finding.name}", STYLES[finding.severity]), where, f" ({numbers})" if numbers else ""
    )


def finding_block(finding: Finding) -> RenderableType:
    """A finding with everything known of it."""
    lines: list[RenderableType] = [
        Text(evidence_text(finding.evidence)),
        Text(finding.why, style="dim"),
    ]
    if finding.explained_by:
        lines.append(Text(f"follows from {finding.explained_by}"))
    elif finding.remedies:
        first = finding.remedies[0]
        others = ", ".join(str(remedy) for remedy in finding.remedies[1:])
        summary = remedy_summary(first.name) if first.value is None else ""
        text = f"try: {first}" + (f": {summary}" if summary else "")
        lines.append(Text(text + (f"; or {others}" if others else "")))
    head = Text.assemble(
        (f"{finding.severity}: {finding.name}", STYLES[finding.severity]), f"  {finding.where}" if finding.where else ""
    )
    block = Group(head, Padding(Group(*lines), (0, 0, 1, 4)))
    return Padding(block, (0, 0, 0, 4)) if finding.explained_by else block


def evidence_text(evidence: Mapping[str, Any], most: int | None = None) -> str:
    """The numbers by name, in a line.

    Example:
        >>> evidence_text({"largest": 12345.678, "layers": ["fc1", "fc2"]})
        'largest 1.235e+04, layers fc1, fc2'
    """
    parts = [f"{name} {value_text(value)}" for name, value in evidence.items()]
    return ", ".join(parts if most is None else parts[:most])


def value_text(value: Any) -> str:
    """A number in four digits, a list in words.

    Example:
        >>> value_text(0.0012345), value_text(12345), value_text(["fc1", "fc2"])
        ('0.001234', '12,345', 'fc1, fc2')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ", ".join(map(value_text, value)) if isinstance(value, list | tuple) else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
