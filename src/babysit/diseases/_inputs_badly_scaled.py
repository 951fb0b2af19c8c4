"""Inputs far too large or far too small for initial weights."""

from __future__ import annotations

import math
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._layers import first_outputs, takes_care_of_scale
from babysit.diseases._learned import LEARNED, READS_LOSS, loss_over_constant
from babysit.diseases._reading import latest
from babysit.record import INPUTS, Finding, Severity, Trace

# Measured: two hidden layers of 64 ReLU units on standardised digits times a factor, 20 epochs, two seeds. Test
# accuracy at factors 0.001, 0.01, 0.1, 1, 10, 30, 100: SGD at 0.1 gives .09 .11 .91 .97 .98 .57 .08; Adam at 0.001
# gives .48 .85 .96 .98 .97 .96 .94. Nothing is lost up to 10; the sick size lies between 30 and 100.
LARGE, TOO_LARGE = 10.0, 50.0
# Small is judged by the largest value, not by a spread: one-hot columns, rare pixels and word weights spread little and
# are sound. All but 0.15 % of the digits' standardised values lie within 5: a factor of 0.01 puts them within 0.05.
SMALL, TOO_SMALL = 0.05, 0.01
LEAST_ROWS = 8  # fewer tell no spread
# The lecture's own net takes pixels of standard deviation 60 with weights of 0.0001 randn: its first outputs have 0.3,
# and it trains. Weights drawn for inputs of size one give it 35 (PyTorch's) or 85 (He's).
SOUND_OUTPUTS = 3.0
BYTE_LOW, BYTE_HIGH = 128.0, 255.0  # the largest of raw bytes lies between


def find(trace: Trace) -> list[Finding]:
    """Judge the spread of the widest feature and the size of all values."""
    spread = latest(trace, "feature-std-high", layer=INPUTS)
    lowest = latest(trace, "value-min", layer=INPUTS)
    highest = latest(trace, "value-max", layer=INPUTS)
    rows = latest(trace, "rows-seen", layer=INPUTS)
    if spread is None or lowest is None or highest is None or rows is None or rows < LEAST_ROWS:
        return []
    size = max(spread, _root_mean_square(trace))
    largest = max(abs(lowest), abs(highest))
    if (largest > SMALL and size < LARGE) or largest == 0 or takes_care_of_scale(trace):
        return []
    evidence: dict[str, Any] = {"largest value": largest, "rows seen": round(rows)}
    if size >= LARGE:
        far = size >= TOO_LARGE
        evidence |= {"size": size, "threshold": TOO_LARGE if far else LARGE, "widest feature's std": spread}
    else:
        far = largest <= TOO_SMALL
        evidence |= {"threshold": TOO_SMALL if far else SMALL}
    median = latest(trace, "feature-std-median", layer=INPUTS)
    if median:
        evidence["median feature's std"] = median
    evidence |= _worst_feature(trace)
    share = loss_over_constant(trace)
    severity: Severity = "sick" if far else "warning"
    if share is not None and share < LEARNED:
        evidence |= {"loss over a constant answer's": share, "learns below": LEARNED}
        severity = "warning" if far else "note"
    first = first_outputs(trace)
    if size >= LARGE and first is not None and first <= SOUND_OUTPUTS:
        evidence |= {"first layer's outputs at the start": first, "sound up to": SOUND_OUTPUTS}
        severity = "note"
    picture = lowest >= 0 and BYTE_LOW <= highest <= BYTE_HIGH
    return [
        DISEASE.finding(
            evidence.get("worst feature", "inputs"),
            evidence=evidence | ({"looks like": "bytes from 0 to 255"} if picture else {}),
            severity=severity,
            remedies=("scale-inputs", "standardise-inputs") if picture else None,
        )
    ]


def _root_mean_square(trace: Trace) -> float:
    mean = latest(trace, "value-mean", layer=INPUTS)
    std = latest(trace, "value-std", layer=INPUTS)
    return math.hypot(mean or 0.0, std or 0.0)


def _worst_feature(trace: Trace) -> dict[str, Any]:
    """The widest feature, where it stands out from features that were measured one by one."""
    found = {
        layer: std
        for layer in trace.layers_with("feature-std")
        if layer.startswith(f"{INPUTS}[") and (std := latest(trace, "feature-std", layer=layer)) is not None
    }
    worst = max(found, key=lambda layer: found[layer], default=None)
    if worst is None or found[worst] < LARGE:
        return {}
    return {"worst feature": worst, "worst feature's std": found[worst]}


DISEASE = Disease(
    name="inputs-badly-scaled",
    group="data",
    severity="sick",
    seen_as=(
        "The standard deviation of a feature or the size of all values is far above 1, or all values are far below 1."
    ),
    threshold=(
        f"Warning: standard deviation of a feature or root mean square of all values {LARGE:g} and more, or no value"
        f" above {SMALL:g}. Sick: {TOO_LARGE:g} and more, or no value above {TOO_SMALL:g}. One step milder where the"
        f" loss is under {LEARNED:g} of a constant answer's; a note where the weights are so small that the first"
        f" layer's outputs start within {SOUND_OUTPUTS:g}. Not where the network begins with an embedding or a"
        " normalisation or has one right behind a first convolution, nor where its first outputs show that it scales"
        " its inputs itself."
    ),
    source=(
        "CS231n, preprocessing; and measured: two hidden layers of 64 ReLU units on standardised digits times a factor,"
        " 20 epochs, two seeds. SGD at 0.1 reaches .98 up to a factor of 10, .57 at 30, .08 at 100, .11 at 0.01."
    ),
    why=(
        "Initial weights are made for inputs of size 1: larger inputs saturate or blow up the first layer, and its"
        " gradients grow with the square of their size. A learning rate that suits one feature is then far too"
        " high or too low for others."
    ),
    remedies=("standardise-inputs", "scale-inputs"),
    explained_by=(),
    reads=(
        "activation-std",
        "feature-std",
        "feature-std-high",
        "feature-std-median",
        "rows-seen",
        "value-max",
        "value-mean",
        "value-min",
        "weight-std",
        *READS_LOSS,
    ),
    find=find,
)
