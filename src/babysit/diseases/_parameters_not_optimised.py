"""Parameters that no optimizer moves, or that two of them move."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._layers import named, weighted_layers, with_weights_among
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    """Sick when nothing with weights is left to learn; a part may be left out on purpose, or have two optimizers."""
    return [*_in_none(trace), *_in_two(trace)]


def _in_none(trace: Trace) -> list[Finding]:
    events = trace.happened("parameter-not-optimised")
    if not events:
        return []
    left_out, weighted = with_weights_among(trace, events), weighted_layers(trace)
    evidence = {
        "parameters in no optimizer": len({event.layer for event in events}),
        "layers left out": len(left_out),
        "layers with weights": len(weighted),
        "threshold": "one parameter; sick when all that could be learned is left out",
    }
    # What is stepped has updates, were it a bias alone; a frozen part has none, and was not to be learned.
    nothing = not trace.layers_with("update-norm") and bool(trace.layers_with("loss"))
    everything = bool(weighted) and (len(left_out) == len(weighted) or (nothing and bool(left_out)))
    return [DISEASE.finding(named(events), evidence=evidence, severity="sick" if everything else "warning")]


def _in_two(trace: Trace) -> list[Finding]:
    events = trace.happened("parameter-in-two-optimizers")
    if not events:
        return []
    evidence = {"parameters in two optimizers": len({event.layer for event in events}), "threshold": "one parameter"}
    return [DISEASE.finding(named(events), evidence=evidence)]


DISEASE = Disease(
    name="parameters-not-optimised",
    group="wiring",
    severity="warning",
    seen_as="A parameter gets gradients, and it is in no optimizer, or in two.",
    threshold="A single parameter; sick when no layer with weights that asks for a gradient is in an optimizer.",
    source=(
        "Counting. A part left out is only a warning because a fixed part can be meant; freezing it by"
        " requires_grad would say so, and save its gradients."
    ),
    why=(
        "A parameter that is in no optimizer never changes, although its gradient is computed. A parameter that is"
        " in two is changed twice in each step."
    ),
    remedies=("optimise-all-parameters",),
    explained_by=("step-missing",),
    reads=("loss", "update-norm", "event:parameter-in-two-optimizers", "event:parameter-not-optimised"),
    find=find,
    alone=True,
)
