"""PreFlight: what the checks before a training found, step by step."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from pydantic import PlainSerializer, computed_field

from babysit.record._finding import Finding
from babysit.record._stored import Seconds, Values, stored

PRE_FLIGHT_SCHEMA = 1
PRE_FLIGHT_STEPS: dict[str, str] = {
    "data": "inputs and targets as they come: finite, scaled, centred, balanced, shuffled, split clean",
    "wiring": "one batch through: shapes, losses, gradients, optimizers, rows that do not mix",
    "init": "spread of activations and gradients through depth before the first step",
    "initial-loss": "the first loss against that of a network that knows nothing",
    "regularisation": "what weight decay adds, or would add, to the loss",
    "overfit-tiny": "a few examples learned by heart",
    "rate-range": "which learning rates learn, at constant rates on a ladder",
    "short-training": "a short training, watched",
}
Verdict = Literal["pass", "warn", "fail", "skip"]


def _names(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.name for finding in findings]


# In JSON by name, since they stand in full elsewhere.
ByName = Annotated[tuple[Finding, ...], PlainSerializer(_names, return_type=list[str], when_used="json")]


@stored
class PreFlightStep:
    """One of the eight steps.

    Attributes:
        name: Of `PRE_FLIGHT_STEPS`.
        verdict: `fail` when something sick was found, `warn` for a warning, `skip` when it was not done.
        measured: What was measured, in a sentence with its numbers.
        expected: What a sound training shows.
        why: Why it matters, or why it was not done.
        findings: What is wrong.
        numbers: What was measured, for programs.
        seconds: What it took.
    """

    name: str
    verdict: Verdict
    measured: str = ""
    expected: str = ""
    why: str = ""
    findings: ByName = ()
    numbers: Values = field(default_factory=dict)
    seconds: Seconds = 0.0


@stored
class PreFlight:
    """All steps of one check.

    Attributes:
        subject: What was checked.
        steps: In the order of `PRE_FLIGHT_STEPS`.
        findings: What is wrong, causes first.
        seconds: What it took.
        interrupted: Whether somebody stopped it; what was done by then is here.
        notes: What it spent on a script, and what else the reader should know.
    """

    schema: int = field(default=PRE_FLIGHT_SCHEMA, kw_only=True)
    subject: str
    steps: tuple[PreFlightStep, ...]
    findings: tuple[Finding, ...]
    seconds: Seconds
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Whether nothing sick was found."""
        return not any(finding.severity == "sick" for finding in self.findings)

    def step(self, name: str) -> PreFlightStep:
        """The step of that name; KeyError when there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)
