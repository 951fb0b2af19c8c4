"""A few examples that the network cannot even overfit."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._learned import (
    OVERFITTED,
    READS_LOSS,
    RIGHT,
    all_right,
    constant_answer_loss,
    loss_is_near_zero,
    near_zero,
)
from babysit.diseases._reading import latest
from babysit.record import Finding, Trace

TINY_BATCH = "tiny-batch"
LEAST_STEPS = 30  # fewer prove nothing: measured on digits, sound networks need 15 to 300 steps at their usual rates


def find(trace: Trace) -> list[Finding]:
    """Read the rehearsal that trained on the same few rows at every step; other traces cannot show it."""
    if trace.facts.get("rehearsal") != TINY_BATCH:
        return []
    steps, losses = trace.series("loss")
    right = all_right(trace)
    # Right answers are enough: smoothed labels and penalties keep a loss above zero.
    if len(steps) < LEAST_STEPS or right or (right is None and loss_is_near_zero(trace)):
        return []
    evidence: dict[str, float | int] = {
        "steps": len(steps),
        "first loss": losses[0],
        "last loss": losses[-1],
        "threshold": near_zero(trace),
    }
    chance = constant_answer_loss(trace)
    if chance is not None:
        evidence["loss of a constant answer"] = chance
    for name, wanted in RIGHT.items():
        value = latest(trace, name)
        if value is not None:
            evidence |= {name: value, "wanted": wanted}
    return [DISEASE.finding("the same few rows at every step", evidence=evidence)]


DISEASE = Disease(
    name="cannot-overfit-tiny-batch",
    group="dynamics",
    severity="sick",
    seen_as="The network cannot overfit a few examples, given at every step without any regularisation.",
    threshold=(
        f"After the rehearsal's steps, {LEAST_STEPS} at least, accuracy on these rows is below {RIGHT['accuracy']:g},"
        f" or R2 below {RIGHT['r2']:g}; without either score, the loss is above {OVERFITTED:g} of a constant answer's."
    ),
    source=(
        "CS231n lecture 6: 20 examples of CIFAR-10, no regularisation, loss .0026 and train accuracy 1.00. Measured on"
        " digits: sound networks need 15 to 300 steps."
    ),
    why=(
        "A network with more weights than these rows have numbers can store them. If it cannot, more data or more"
        " time will not help: the wiring, the initialisation or the learning rate is wrong."
    ),
    remedies=(),
    explained_by=(
        "loss-ignores-outputs",
        "batch-fails",
        "inputs-not-finite",
        "inputs-badly-scaled",
        "targets-badly-scaled",
        "targets-not-finite",
        "labels-out-of-range",
        "double-softmax",
        "sigmoid-before-logits-loss",
        "softmax-over-one-unit",
        "softmax-wrong-axis",
        "wrong-output-activation",
        "wrong-loss",
        "loss-broadcasts",
        "nonlinearity-missing",
        "parameters-not-optimised",
        "parameters-frozen",
        "step-missing",
        "gradient-sign-flipped",
        "weights-symmetric",
        "activations-vanish",
        "activations-explode",
        "gradients-vanish",
        "gradients-explode",
        "units-saturated",
        "units-dead",
        "initial-loss-off",
        "dropout-too-high",
        "weight-decay-too-strong",
        "learning-rate-too-high",
        "learning-rate-too-low",
        "diverged",
        "gradients-clipped-always",
    ),
    reads=("accuracy", "r2", "fact:rehearsal", *READS_LOSS),
    find=find,
)
