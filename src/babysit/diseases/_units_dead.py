"""Rectified units that are zero for every row."""

from __future__ import annotations

import math
from typing import NamedTuple

from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LEARNED, loss_left, severity_by_outcome
from babysit.diseases._reading import observed
from babysit.record import ACTIVATIONS, Finding, Severity, Trace, TraceLayer

RECTIFIERS = frozenset(name for name, facts in ACTIVATIONS.items() if facts.off_is_zero)
# Measured: units never active in He-initialised ReLU layers of 10 to 500 units with zero biases, 6 to 200 seeds. Over
# 1000 rows a layer adds 1.1 % (2.0 at layer 5 and 10.5 at layer 10, CS231n's 2.1 and 9.8), over 32 rows 2.4 %; layers
# of 10 units add 1.4 % more, of 32 units 0.4 %.
PER_LAYER, PER_LAYER_OF_FEW_ROWS = 0.011, 0.024
MANY_ROWS, FEW_ROWS = 1000, 32
NARROWNESS = 0.14  # over the layer's units, for each layer before
# With PyTorch's default biases half of a layer's units never act once the signal is gone, and that needs only two
# layers for raw pixels: up to .42 at layer 2, .5 from layer 5 on, whatever the rows. At the start it shows nothing.
BY_BIAS = 0.5
NARROW = 16  # units: below, a few dead ones are chance
VERY_NARROW = 4  # units: all of them may be silent at first, and rows of another kind wake them
STANDARD_DEVIATIONS = 3.0
MARGIN = 0.2  # training turns units off as well: CS231n has 10 to 20 % in practice, two-dimensional inputs here 22 %
LEAST_ROWS = 200  # for a window to tell a dead unit from a rare one
LEAST_SAMPLES = 3
STARTED = 50  # steps after which biases had time to move
WHOLE = 1.0


class DeadUnits(NamedTuple):
    """What is known of a layer's units."""

    name: str
    share: float
    rows: float
    expected: float
    limit: float  # from here on a warning
    sick: float


def find(trace: Trace) -> list[Finding]:
    """The layer that is furthest above what is normal."""
    measured = [found for layer in trace.layers if (found := _measure(trace, layer)) is not None]
    above = [found for found in measured if found.share >= min(found.limit, WHOLE)]
    if not above:
        return []
    worst = max(above, key=lambda found: (found.share >= found.sick, found.share - found.limit))
    severity: Severity = "sick" if worst.share >= worst.sick else "warning"
    evidence = {
        "share of units never active": worst.share,
        "rows looked at": round(worst.rows),
        "normal at its depth": worst.expected,
        "threshold": worst.sick if severity == "sick" else worst.limit,
        "such layers": len(above),
        "of layers": len(measured),
    }
    share = loss_left(trace)
    if share is not None:
        evidence["loss left"] = share
    return [DISEASE.finding(worst.name, evidence=evidence, severity=severity_by_outcome(trace, severity))]


def expected_share(depth: int, rows: float, units: int) -> float:
    """Units that are never active over so many rows in a soundly initialised layer.

    Example:
        >>> round(expected_share(5, 1000, 500), 3), round(expected_share(10, 1000, 500), 3)
        (0.045, 0.102)
    """
    spread = math.log(MANY_ROWS / FEW_ROWS)
    few = min(1.0, max(0.0, math.log(MANY_ROWS / max(rows, 1.0)) / spread))
    per_layer = PER_LAYER + (PER_LAYER_OF_FEW_ROWS - PER_LAYER) * few + NARROWNESS / max(units, 1)
    return min(BY_BIAS, per_layer * max(0, depth - 1))


def _measure(trace: Trace, layer: TraceLayer) -> DeadUnits | None:
    steps, shares = observed(trace, "never-active-share", layer=layer.name)
    windows = observed(trace, "window-rows", layer=layer.name).values
    if layer.activation not in RECTIFIERS or not shares or not windows or windows[-1] < LEAST_ROWS:
        return None
    if len(shares) < LEAST_SAMPLES and steps[0] != 0:
        return None
    units, rows = max(1, layer.units), windows[-1]
    expected = expected_share(layer.depth, rows, units)
    half = BY_BIAS + STANDARD_DEVIATIONS * math.sqrt(BY_BIAS * (1 - BY_BIAS) / units)
    limit = expected + STANDARD_DEVIATIONS * math.sqrt(max(expected, PER_LAYER) * (1 - expected) / units) + MARGIN
    early = steps[-1] < STARTED
    if early and units < VERY_NARROW:
        return None
    if early or units < NARROW:
        limit = max(limit, half)
    # A single rare batch may wake a unit: the mildest of the last observations counts.
    share = min(shares[-LEAST_SAMPLES:])
    return DeadUnits(layer.name, share, rows, expected, limit, min(WHOLE, max(half, limit)))


DISEASE = Disease(
    name="units-dead",
    group="set-up",
    severity="warning",
    seen_as="Units behind a ReLU are zero for every row, more of them than the depth of the layer explains.",
    threshold=(
        f"Share of units never active over {LEAST_ROWS} rows and more. Normal: {PER_LAYER:g} to"
        f" {PER_LAYER_OF_FEW_ROWS:g} for each layer before (1000 to 32 rows), plus {NARROWNESS:g} over the units."
        f" Warning: {STANDARD_DEVIATIONS:g} standard deviations and {MARGIN:g} above it, or what is sick where fewer"
        f" than {STARTED} steps were taken or the layer has fewer than {NARROW} units. Sick: {STANDARD_DEVIATIONS:g}"
        " standard deviations above one half, or all. One step milder where the loss is under half of a constant"
        " answer's."
    ),
    source=(
        "Measured on ReLU layers of 10 to 500 units at depths 1 to 10 over 32 to 1000 rows: with He weights 0, 2.0,"
        " 10.5 % at layers 1, 5, 10 over 1000 rows of width 128 and more (CS231n's experiment: 0, 2.1, 9.8), 0, 10, 21"
        " % over 32 rows, 0, 7, 22 % at width 10; with PyTorch's default biases up to one half. The line from layer 1"
        " to 10 lies above what is between. On digits and small synthetic tasks, where the margin was set too, 414"
        " layers of sound trainings ended at most .22 above it where they have 16 units and more. SageMaker Debugger"
        " and TheDeepChecker warn from half of a layer."
    ),
    why=(
        "A unit that is zero for every row has no gradient and cannot recover. The layer has that many units less,"
        " and if all are dead, nothing passes in either direction."
    ),
    remedies=("lr", "initialise=he", "activation=leaky-relu"),
    explained_by=(
        "weights-symmetric",
        "activations-vanish",
        "inputs-badly-scaled",
        "learning-rate-too-high",
        "wrong-output-activation",
    ),
    reads=("never-active-share", "window-rows", *READS_LEARNED),
    find=find,
)
