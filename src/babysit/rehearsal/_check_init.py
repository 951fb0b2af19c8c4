"""Step 3, init: spread of activations and gradients through depth, before the first step."""

from __future__ import annotations

import math
from typing import Any

from babysit.diseases import DISEASES
from babysit.record import WEIGHTED, Finding, PreFlightStep, Trace
from babysit.rehearsal._examination import Examination, skipped
from babysit.rehearsal._verdict import verdict_of

# Findings of the group set-up that other steps tell.
ELSEWHERE = frozenset(
    {
        "initial-loss-off",
        "dropout-too-high",
        "weight-decay-too-strong",
        "batch-norm-statistics-stale",
        "capacity-too-low",
    }
)
ALIKE = 1000.0  # the largest std over the smallest one: ten layers that each halve a signal


def of_dynamics(finding: Finding) -> bool:
    """Whether it followed from how the network was trained: units that a large step killed were alive at the start."""
    return finding.explained_by != "" and DISEASES[finding.explained_by].group == "dynamics"


def check_init(examination: Examination) -> PreFlightStep:
    """Look at the standard deviation of each layer's outputs and of their gradients at step 0, and for equal units.

    Args:
        examination: Whose first step.

    Returns:
        The step; `numbers["layers"]` has name, std of outputs and of gradients of each weighted layer.
    """
    trace = examination.trace
    findings = [one for one in examination.of_groups({"set-up"}, without=ELSEWHERE) if not of_dynamics(one)]
    layers = _profile(trace)
    if not layers:
        return skipped("init", "no layer with weights was measured")
    first, last = layers[0], layers[-1]
    measured = f"std of outputs {first['std']:.3g}"
    if len(layers) > 1:
        measured += f" in {first['layer']} to {last['std']:.3g} in {last['layer']}, {len(layers)} layers deep"
    back = [layer["gradient std"] for layer in layers if math.isfinite(layer["gradient std"])]
    if len(back) > 1:
        measured += f"; of gradients {back[-1]:.3g} back to {back[0]:.3g}"
    return PreFlightStep(
        "init",
        verdict_of(findings, _meets(layers)),
        measured=measured,
        expected=f"about the same std in every layer (at most {ALIKE:g} times), for outputs and for gradients; no two"
        " equal units",
        why="a signal that shrinks or grows by a factor in each layer vanishes or explodes within ten layers",
        findings=tuple(findings),
        numbers={"layers": layers},
    )


def _meets(layers: list[dict[str, Any]]) -> bool | None:
    """Whether stds are alike through depth; None where one is not a number."""
    for name in ("std", "gradient std"):
        values = [layer[name] for layer in layers if name == "std" or math.isfinite(layer[name])]
        if not all(map(math.isfinite, values)):
            return None
        if values and max(values) > ALIKE * min(values):
            return False
    return True


def _profile(trace: Trace) -> list[dict[str, Any]]:
    found = []
    for layer in trace.layers:
        if layer.kind not in WEIGHTED:
            continue
        forwards = trace.series("activation-std", layer=layer.name).values[:1]
        back = trace.series("activation-gradient-std", layer=layer.name).values[:1]
        if forwards:
            gradient = back[0] if back else math.nan
            found.append({"layer": layer.name, "std": forwards[0], "gradient std": gradient})
    return found
