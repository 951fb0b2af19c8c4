"""A network that gives every row the same answer, and keeps doing so."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._explosion import lost
from babysit.diseases._learned import READS_LOSS, constant_answer, start_level
from babysit.diseases._loss_curve import blocks, fall_in_errors, later_half, standard_error
from babysit.diseases._rates import still_warming_up
from babysit.diseases._reading import latest, observed
from babysit.record import TARGETS, Finding, Series, Trace

LEAST_STEPS = 100  # some sound networks stay at chance for fifty steps
SURE_STEPS = 200  # and fewer for so long; below, a warning
LEAST_LOSSES = 20  # in the second half
NEAR = 0.01  # of a constant answer's loss: a network that has learned 1 % of it has begun to learn
ABOVE = 1.02
AS_AT_THE_START = 0.95
TOO_NOISY = 0.03  # standard error of the mean loss over that of a constant answer: such losses tell no level
STANDARD_ERRORS = 3.0  # of the fall within the second half, from which on it moves
CREEPING = 0.001  # of the loss
FASTER = 1.5  # one third of the second half over the one before
ACCURACY = 0.02  # above the share of the commonest class, or R2: something is learned
PENALTY = 0.005  # of the loss function's value: what is added to it may hide that it moves


def find(trace: Trace) -> list[Finding]:
    """The mean loss of the second half against that of the best constant answer."""
    chance, how = constant_answer(trace)
    steps, values = _losses(trace)
    if chance is None or not values or lost(trace) or still_warming_up(trace):
        return []
    taken = steps[-1] - steps[0] + 1
    late = later_half(steps, values)
    if taken < LEAST_STEPS or len(late) < LEAST_LOSSES:
        return []
    level, error = statistics.fmean(late), standard_error(late)
    if error > TOO_NOISY * chance or moves(late) or _answers_better(trace):
        return []
    start = start_level(trace)
    at_chance = chance * (1 - NEAR) - error <= level <= chance * ABOVE
    if not at_chance and not (level > chance and start is not None and level >= AS_AT_THE_START * start):
        return []
    evidence: dict[str, Any] = {
        "mean loss of the second half": level,
        "loss of a constant answer": chance,
        "which is": how,
        "threshold": 1 - NEAR,
        "steps": taken,
        "standard error": error,
    }
    for name, phase in (("accuracy", "train"), ("validation accuracy", "validation")):
        accuracy = latest(trace, "accuracy", phase=phase)
        if accuracy is not None:
            evidence[name] = accuracy
    share = latest(trace, "label-top-share", layer=TARGETS)
    if share is not None:
        evidence["share of the commonest class"] = share
    return [DISEASE.finding(evidence=evidence, severity="warning" if taken < SURE_STEPS else "sick")]


def moves(late: Sequence[float]) -> bool:
    """Whether the loss falls: by more than noise, and by a thousandth of itself or ever faster.

    Networks with small weights creep at first, ever faster; where nothing is ever learned, the creeping is even.
    """
    if fall_in_errors(late) <= STANDARD_ERRORS:
        return False
    first, second, third = blocks(late, 3)
    return first - third > CREEPING * abs(first) or second - third > FASTER * (first - second)


def _losses(trace: Trace) -> Series:
    """Losses of all steps; only those that the loss function itself gave where something is added to it."""
    losses, criteria = observed(trace, "loss"), observed(trace, "criterion")
    plain = dict(zip(*criteria, strict=True))
    pairs = [(loss, plain[step]) for step, loss in zip(*losses, strict=True) if plain.get(step, 0) > 0]
    added = [abs(loss - criterion) / criterion for loss, criterion in pairs]
    return criteria if added and statistics.median(added) > PENALTY else losses


def _answers_better(trace: Trace) -> bool:
    share = latest(trace, "label-top-share", layer=TARGETS)
    for phase in ("train", "validation"):
        accuracies = observed(trace, "accuracy", phase=phase).values
        if share is not None and accuracies and max(accuracies[len(accuracies) // 2 :]) > share + ACCURACY:
            return True
        scores = observed(trace, "r2", phase=phase).values
        if scores and max(scores[len(scores) // 2 :]) > ACCURACY:
            return True
    return False


DISEASE = Disease(
    name="stuck-at-chance",
    group="dynamics",
    severity="sick",
    seen_as="The loss equals that of an answer that ignores the inputs, and does not change.",
    threshold=(
        f"From {LEAST_STEPS} steps on (a warning below {SURE_STEPS}): the mean loss of the second half is at least"
        f" {1 - NEAR:g} of a constant answer's (the entropy of the labels, the variance of the targets) and at most"
        f" {ABOVE:g} of it, or above it and {AS_AT_THE_START:g} of the first loss; it falls by less than"
        f" {STANDARD_ERRORS:g} standard errors within that half, or evenly by {CREEPING:g} of itself at most; accuracy"
        f" is within {ACCURACY:g} of the commonest class's share."
    ),
    source=(
        "Arithmetic: the best constant answer's cross-entropy is the entropy of the labels, its squared error the"
        " variance. Of 12,000 recorded trainings with random settings, 47 % sat there. Sound networks stay there for"
        " some fifty steps before they learn, so twice that is asked for."
    ),
    why=(
        "The network gives the same answer to every row, the one that is right most often. Its inputs no longer"
        " matter, and more steps of the same kind will not change that."
    ),
    remedies=("lr", "initialise", "standardise-inputs"),
    explained_by=(
        "loss-ignores-outputs",
        "inputs-not-finite",
        "inputs-badly-scaled",
        "inputs-constant",
        "inputs-not-centred",
        "targets-badly-scaled",
        "labels-imbalanced",
        "labels-unrelated",
        "batches-not-shuffled",
        "double-softmax",
        "sigmoid-before-logits-loss",
        "softmax-over-one-unit",
        "softmax-wrong-axis",
        "wrong-output-activation",
        "wrong-loss",
        "loss-broadcasts",
        "rows-mixed",
        "positions-mixed",
        "outputs-identical",
        "inputs-ignored",
        "latent-collapsed",
        "targets-conflict",
        "scaler-misused",
        "learning-rate-schedule-inert",
        "parameters-not-optimised",
        "parameters-frozen",
        "gradients-not-cleared",
        "gradient-sign-flipped",
        "step-missing",
        "scheduler-misused",
        "evaluation-mode-in-training",
        "gradients-clipped-always",
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
        "batch-norm-missing",
        "batch-norm-misplaced",
        "nonlinearity-missing",
        "capacity-too-low",
        "batch-too-small",
        "learning-rate-too-high",
        "learning-rate-too-low",
    ),
    reads=("accuracy", "criterion", "label-top-share", "lr", "r2", "width", "fact:classes", *READS_LOSS),
    find=find,
)
