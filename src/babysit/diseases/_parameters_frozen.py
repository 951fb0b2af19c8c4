"""Layers that no gradient reaches."""

from __future__ import annotations

import math

from babysit.diseases._disease import Disease
from babysit.diseases._layers import named, names_of, weighted_layers, with_weights_among
from babysit.diseases._learned import loss_over_first
from babysit.diseases._reading import always, observed
from babysit.record import Event, Finding, Severity, Trace, TraceLayer

LEAST_STEPS = 3
ALL_SILENT = 0.999  # of a layer's outputs
HALF = 0.5
# PyTorch draws weights from a uniform distribution of this standard deviation; who kept it learned nothing before.
LIKE_NEW = 0.05
LEAST_WEIGHTS = 400  # the standard deviation of so many is within 5 % of the truth, two times of a standard error
LEARNED = 0.8  # of the first loss: below it something does learn, if not these weights


def find(trace: Trace) -> list[Finding]:
    """Detached, frozen, or fed zeros: three ways, told by two events and by gradients."""
    return [*_detached(trace), *_frozen(trace), *_zero(trace)]


def _new(trace: Trace, layers: tuple[TraceLayer, ...]) -> bool:
    """Whether every one of these layers has the spread of PyTorch's first weights: frozen, they are noise."""
    large = [layer for layer in layers if layer.fan_in * layer.units >= LEAST_WEIGHTS]
    stds = [(layer, observed(trace, "weight-std", layer=layer.name).values[:1]) for layer in large]
    expected = [(std[0], 1 / math.sqrt(3 * layer.fan_in)) for layer, std in stds if std]
    return bool(expected) and all(abs(std - fresh) <= LIKE_NEW * fresh for std, fresh in expected)


def _detached(trace: Trace) -> list[Finding]:
    events = trace.happened("gradient-missing")
    if not events:
        return []
    missing, weighted = with_weights_among(trace, events), weighted_layers(trace)
    share = len(missing) / max(1, len(weighted))
    severity: Severity = "warning" if missing else "note"  # of a bias, or of a part that was never called
    if missing and (share == 1 or (share >= HALF and _new(trace, missing))):
        severity = "sick"
    return [_finding(events, missing, weighted, severity, "parameters without a gradient")]


def _frozen(trace: Trace) -> list[Finding]:
    # Two networks that learn in turns freeze each other for a while.
    measured = trace.layers_with("update-norm")
    moved = {name for name in measured if any(observed(trace, "update-norm", layer=name).values)}
    frozen_now = trace.happened("parameter-frozen")
    events = tuple(event for event in frozen_now if event.layer.removesuffix(".weight") not in moved)
    if not events:
        return []
    frozen, weighted = with_weights_among(trace, events), weighted_layers(trace)
    severity: Severity = "note"  # so is fine-tuning done
    if frozen and len(frozen) == len(weighted):
        left = loss_over_first(trace)
        severity = "warning" if left is not None and left < LEARNED else "sick"
    elif frozen and _new(trace, frozen):
        severity = "warning"
    return [_finding(events, frozen, weighted, severity, "parameters with requires_grad off")]


def _finding(
    events: tuple[Event, ...],
    layers: tuple[TraceLayer, ...],
    weighted: tuple[TraceLayer, ...],
    severity: Severity,
    what: str,
) -> Finding:
    evidence = {
        what: len({event.layer for event in events}),
        "of layers with weights": len(layers),
        "layers with weights": len(weighted),
        "threshold": "one parameter; sick when every layer is so, or half of them and never trained",
    }
    return DISEASE.finding(names_of(layers) or named(events), evidence=evidence, severity=severity)


def _zero(trace: Trace) -> list[Finding]:
    """Gradients that are zero each time, where no dead or saturated unit explains it."""
    if _silent(trace):
        return []
    known = trace.happened("gradient-missing") + trace.happened("parameter-frozen")
    told = {layer.name for layer in with_weights_among(trace, known)}
    lengths = {
        layer: observed(trace, "gradient-norm", layer=layer.name).values
        for layer in weighted_layers(trace)
        if layer.name not in told
    }
    measured = {layer: norms for layer, norms in lengths.items() if len(norms) >= LEAST_STEPS}
    zero = tuple(layer for layer, norms in measured.items() if always(norms, lambda norm: norm == 0))
    if not zero:
        return []
    evidence = {
        "layers whose gradient is zero at every step": len(zero),
        "layers measured": len(measured),
        "steps": min(len(measured[layer]) for layer in zero),
        "threshold": f"exactly 0 at {LEAST_STEPS} steps or more; sick when all layers are so",
    }
    severity: Severity = "sick" if len(zero) == len(measured) else "warning"
    return [DISEASE.finding(names_of(zero), evidence=evidence, severity=severity)]


def _silent(trace: Trace) -> bool:
    shares = ("activation-zero-share", "never-active-share", "saturated-unit-share", "activation-flat-share")
    return any(
        observed(trace, share, layer=name).values[-1:] >= (ALL_SILENT,)
        for share in shares
        for name in trace.layers_with(share)
    )


DISEASE = Disease(
    name="parameters-frozen",
    group="wiring",
    severity="warning",
    seen_as="A layer gets no gradient: it is detached, frozen, or its gradient is zero at every step.",
    threshold=(
        "A layer's weights without a gradient, or with one of exactly 0 at three steps or more; sick when all layers"
        " are so, or half of them are detached and still have the spread of PyTorch's first weights (within 5 %)."
        " Frozen by requires_grad: a note, a warning when never trained, sick when everything is frozen and the loss"
        " stays above 0.8 of its beginning."
    ),
    source=(
        "PyTorch's first weights have standard deviation 1 / sqrt(3 fan-in) (torch/nn/modules/linear.py). Frozen layers"
        " that were trained before are how fine-tuning is done. The 0.8 is our own choice."
    ),
    why=(
        "Weights without a gradient never change. If they still have their random first values, the rest of the"
        " network learns from noise."
    ),
    remedies=("unfreeze",),
    explained_by=(
        "loss-ignores-outputs",
        "softmax-over-one-unit",
        "wrong-loss",
        "weights-symmetric",
        "units-dead",
        "units-saturated",
        "wrong-output-activation",
        "gradients-vanish",
        "initial-loss-off",
    ),
    reads=(
        "activation-flat-share",
        "activation-zero-share",
        "gradient-norm",
        "loss",
        "never-active-share",
        "saturated-unit-share",
        "update-norm",
        "weight-std",
        "event:gradient-missing",
        "event:parameter-frozen",
    ),
    find=find,
    alone=True,
)
