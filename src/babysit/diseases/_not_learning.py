"""A training that ends no better than an answer that ignores the inputs, whatever the cause."""

from __future__ import annotations

import math
import statistics
from typing import Any

from babysit.diseases import _stuck_at_chance
from babysit.diseases._disease import Disease
from babysit.diseases._explosion import lost
from babysit.diseases._learned import LEARNED, READS_LOSS, Scored, constant_answer, means_progress, scored
from babysit.diseases._loss_curve import later_half, standard_error
from babysit.diseases._rates import still_warming_up
from babysit.diseases._reading import observed
from babysit.record import Finding, Severity, Trace

LEAST_STEPS = 60  # some sound networks stay at chance for fifty steps
SURE_STEPS = 200  # and fewer for so long: an answer no worse than a constant one is a warning below
LEAST_LOSSES = 20  # in the second half
ABOVE = 0.02  # of a score: within so much of a constant answer's nothing is learned
WORSE = 1.02  # times a constant answer's loss: above it the answers lose to it
ERRORS = 3.0  # standard errors of the mean loss that are granted
LEAST_EVALUATIONS = 2
# Of a log of somebody else's.
LEAST_RECORDS = 5  # epochs, each the mean of many batches
FIRST = 3  # losses whose median is the beginning
FELL = 0.02  # of the first losses
NEAR = 0.015  # of ln k: the levels of 2 to 20 classes lie at least 1.7 % apart
MOST_CLASSES = (*range(2, 21), 100, 1000)
RISEN = 0.02  # of an accuracy or R2
TRAINED = 0.9  # of an accuracy or R2: such a network was trained before


def find(trace: Trace) -> list[Finding]:
    """The last scores and losses against a constant answer's, in training, and in validation where training learned.

    Of a log alone, whose targets nobody has seen: a loss that never fell from where it began.
    """
    if "log" in trace.facts:
        return _never_fell(trace)
    steps, values = observed(trace, "loss")
    if not values or lost(trace) or still_warming_up(trace):
        return []
    taken = steps[-1] - steps[0] + 1
    if taken < LEAST_STEPS:
        return []
    trained = scored(trace, "train")
    if trained is not None and trained.way > LEARNED:
        return _validation(trace, trained, taken)
    return _training(trace, trained, taken)


def _training(trace: Trace, trained: Scored | None, taken: int) -> list[Finding]:
    """No better by any score, and by no loss either."""
    if not means_progress(trace) or _moves_on(trace):
        return []
    validated = scored(trace, "validation")
    if any(one is not None and one.best > one.constant + ABOVE for one in (trained, validated)):
        return []
    late = later_half(*observed(trace, "loss"))
    chance, how = constant_answer(trace)
    if chance is None or len(late) < LEAST_LOSSES:
        return []
    level, error = statistics.fmean(late), standard_error(late)
    worse = level - ERRORS * error > WORSE * chance
    if not worse and (trained is None or level + ERRORS * error < chance):
        return []  # by its loss alone, what equals a constant answer is stuck at chance
    if any(one.severity == "sick" for one in _stuck_at_chance.find(trace)):
        return []
    evidence: dict[str, Any] = {}
    for one in (trained, validated):
        if one is not None:
            phase = "training" if one.phase == "train" else "validation"
            evidence |= {f"{one.name} in {phase}": one.last, f"{one.name} of a constant answer": one.constant}
    evidence |= {
        "mean loss of the second half": level,
        "loss of a constant answer": chance,
        "which is": how,
        "threshold": WORSE * chance if worse else ABOVE,
        "steps": taken,
    }
    over = trained is not None and "epochs" in trace.facts  # no later step can change it
    severity: Severity = "sick" if worse or over or taken >= SURE_STEPS else "warning"
    return [DISEASE.finding("training", evidence=evidence, severity=severity)]


def _validation(trace: Trace, trained: Scored, taken: int) -> list[Finding]:
    """Training rows are learned, and rows of validation are answered as by a constant answer, each time."""
    validated = scored(trace, "validation")
    count = len(observed(trace, validated.name, phase="validation").values) if validated is not None else 0
    if validated is None or validated.best > validated.constant + ABOVE or count < LEAST_EVALUATIONS:
        return []
    evidence = {
        f"best {validated.name} in validation": validated.best,
        f"{validated.name} of a constant answer": validated.constant,
        f"{trained.name} in training": trained.last,
        "evaluations": count,
        "threshold": validated.constant + ABOVE,
        "steps": taken,
    }
    return [DISEASE.finding("validation", evidence=evidence)]


