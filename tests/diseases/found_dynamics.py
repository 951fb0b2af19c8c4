"""What the rules of the dynamics say of a trace."""

import json

from babysit.diseases import DISEASES, diagnose
from babysit.record import Finding, Trace, to_json
from babysit.remedies import REMEDIES

DYNAMICS = [name for name, disease in DISEASES.items() if disease.group == "dynamics"]


def found(name: str, trace: Trace) -> Finding | None:
    """What the disease's own rule says."""
    findings = DISEASES[name].find(trace)
    assert len(findings) <= 1
    for finding in findings:
        assert finding.name == name
        json.dumps(to_json(finding), allow_nan=False)
        assert "threshold" in finding.evidence
        assert all(remedy.name in REMEDIES for remedy in finding.remedies)
    return findings[0] if findings else None


def severity(name: str, trace: Trace) -> str:
    finding = found(name, trace)
    return finding.severity if finding else ""


def names(trace: Trace) -> list[str]:
    """All diseases of the dynamics."""
    return [finding.name for finding in diagnose(trace) if finding.name in DYNAMICS]
