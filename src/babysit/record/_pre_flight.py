"""PreFlight: what a check found before a training, step by step."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from pydantic import PlainSerializer, computed_field

from babysit.record._finding import Finding
from babysit.record._stored import Seconds, Values, stored

PRE_FLIGHT_SCHEMA = 1
# How the reason begins why a step was left out that says nothing of this training, whatever it would come to.
DOES_NOT_APPLY = "does not apply: "
PRE_FLIGHT_STEPS: dict[str, str] = {
    "data": "inputs and targets: finite, scaled, centred, balanced, shuffled, cleanly split",
    "wiring": "one batch: shapes, loss, gradients, optimizers, rows that do not influence each other",
    "init": "spread of activations and gradients from layer to layer, before the first step",
    "initial-loss": "the first loss, compared with the loss of a constant answer",
    "regularisation": "what weight decay adds, or would add, to the loss",
    "overfit-tiny": "a few examples, which the network should overfit",
    "rate-range": "at which learning rates the loss falls, each tried as a constant rate",
    "short-training": "a short training, measured",
}
StepVerdict = Literal["pass", "warn", "fail", "not judged", "skip"]
CheckVerdict = Literal["sound", "sick", "not judged"]


def _names(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.name for finding in findings]


# In JSON by name, since they stand in full elsewhere.
ByName = Annotated[tuple[Finding, ...], PlainSerializer(_names, return_type=list[str], when_used="json")]


@stored
class PreFlightStep:
    """One of the eight steps.

    Attributes:
        name: Of `PRE_FLIGHT_STEPS`.
        verdict: `fail` when a finding is sick; `warn` when one is a warning, or a number is not what was expected;
            `pass` only when the number meets what was expected; `not judged` when it could not be compared; `skip`
            when the step was not done.
        measured: What was measured, in a sentence with its numbers.
        expected: What a sound training shows.
        why: Why it matters, or why it was not done.
        findings: What is wrong.
        numbers: What was measured, for programs.
        seconds: How long it took.
    """

    name: str
    verdict: StepVerdict
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
        seconds: How long it took.
        interrupted: Whether the user stopped it; the steps done by then are here.
        notes: How often a script was run, and what else the reader should know.
        verdict: `sick` when a finding is sick; `sound` when the training was seen to learn what a constant answer does
            not know, a tiny batch was overfitted, and nothing that matters was unseen; else `not judged`. Of a check
            of some steps only, what these steps alone show.
        reasons: Why, one a line: what was found, what shows that it learns, or what is missing.
    """

    schema: int = field(default=PRE_FLIGHT_SCHEMA, kw_only=True)
    subject: str
    steps: tuple[PreFlightStep, ...]
    findings: tuple[Finding, ...]
    seconds: Seconds
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    verdict: CheckVerdict = "not judged"
    reasons: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Whether it is sound."""
        return self.verdict == "sound"

    def step(self, name: str) -> PreFlightStep:
        """The step of that name; KeyError when there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)
