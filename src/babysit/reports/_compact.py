"""Findings in as few words as they can be told in, for a coding agent: what, where, the numbers, what was tried."""

from __future__ import annotations

from collections.abc import Sequence

from babysit.record import Finding
from babysit.reports._evidence import evidence_sentence, layer_text


def compact_findings(findings: Sequence[Finding]) -> list[str]:
    """A block of lines for each finding; notes are named in a last line.

    Example:
        >>> found = Finding("diverged", "sick", "step 3", {"loss": float("inf")}, file="train.py", line=7, did="lr=0.1")
        >>> print("\\n".join(compact_findings([found])))
        sick diverged train.py:7 (step 3): loss inf
          tried lr=0.1
    """
    lines: list[str] = []
    for finding in findings:
        if finding.severity != "note":
            lines += _block(finding)
    notes = [finding.name for finding in findings if finding.severity == "note"]
    return [*lines, f"notes: {', '.join(notes)}"] if notes else lines


def _block(finding: Finding) -> list[str]:
    place = f" {finding.file}{f':{finding.line}' if finding.line else ''}" if finding.file else ""
    where = f" ({layer_text(finding.where)})" if finding.where else ""
    lines = [f"{finding.severity} {finding.name}{place}{where}: {evidence_sentence(finding)}"]
    if finding.explained_by:
        return [f"{lines[0]}; follows from {finding.explained_by}"]
    if finding.did:
        lines.append(f"  tried {finding.did}")
    elif finding.remedies:
        lines.append(f"  may help: {', '.join(map(str, finding.remedies))}")
    if finding.fix:
        lines += ["  fix:", finding.fix.rstrip()]
    return lines