def _never_fell(trace: Trace) -> list[Finding]:
    """Of a log: losses of the second half are those of the beginning, and no score rises.

    Sick where the level is that of an answer that ignores the inputs, or scores say so; a loss that is flat at another
    level may be that of a network that was trained before.
    """
    losses = observed(trace, "loss").values or observed(trace, "data-loss", phase="validation").values
    least = LEAST_RECORDS if trace.facts["log"] == "epoch" else LEAST_LOSSES
    if len(losses) < least or lost(trace):
        return []
    first, late = statistics.median(losses[:FIRST]), losses[len(losses) // 2 :]
    level, error = statistics.fmean(late), standard_error(late)
    if first <= 0 or level + ERRORS * error < first or level < (1 - FELL) * first:
        return []
    classes = next((k for k in MOST_CLASSES if abs(level - math.log(k)) <= NEAR * math.log(k) + error), 0)
    evidence: dict[str, Any] = {"first losses": first, "mean loss of the second half": level, "losses": len(losses)}
    chance = bool(classes)
    for phase in ("train", "validation"):
        for name in ("accuracy", "balanced-accuracy", "r2"):
            scores = observed(trace, name, phase=phase).values
            if not scores:
                continue
            best, begin = max(scores[len(scores) // 2 :]), scores[0]
            if best > begin + RISEN or best > TRAINED:
                return []
            evidence[f"best {name} in {'training' if phase == 'train' else phase}"] = best
            chance = chance or len(scores) >= LEAST_EVALUATIONS
    if classes:
        evidence["loss of a constant answer"] = math.log(classes)
        evidence["which is"] = f"ln {classes}, that of {classes} classes"
    evidence["threshold"] = f"a fall by {FELL:g} of the first losses, or by {ERRORS:g} standard errors"
    return [DISEASE.finding("training", evidence=evidence, severity="sick" if chance else "warning")]


def _moves_on(trace: Trace) -> bool:
    """Whether its loss falls, and more steps are to come: a training that was seen to its end is over."""
    return "epochs" not in trace.facts and _stuck_at_chance.moves(later_half(*observed(trace, "loss")))


DISEASE = Disease(
    name="not-learning",
    group="dynamics",
    severity="sick",
    seen_as="At the end the answers are no better than one that ignores the inputs, or worse than it.",
    threshold=(
        f"From {LEAST_STEPS} steps on: no score of training or validation is more than {ABOVE:g} above a constant"
        " answer's (one over the number of classes in balanced accuracy, the commonest class's share in accuracy, 0 in"
        f" R2), and the mean loss of the second half is no lower than a constant answer's. Sick where that loss is"
        f" above {WORSE:g} times it, by {ERRORS:g} standard errors, of a training whose last scores were seen, or from"
        f" {SURE_STEPS} steps on; else a warning. Of a"
        " training that goes on, only where the loss does not fall. In validation alone: none of at least"
        f" {LEAST_EVALUATIONS} scores is more than {ABOVE:g} above a constant answer's, while training came over"
        f" {LEARNED:g} of the way to all right. Of a log without its program, from {LEAST_LOSSES} losses or"
        f" {LEAST_RECORDS} epochs on: the mean loss of the second half lies less than {FELL:g} of the first {FIRST}, or"
        f" less than {ERRORS:g} standard errors, below them, and no score rose by {RISEN:g}; sick where a score was"
        f" logged or the loss is within {NEAR:g} of ln k for 2 to 20, 100 or 1,000 classes, else a warning."
    ),
    source=(
        "Arithmetic: the best constant answer has an R2 of 0, the commonest class's share in accuracy, and the entropy"
        " of the labels as its cross-entropy. SGD at a rate of 10 on digits ends at an accuracy of 0.10 after 84 steps."
    ),
    why=(
        "Nothing of the inputs is used that a constant would not know. Whatever the cause is, more steps of the same"
        " kind are spent in vain."
    ),
    remedies=("lr", "initialise", "standardise-inputs"),
    explained_by=(
        "inputs-not-finite",
        "targets-not-finite",
        "labels-out-of-range",
        "inputs-badly-scaled",
        "targets-badly-scaled",
        "labels-unrelated",
        "batches-not-shuffled",
        "labels-imbalanced",
        "batch-too-small",
        "inputs-not-centred",
        "inputs-constant",
        "double-softmax",
        "sigmoid-before-logits-loss",
        "softmax-over-one-unit",
        "softmax-wrong-axis",
        "wrong-output-activation",
        "wrong-loss",
        "loss-broadcasts",
        "nonlinearity-missing",
        "rows-mixed",
        "batch-fails",
        "parameters-not-optimised",
        "parameters-frozen",
        "gradients-not-cleared",
        "evaluation-mode-in-training",
        "training-mode-in-evaluation",
        "gradient-sign-flipped",
        "step-missing",
        "scheduler-misused",
        "network-never-updated",
        "data-changed-in-place",
        "gradients-not-finite",
        "loss-impossible",
        "loss-ignores-outputs",
        "positions-mixed",
        "targets-misaligned",
        "inputs-ignored",
        "padding-counts",
        "outputs-identical",
        "latent-collapsed",
        "targets-conflict",
        "scaler-misused",
        "learning-rate-schedule-inert",
        "tied-weights-badly-scaled",
        "evaluation-inputs-differ",
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
        "batch-norm-statistics-stale",
        "batch-norm-missing",
        "batch-norm-misplaced",
        "capacity-too-low",
        "learning-rate-too-high",
        "learning-rate-too-low",
        "diverged",
        "stuck-at-chance",
        "cannot-overfit-tiny-batch",
        "oscillating",
        "overfitting",
        "stopped-too-early",
        "gradients-clipped-always",
    ),
    reads=(
        "accuracy",
        "balanced-accuracy",
        "classes-seen",
        "criterion",
        "data-loss",
        "label-top-share",
        "lr",
        "r2",
        "width",
        "fact:classes",
        "fact:epochs",
        "fact:log",
        *READS_LOSS,
    ),
    find=find,
)
