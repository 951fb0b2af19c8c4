"""Healing: remedies that were tried on a sick training, and what the smallest working change did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from babysit.record._finding import Finding, Remedy, plain

HEALING_SCHEMA = 1


@dataclass(frozen=True)
class Tried:
    """One change that was rehearsed.

    Attributes:
        remedies: What was changed together.
        gain: Share of the gap to a perfect training that it closed; below 0 it made things worse.
        outcome: What the rehearsal came to, by name.
        because: The finding that asked for it; empty for what is tried on every training.
        refused: Why the subject could not take it; empty when it could.
        share: Of the training's steps, for which it was rehearsed.
    """

    remedies: tuple[Remedy, ...]
    gain: float
    outcome: Mapping[str, Any] = field(default_factory=dict)
    because: str = ""
    refused: str = ""
    share: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "remedies": [str(one) for one in self.remedies],
            "gain": plain(round(self.gain, 4)),
            "outcome": plain(dict(self.outcome)),
            "because": self.because,
            "refused": self.refused,
            "share of the steps": round(self.share, 3),
        }


@dataclass(frozen=True)
class Effect:
    """What the recommended change did, seed by seed, beside the untouched training.

    Attributes:
        before: Outcomes as it is, one a seed.
        after: Outcomes with the change, of the same seeds.
        gain: Median over the seeds of the share of the gap that was closed.
    """

    before: tuple[Mapping[str, Any], ...]
    after: tuple[Mapping[str, Any], ...]
    gain: float

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "seeds": len(self.before),
            "gain": plain(round(self.gain, 4)),
            "before": [plain(dict(one)) for one in self.before],
            "after": [plain(dict(one)) for one in self.after],
        }


@dataclass(frozen=True)
class Healing:
    """What healing came to.

    Attributes:
        subject: What was treated.
        findings: What is wrong, causes first.
        remedies: The smallest change that works; empty when none was found.
        effect: What it did; None without remedies.
        tried: Everything rehearsed, the best first.
        advice: How to write the change, a line for each remedy.
        seconds: What it took.
        runs: Rehearsals.
        steps: Optimizer steps of all rehearsals together.
        notes: What the reader should know, such as files written outside the scratch folder.
        interrupted: Whether somebody stopped it; what was known by then is here.
        patched: Path of the patched copy, where one was asked for and there was something to write.
        diff: Of that copy against the script, unified.
    """

    subject: str
    findings: tuple[Finding, ...]
    remedies: tuple[Remedy, ...]
    effect: Effect | None
    tried: tuple[Tried, ...]
    advice: tuple[str, ...] = ()
    seconds: float = 0.0
    runs: int = 0
    steps: int = 0
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    patched: str = ""
    diff: str = field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "schema": HEALING_SCHEMA,
            "subject": self.subject,
            "findings": [finding.to_dict() for finding in self.findings],
            "remedies": [str(one) for one in self.remedies],
            "effect": self.effect.to_dict() if self.effect is not None else {},
            "advice": list(self.advice),
            "tried": [one.to_dict() for one in self.tried],
            "seconds": round(self.seconds, 3),
            "runs": self.runs,
            "steps": self.steps,
            "notes": list(self.notes),
            "patched": self.patched,
            "interrupted": self.interrupted,
        }
