"""What the network does with its inputs first: looks them up, brings them to scale itself, or weighs them."""

from __future__ import annotations

import math

from babysit.diseases._observed import latest
from babysit.record import INPUTS, WEIGHTED, Trace, TraceLayer

# A first layer whose outputs have a tenth of the spread that its inputs would give it was fed something smaller: a
# network may divide by 255 in its forward pass, or begin with a layer that nobody measured.
SCALED_BEFORE = 0.1


def first_weighted(trace: Trace) -> TraceLayer | None:
    """The first layer with weights."""
    return next((layer for layer in trace.layers if layer.kind in WEIGHTED), None)


def first_outputs(trace: Trace) -> float | None:
    """Standard deviation of the first weighted layer's outputs before any step; None where it was not measured."""
    first = first_weighted(trace)
    steps, values = trace.series("activation-std", layer=first.name) if first is not None else ((), ())
    return values[0] if steps and steps[0] == 0 and math.isfinite(values[0]) else None


def takes_care_of_scale(trace: Trace) -> bool:
    """Whether the scale of the inputs does not matter to this network.

    True where it begins with an embedding (inputs are class numbers) or with a normalisation, and where the first
    weighted layer's outputs at the start are far smaller than these inputs could have made them.
    """
    before = []
    for layer in trace.layers:
        if layer.kind in WEIGHTED:
            break
        before.append(layer.kind)
    return any(kind in ("embedding", "batch-norm", "norm") for kind in before) or _scaled_before(trace)


def _scaled_before(trace: Trace) -> bool:
    first = first_weighted(trace)
    mean = latest(trace, "value-mean", layer=INPUTS)
    spread = latest(trace, "value-std", layer=INPUTS)
    if first is None or not first.fan_in or first.kind not in ("linear", "conv") or mean is None or spread is None:
        return False
    measured = trace.series("activation-std", layer=first.name).values[:1]
    weights = trace.series("weight-std", layer=first.name).values[:1]
    # Random weights of standard deviation s over n inputs of root mean square r give outputs of about s sqrt(n) r.
    expected = [std * math.sqrt(first.fan_in) * math.hypot(mean, spread) for std in weights]
    return any(found < SCALED_BEFORE * wanted for found, wanted in zip(measured, expected, strict=False))
