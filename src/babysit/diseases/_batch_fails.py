"""A batch that raises an error and ends the training."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return [
        DISEASE.finding(
            event.layer or f"step {event.step}",
            evidence={"step": event.step, "error": event.text, "threshold": "one error"},
        )
        for event in trace.happened("failed")[:1]
    ]


DISEASE = Disease(
    name="batch-fails",
    group="wiring",
    severity="sick",
    seen_as="The forward pass, the loss or the backward pass raises an error.",
    threshold="One error.",
    source="PyTorch's own error is the evidence.",
    why=(
        "The training ends by its own error: shapes, types or devices that do not match, or something that is missing."
        " Nothing can be said about a training that does not run."
    ),
    remedies=(),
    explained_by=("labels-out-of-range", "inputs-not-finite", "wrong-loss"),
    reads=("event:failed",),
    find=find,
    alone=True,
)
