"""A few examples that the network cannot even learn by heart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from babysit.diseases._constant_answer import constant_answer_loss
from babysit.diseases._disease import Disease
from babysit.diseases._observed import latest
from babysit.record import Finding, Trace

TINY_BATCH = "tiny-batch"
# Of a constant answer's loss over the same rows. CS231n's example ends at .0026 of 2.30; a network that knows twenty
# rows by heart goes on falling, one that cannot stays near 1.
LEARNED = 0.1
LEAST_STEPS = 30  # fewer prove nothing: measured on digits, sound networks need 15 to 300 steps at their usual rates
ACCURACY = 1.0
R2 = 0.95


def find(trace: Trace) -> list[Finding]:
    """Read the rehearsal in which the same few rows came at every step; other traces cannot show it."""
    if trace.facts.get("rehearsal") != TINY_BATCH:
        return []
    steps, losses = trace.series("loss")
    right = _right(trace)
    # Right answers are enough: smoothed labels and penalties keep a loss above zero.
    if len(steps) < LEAST_STEPS or right or (right is None and _near_zero(trace)):
        return []
    evidence: dict[str, float | int] = {
        "steps": len(steps), "first loss": losses[0], "last loss": losses[-1], "threshold": _near(trace, losses),
    }  # fmt: skip
    chance = constant_answer_loss(trace)
    if chance is not None:
        evidence["loss of a constant answer"] = chance
    for name, wanted in (("accuracy", ACCURACY), ("r2", R2)):
        value = latest(trace, name)
        if value is not None:
            evidence |= {name: value, "wanted": wanted}
    return [DISEASE.finding("the same few rows at every step", evidence=evidence)]


def learned_by_heart(trace: Trace) -> bool:
    """Whether the rows are known by heart: the answers are right, and the loss is near zero.

    Example:
        >>> learned_by_heart(Trace())
        False
    """
    return _right(trace) is not False and _near_zero(trace)


def _right(trace: Trace) -> bool | None:
    """Whether the last answers are right: every class, or nearly all of the numbers' variance."""
    for name, wanted in (("accuracy", ACCURACY), ("r2", R2)):
        values = trace.series(name).values
        if values:
            return values[-1] >= wanted
    return None


def _near_zero(trace: Trace) -> bool:
    losses = trace.series("loss").values
    return bool(losses) and math.isfinite(losses[-1]) and losses[-1] <= _near(trace, losses)


def _near(trace: Trace, losses: Sequence[float]) -> float:
    """The loss that is near enough to zero: of a constant answer's where that is known, else of the first loss."""
    chance = constant_answer_loss(trace)
    return LEARNED * (chance if chance is not None and chance > 0 else abs(losses[0]))


DISEASE = Disease(
    name="cannot-overfit-tiny-batch",
    group="dynamics",
    severity="sick",
    seen_as="A few examples, the same at every step and with nothing that regularises, are not learned by heart.",
    threshold=(
        f"After the rehearsal's steps, {LEAST_STEPS} at least, accuracy on these rows is below {ACCURACY:g}, or R2"
        f" below {R2:g}; for a loss that is neither, the loss is above {LEARNED:g} of a constant answer's."
    ),
    source=(
        "CS231n lecture 6: 20 examples of CIFAR-10, no regularisation, loss .0026 and train accuracy 1.00. Measured on"
        " digits: sound networks need 15 to 300 steps."
    ),
    why=(
        "A network with more weights than these rows have numbers can store them. When even that fails, more data or"
        " more hours cannot help: something in the wiring, the start or the rate is wrong."
    ),
    remedies=(),
    explained_by=(
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
    find=find,
)
