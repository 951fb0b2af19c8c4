"""Features whose mean is large against their spread."""

from __future__ import annotations

from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._layers import first_weighted, takes_care_of_scale
from babysit.diseases._reading import latest
from babysit.record import INPUTS, Finding, Trace

# Pixels from 0 to 1 are sound: their channels' |mean| / std is 2.0 for CIFAR-10 and 2.1 for ImageNet, 1.0 for digits.
OFFSET = 3.0
FAR_OFFSET = 10.0  # measured columns as they come reach 4.6 (iris) and 3.7 (wine) in the median, and train
LARGE_MEAN = 3.0  # a single column counts above this size only: a flag that is nearly always 1 is as good as a bias
ALL = 0.99  # of the features have values of one sign
ZIG_ZAG = 0.95  # of a unit's weight gradients have one sign
LEAST_ROWS = 20


def find(trace: Trace) -> list[Finding]:
    """A note from three standard deviations on, a warning from ten."""
    offset = latest(trace, "feature-offset-median", layer=INPUTS)
    rows = latest(trace, "rows-seen", layer=INPUTS)
    if offset is None or rows is None or rows < LEAST_ROWS or takes_care_of_scale(trace):
        return []
    evidence: dict[str, Any] = {"median offset": offset, "rows seen": round(rows)}
    one_sign = latest(trace, "one-sign-share", layer=INPUTS)
    if one_sign is not None:
        evidence["features of one sign"] = one_sign
    first = first_weighted(trace)
    zig_zag = latest(trace, "gradient-sign-share", layer=first.name) if first else None
    if zig_zag is not None:
        evidence["gradients of one sign in the first layer"] = zig_zag
    if offset >= FAR_OFFSET:
        return [DISEASE.finding("inputs", evidence=evidence | {"threshold": FAR_OFFSET}, severity="warning")]
    columns = _far_columns(trace)
    if columns:
        worst = max(columns, key=lambda layer: columns[layer])
        evidence |= {"columns": len(columns), "worst column's offset": columns[worst], "threshold": FAR_OFFSET}
        return [DISEASE.finding(worst, evidence=evidence, severity="warning")]
    if offset >= OFFSET:
        return [DISEASE.finding("inputs", evidence=evidence | {"threshold": OFFSET})]
    if one_sign is not None and one_sign >= ALL and zig_zag is not None and zig_zag >= ZIG_ZAG:
        return [DISEASE.finding("inputs", evidence=evidence | {"threshold": ZIG_ZAG})]
    return []


def _far_columns(trace: Trace) -> dict[str, float]:
    """Offsets of the columns whose mean is large, and large against their spread."""
    found = {}
    for layer in trace.layers_with("feature-mean"):
        mean = latest(trace, "feature-mean", layer=layer)
        std = latest(trace, "feature-std", layer=layer)
        if layer.startswith(f"{INPUTS}[") and mean is not None and std and abs(mean) >= LARGE_MEAN:
            found[layer] = abs(mean) / std
    return {layer: offset for layer, offset in found.items() if offset >= FAR_OFFSET}


DISEASE = Disease(
    name="inputs-not-centred",
    group="data",
    severity="note",
    seen_as="The means of features are large against their standard deviations.",
    threshold=(
        f"Note: |mean| / std of the median feature {OFFSET:g} and more, or features of one sign with {ZIG_ZAG:g} of the"
        f" first layer's gradients of one sign. Warning: {FAR_OFFSET:g} and more, or so for a column whose mean is"
        f" above {LARGE_MEAN:g}. Not where the network begins with an embedding or a normalisation."
    ),
    source=(
        "CS231n, activation functions and preprocessing; LeCun et al. 1998, Efficient BackProp, section 4.3. Pixels"
        " from 0 to 1 lie at 1 to 2.1 (digits, CIFAR-10, ImageNet), raw columns that train at 4.6 (iris), 3.7"
        " (wine)."
    ),
    why=(
        "Inputs of one sign give all weights of a unit gradients of one sign, so the steps zig-zag towards the"
        " minimum. A large common offset also makes the loss far steeper in one direction than in all others."
    ),
    remedies=("centre-inputs", "standardise-inputs"),
    explained_by=("inputs-badly-scaled",),
    reads=(
        "activation-std",
        "feature-mean",
        "feature-offset-median",
        "feature-std",
        "gradient-sign-share",
        "one-sign-share",
        "rows-seen",
        "value-mean",
        "value-std",
        "weight-std",
    ),
    find=find,
)
