"""Gradients that do not reach the first layers."""

from __future__ import annotations

from babysit.diseases._depth import (
    SQUASHING,
    GradientRatio,
    gradients_at_the_end,
    gradients_at_the_start,
    main_activation,
    vanishing,
)
from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LEARNED, loss_left, severity_by_outcome
from babysit.record import Finding, Severity, Trace, TraceLayer

FADING, GONE = 0.015, 0.003
SIGMOID_SLOPE = 0.25  # the steepest a sigmoid is: gradients shrink at least fourfold in each, weights aside


def find(trace: Trace) -> list[Finding]:
    """At the start, and still at the end: networks that free themselves are not sick."""
    start, end = vanishing(gradients_at_the_start(trace)), vanishing(gradients_at_the_end(trace))
    if start is None or end is None:
        return []
    milder: GradientRatio = max(start, end, key=lambda flow: flow.ratio)
    if milder.ratio >= FADING:
        return []
    severity: Severity = "sick" if milder.ratio < GONE else "warning"
    layers = len(gradients_at_the_start(trace))
    evidence = {
        "first layer": start.first.layer,
        "gradient there": start.first.value,
        "deep layer": start.last.layer,
        "gradient at the deep layer": start.last.value,
        "first over deep": start.ratio,
        "at the end": end.ratio,
        "threshold": GONE if milder.ratio < GONE else FADING,
        "per layer": start.ratio ** (1 / (layers - 1)),
        "hidden layers": layers,
    }
    activation = main_activation(trace)
    squashing = sum(layer.activation == activation for layer in _activations(trace))
    if activation in SQUASHING:
        evidence["squashing layers"] = f"{squashing} of {activation}"
    if activation == "sigmoid":
        evidence["slopes alone leave at most"] = SIGMOID_SLOPE**squashing
    share = loss_left(trace)
    if share is not None:
        evidence["loss left"] = share
    remedies = ("activation=relu", "initialise=he", "insert-batch-norm") if activation in SQUASHING else None
    return [
        DISEASE.finding(
            start.first.layer, evidence=evidence, severity=severity_by_outcome(trace, severity), remedies=remedies
        )
    ]


def _activations(trace: Trace) -> list[TraceLayer]:
    return [layer for layer in trace.layers if layer.kind == "activation"]


DISEASE = Disease(
    name="gradients-vanish",
    group="set-up",
    severity="sick",
    seen_as="Gradients shrink from layer to layer on their way back, and the first layers hardly learn.",
    threshold=(
        "Gradient at the outputs of the first hidden layers over that of the last, of three and more, in the first ten"
        f" observations and in the last ten: under {FADING:g} a warning, under {GONE:g} sick; one step milder where the"
        " loss is under half of a constant answer's. Of a quarter of the layers at each end, the mildest counts."
    ),
    source=(
        "AUTOTRAINER (ICSE 2021) takes 0.001 of the very first over the very last, which is about 0.003 in this milder"
        " reading. Measured on digits and small synthetic tasks, which also set the threshold: 83 trainings that learn"
        " keep .08 and more, one more, eight layers of a plain convolutional network with PyTorch's default weights,"
        " .006 and 91 % after 200 steps where He gives 98; six sigmoid layers .003 and end at 70 %, ten 2e-4 and stay"
        " at chance, nine ReLU layers with PyTorch's default weights .005 and stay at chance under SGD; three sigmoid"
        " layers begin at .02 and free themselves."
    ),
    why=(
        "The first layers keep their random weights, and later layers cannot recover what those lose of the"
        " inputs. A learning rate that suits the last layers hardly moves the first ones."
    ),
    remedies=("initialise=he", "insert-batch-norm", "activation=relu"),
    explained_by=(
        "loss-ignores-outputs",
        "evaluation-mode-in-training",
        "weights-symmetric",
        "activations-vanish",
        "units-saturated",
        "units-dead",
    ),
    reads=("activation-gradient-std", *READS_LEARNED),
    find=find,
)
