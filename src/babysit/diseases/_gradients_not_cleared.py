"""Gradients of earlier steps that are still there when the next one is computed."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._reading import longest_run, observed
from babysit.record import Finding, Trace

IN_A_ROW = 3
HALF = 0.5  # of the steps: a loop that clears once an epoch has most of them
TRACE_OF = 0.01  # of the gradient's length: a leftover below it changes no step that could be seen


def find(trace: Trace) -> list[Finding]:
    """Gathering gradients over several backward passes of one step is sound; over steps it is not."""
    if trace.happened(
        "parameter-not-optimised"
    ):  # a parameter in no optimizer is never cleared, and its gradient is not used
        return []
    steps, left = observed(trace, "left-over-gradient")
    passes = dict(zip(*observed(trace, "backwards"), strict=True))
    lengths = dict(zip(*observed(trace, "gradient-norm"), strict=True))
    # Nothing can be left over before the first step.
    flags = [
        value > TRACE_OF * lengths.get(step, 0.0) and passes.get(step, 1) <= 1
        for step, value in zip(steps, left, strict=True)
        if step > 0
    ]
    if longest_run(flags) < IN_A_ROW or sum(flags) < HALF * len(flags):
        return []
    evidence = {
        "steps with a gradient left over": sum(flags),
        "steps observed": len(flags),
        "longest run": longest_run(flags),
        "threshold": IN_A_ROW,
        "largest left over": max(left),
    }
    return [DISEASE.finding("every step", evidence=evidence)]


DISEASE = Disease(
    name="gradients-not-cleared",
    group="wiring",
    severity="sick",
    seen_as="The gradients of the step before are still there at the first backward pass of a step.",
    threshold=(
        "A leftover above 1 % of the gradient's length at three observed steps in a row and at half of all, each with"
        " one backward pass."
    ),
    source="PyTorch adds gradients up on purpose (torch.Tensor.backward); the three in a row are our own choice.",
    why=(
        "Every step follows the sum of all gradients so far, like momentum that never fades. The weights overshoot"
        " every minimum, faster and faster."
    ),
    remedies=("clear-gradients",),
    explained_by=("step-missing",),
    reads=("backwards", "gradient-norm", "left-over-gradient", "event:parameter-not-optimised"),
    find=find,
    alone=True,
)
