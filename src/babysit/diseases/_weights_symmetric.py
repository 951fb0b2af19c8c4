"""Units of a layer that began alike and stay alike."""

from __future__ import annotations

import math

from babysit.diseases._depth import hidden_layers, scheme_for
from babysit.diseases._disease import Disease
from babysit.diseases._reading import observed
from babysit.record import Finding, Trace, TraceLayer

ALL = 0.99  # of a layer's units; rounding may tell one of a hundred from its twins
LEAST_SPREAD = 1e-4  # between rows, of that of all outputs; rounding alone leaves about 1e-7
LEAST_STEPS = 3  # that weights stay zero: branches that begin at zero on purpose leave it with the first or second step


def find(trace: Trace) -> list[Finding]:
    """Equal outputs of all units, seen first and last; or weights that are zero and stay so."""
    found = {layer.name: evidence for layer in hidden_layers(trace) if (evidence := _symmetric(trace, layer))}
    if not found:
        return []
    worst = next(iter(found))
    evidence = found[worst] | {"such layers": len(found), "of hidden layers": len(hidden_layers(trace))}
    return [DISEASE.finding(worst, evidence=evidence, remedies=(f"initialise={scheme_for(trace)}",))]


def _symmetric(trace: Trace, layer: TraceLayer) -> dict[str, float | str]:
    if layer.units == 1:
        return {}
    steps, shares = observed(trace, "identical-units-share", layer=layer.name)
    # A layer that answers every row alike, because what enters it is dead, tells nothing of its weights.
    spread = dict(zip(*observed(trace, "row-spread", layer=layer.name), strict=True))
    telling = [(step, share) for step, share in zip(steps, shares, strict=True) if spread.get(step, 1.0) > LEAST_SPREAD]
    least = min((share for _, share in telling), default=0.0)
    if least >= ALL and _starts_here(steps):
        return {"units identical": least, "threshold": ALL, "last seen at step": telling[-1][0]}
    seen, spreads = trace.series("weight-std", layer=layer.name)
    constant = _starts_here(steps) and shares[0] >= ALL and _starts_here(seen) and spreads[0] == 0
    # One number in every place, and outputs that tell rows apart, so it is not 0: dropout alone tells units apart.
    if constant and layer.parameters and spread.get(0, 0.0) > LEAST_SPREAD:
        return {"units identical at the start": shares[0], "std of the weights": 0.0, "threshold": ALL}
    if _starts_here(seen) and len(spreads) >= LEAST_STEPS and all(value == 0 for value in spreads):
        # Weights that something keeps from moving, such as a mask, are not a symmetry: gradients must be alike too.
        gradients = [value for value in trace.series("gradient-std", layer=layer.name).values if math.isfinite(value)]
        if gradients and max(gradients) == 0:
            return {"std of the weights": 0.0, "std of their gradients": 0.0, "threshold": 0.0, "steps": len(spreads)}
    return {}


def _starts_here(steps: tuple[int, ...]) -> bool:
    return bool(steps) and steps[0] == 0


DISEASE = Disease(
    name="weights-symmetric",
    group="set-up",
    severity="sick",
    seen_as="All units of a hidden layer give the same outputs, or its weights are zero and stay zero.",
    threshold=(
        f"At least {ALL:.0%} of a hidden layer's units equal another one on every row, first and last; or at the start,"
        f" where"
        " the layer's weights are one number that is not 0; or weights and"
        f" their gradients with a standard deviation of exactly 0 from step 0 on, at {LEAST_STEPS} observations and"
        " more. Not the layer that makes the outputs: zeros are sound there."
    ),
    source=(
        "CS231n notes 2, pitfall: all zero initialization. Equal units get equal gradients, so that nothing but"
        " dropout tells them apart. Measured on digits: constants of 0.01 reach 26 % where random weights reach 99 %."
    ),
    why=(
        "Units that start equal get equal gradients and stay equal, so the layer is as good as one unit. With"
        " zeros in two layers in a row, no gradient passes at all."
    ),
    remedies=("initialise=he",),
    explained_by=(),
    reads=("gradient-std", "identical-units-share", "row-spread", "weight-std"),
    find=find,
)
