"""Weights that never change, because the optimizer takes no step."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._reading import always, observed
from babysit.record import Finding, Trace

LEAST_STEPS = 3
# A step this small against the weights disappears in the rounding of float32 (2^-24 of a number is 6e-8).
VISIBLE = 1e-6


def find(trace: Trace) -> list[Finding]:
    """The event tells it; where the optimizer was called, updates of exactly zero do."""
    events = trace.happened("step-missing")
    if events:
        evidence: dict[str, float | str] = {
            "event": events[0].text,
            "step": events[0].step,
            "threshold": "a step after the backward passes",
        }
        return [DISEASE.finding("optimizer", evidence=evidence)]
    if trace.happened("parameter-not-optimised"):
        return []
    names = [name for name in trace.layers_with("update-norm") if name]
    updates = {name: observed(trace, "update-norm", layer=name) for name in names}
    if not always(tuple(value for series in updates.values() for value in series.values), lambda value: value == 0):
        return []
    expected = {step for name in names for step in _should_move(trace, name)}.intersection(
        step for series in updates.values() for step in series.steps
    )
    if len(expected) < LEAST_STEPS:
        return []
    evidence = {
        "steps that should have moved the weights": len(expected),
        "threshold": LEAST_STEPS,
        "layers": len(updates),
        "largest update": 0,
    }
    return [DISEASE.finding("optimizer", evidence=evidence)]


def _should_move(trace: Trace, layer: str) -> list[int]:
    """Steps at which a plain step, rate times gradient, would be seen in the weights."""
    rates = dict(zip(*observed(trace, "lr"), strict=True))
    weights = dict(zip(*observed(trace, "weight-norm", layer=layer), strict=True))
    gradients = zip(*observed(trace, "gradient-norm", layer=layer), strict=True)
    return [step for step, length in gradients if rates.get(step, 0.0) * length > VISIBLE * weights.get(step, 0.0)]


DISEASE = Disease(
    name="step-missing",
    group="wiring",
    severity="sick",
    seen_as="The optimizer takes no step after the backward passes, so no weight ever changes.",
    threshold=(
        "No step at all after backward passes; or updates of exactly 0 in every layer at three observed steps or more"
        " where rate times gradient is above 1e-6 of the weights."
    ),
    source="float32 keeps 24 bits: a change of more than 6e-8 of a weight is seen in it, and 1e-6 leaves room.",
    why=(
        "Gradients are computed and never used. The loss of the last step is that of the first, apart from the batch."
    ),
    remedies=("call-step",),
    explained_by=("gradients-not-finite",),
    reads=("gradient-norm", "lr", "update-norm", "weight-norm", "event:parameter-not-optimised", "event:step-missing"),
    find=find,
    alone=True,
)
