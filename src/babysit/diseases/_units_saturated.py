"""Sigmoid and tanh units at their flat ends."""

from __future__ import annotations

import statistics

from babysit.diseases._depth import FIRST_SAMPLES, SQUASHING
from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LEARNED, loss_left, severity_by_outcome
from babysit.diseases._reading import observed
from babysit.record import WEIGHTED, Finding, Severity, Trace, TraceLayer

# At the start. Pre-activations of std 3 put a third of tanh's outputs on slopes under 0.01, of std 4.4 half of them.
MANY, MOST = 0.3, 0.5
# Later, units that are flat on 95 % of the rows. Gates and classes that are certain saturate in sound networks.
UNITS = 0.5
LEAST_ROWS = 100
LEAST_SAMPLES = 3


def find(trace: Trace) -> list[Finding]:
    """The worst layer, and how many there are."""
    layers = _hidden(trace)
    flat = {layer.name: share for layer in layers if (share := _at_the_start(trace, layer.name)) >= MANY}
    if flat:
        worst = max(flat, key=lambda name: flat[name])
        severity: Severity = "sick" if flat[worst] >= MOST else "warning"
        evidence: dict[str, float | str] = {
            "share of outputs on flat ends": flat[worst],
            "threshold": MOST if flat[worst] >= MOST else MANY,
            "slope below": 0.01,
            "when": "at the start",
        }
        return [_finding(trace, worst, evidence, len(flat), len(layers), severity)]
    units = {layer.name: share for layer in layers if (share := _later(trace, layer.name)) >= UNITS}
    if not units:
        return []
    worst = max(units, key=lambda name: units[name])
    evidence = {"share of units on flat ends for 95 % of rows": units[worst], "threshold": UNITS, "when": "in training"}
    found = _finding(trace, worst, evidence, len(units), len(layers), "warning")
    return [] if found.severity == "note" else [found]


def _finding(
    trace: Trace, layer: str, evidence: dict[str, float | str], count: int, of: int, severity: Severity
) -> Finding:
    known = trace.layer(layer)
    evidence |= {"activation": known.activation if known else "", "such layers": count, "of layers": of}
    share = loss_left(trace)
    if share is not None:
        evidence["loss left"] = share
    return DISEASE.finding(layer, evidence=evidence, severity=severity_by_outcome(trace, severity))


def _hidden(trace: Trace) -> list[TraceLayer]:
    """Those that a weighted layer comes after: an output that is certain, and right, is flat as well."""
    weighted = [place for place, layer in enumerate(trace.layers) if layer.kind in WEIGHTED]
    last = weighted[-1] if weighted else 0
    return [layer for layer in trace.layers[:last] if layer.activation in SQUASHING]


def _at_the_start(trace: Trace, layer: str) -> float:
    steps, shares = observed(trace, "activation-flat-share", layer=layer)
    first = [share for step, share in zip(steps, shares, strict=True) if step < FIRST_SAMPLES]
    # The very first alone may be healed by the first steps; a batch alone may be an odd one.
    return statistics.median(first) if first and steps[0] == 0 else 0.0


def _later(trace: Trace, layer: str) -> float:
    rows = observed(trace, "window-rows", layer=layer).values
    shares = observed(trace, "saturated-unit-share", layer=layer).values
    if not rows or rows[-1] < LEAST_ROWS or len(shares) < LEAST_SAMPLES:
        return 0.0
    return min(shares[-LEAST_SAMPLES:])


DISEASE = Disease(
    name="units-saturated",
    group="set-up",
    severity="warning",
    seen_as="Sigmoid or tanh units between layers are at their flat ends, where no gradient passes.",
    threshold=(
        f"Median over the first steps of a layer's outputs with a slope under 0.01: from {MANY:g} a warning, from"
        f" {MOST:g} sick. Later, {UNITS:.0%} of units flat on 95 % of {LEAST_ROWS} rows and more, in {LEAST_SAMPLES}"
        " observations: a warning. One step milder, later none at all, where the loss is under half of a constant"
        " answer's. Not the outputs' own activation, and no gates within recurrent layers."
    ),
    source=(
        "CS231n lecture 6: tanh with weights of 1.0 randn over 500 inputs, 90 % of outputs beyond 0.99. Measured on"
        " digits and small synthetic tasks, where this threshold was set as well: 162 tanh and sigmoid layers of sound"
        " trainings have at most .003 at the start and .38 when all rows are learned, and no unit flat on 95 % of"
        " rows; with 1.0 randn .65 to .89 at the start. TheDeepChecker (TOSEM 2022) warns from half of the units."
    ),
    why=(
        "At a flat end the slope is nearly zero, so almost no gradient passes. The layers before learn almost"
        " nothing, and the units rarely recover."
    ),
    remedies=("initialise=xavier", "activation=relu", "standardise-inputs"),
    explained_by=("inputs-badly-scaled", "inputs-not-centred", "learning-rate-too-high"),
    reads=("activation-flat-share", "saturated-unit-share", "window-rows", *READS_LEARNED),
    find=find,
)
