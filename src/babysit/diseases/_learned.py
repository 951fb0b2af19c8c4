"""Has it learned? Every answer to that question, with its thresholds and where they come from.

Four readings of how far a loss has come down, each None where the trace does not tell:

- `loss_over_constant`: over the loss of the best answer that ignores the inputs. Near 1: nothing is learned.
- `loss_over_first`: over the first losses. It needs no knowledge of the loss function.
- `loss_left`: over a constant answer's loss where that is known, else over the first losses.
- `loss_over_start`: over the larger of the first loss and a constant answer's loss. An answer that ignores the inputs
  soon makes up for bad first weights, and that alone is not learning.

Three verdicts stand on them: `has_learned` (better than a constant answer), `overfits_tiny_batch`, `solved`.
"""

from __future__ import annotations

import math
import statistics
from typing import Literal, NamedTuple

from babysit.diseases._loss_curve import end, end_level, fall_in_errors, standard_error
from babysit.diseases._reading import latest, observed
from babysit.record import OUTPUTS, TARGETS, Severity, Trace, losses_that

SQUARED_OR_ABSOLUTE = losses_that(distance=True)
ELEMENTWISE = losses_that(elementwise=True)
CLASS_LOSSES = frozenset({"cross-entropy", "nll", "bce", "bce-with-logits"})
# Never below zero, whatever their inputs are, as long as the targets are legal.
NEVER_NEGATIVE = losses_that(least_zero=True)
NORMAL_DEVIATION = math.sqrt(2 / math.pi)  # mean |x| of a standard normal variable

LAST_LOSSES = 10  # of which the median is taken: one batch says little
FIRST = 3  # losses whose median is the start: a single batch may have a small loss by chance
LAST_SHARE = 0.1  # of all losses, whose median is the end
AT_CHANCE = 0.1  # within so much of a constant answer's loss nothing is learned, however bad the start was

# Measured: Adam at 0.001 brings ten layers of PyTorch's default weights, which plain SGD leaves at chance, to a loss of
# 0.001 of a constant answer's. Half of it is far from chance and far from noise in the labels.
LEARNED = 0.5
NOT_LEARNED = 0.9  # of the start: what is left of the loss where a training did not work
STARTS_TRAINED = 0.5  # of a constant answer's loss, at the first step: freshly drawn weights never come near it

# Of a constant answer's loss over the same rows. CS231n's example ends at .0026 of 2.30; the loss of a network that can
# store twenty rows goes on falling, that of one that cannot stays near 1.
OVERFITTED = 0.1
# An answer counts as right: every class, or nearly all of the numbers' variance.
RIGHT = {"accuracy": 1.0, "r2": 0.95}
SOLVED = 0.995  # accuracy or R2 from which on a remedy has nothing left to gain

MILDER: dict[Severity, Severity] = {"sick": "warning", "warning": "note", "note": "note"}

# What these functions read of a trace, for `Disease.reads` of the diseases that use them.
READS_CONSTANT = ("constant-answer-loss", "label-entropy", "value-std", "fact:loss", "fact:loss-reduction")
READS_LOSS = ("loss", *READS_CONSTANT)
READS_LEARNED = (*READS_LOSS, "r2", "balanced-accuracy", "classes-seen")


def means_progress(trace: Trace) -> bool:
    """Whether a loss that falls means that something is learned, and a loss that stays means that nothing is.

    This is unknown for a loss whose kind was not recognised and whose targets are not the rows' own: the loss of a
    policy gradient, a critic or a game may go anywhere.

    Example:
        >>> means_progress(Trace(facts={"loss": "mse"})), means_progress(Trace(facts={"loss": "other"}))
        (True, False)
    """
    known = latest(trace, "constant-answer-loss") is not None
    return known or trace.facts.get("loss", "other") != "other"


def constant_answer_loss(trace: Trace) -> float | None:
    """Mean loss of the best answer that ignores the inputs; None where the trace does not tell.

    Cross-entropy: the entropy of the classes' shares. Squared error: the targets' variance. Absolute error: what
    normally distributed targets give, the highest of all shapes with one standard deviation within a quarter. Of a loss
    written by hand it was measured.
    """
    measured = latest(trace, "constant-answer-loss")
    if measured is not None:
        return measured if measured > 0 else None
    loss = trace.facts.get("loss", "")
    if trace.facts.get("loss-reduction", "mean") != "mean":
        return None
    if loss in CLASS_LOSSES:
        return latest(trace, "label-entropy", layer=TARGETS) or None
    spread = latest(trace, "value-std", layer=TARGETS)
    if not spread:
        return None
    absolute = NORMAL_DEVIATION * spread
    huber = min(spread**2 / 2, absolute)
    return {"mse": spread**2, "l1": absolute, "smooth-l1": huber, "huber": huber}.get(loss)


def constant_answer(trace: Trace) -> tuple[float | None, str]:
    """The loss of the best constant answer and what it is; where targets were not measured, that of even classes."""
    found, loss = constant_answer_loss(trace), trace.facts.get("loss", "")
    if found is not None and latest(trace, "constant-answer-loss") is not None:
        return found, "measured with one answer for all rows"
    if found is not None:
        return found, "the entropy of the labels" if loss in CLASS_LOSSES else "from the spread of the targets"
    # With labels of one class, or numbers all alike, any network answers right at once.
    reduction = trace.facts.get("loss-reduction")
    if latest(trace, "label-entropy", layer=TARGETS) is not None or reduction in ("sum", "own"):
        return None, ""
    if loss in ("bce", "bce-with-logits"):
        return math.log(2), "ln 2"
    classes = trace.facts.get("classes", "")
    width = float(classes) if classes.isdecimal() else latest(trace, "width", layer=OUTPUTS)
    if loss in ("cross-entropy", "nll") and width is not None and width > 1:
        return math.log(width), f"ln {width:g}"
    return None, ""


def start_level(trace: Trace) -> float | None:
    """The first loss, or that of the best constant answer where it is larger; None where neither is above zero.

    A batch of a few rows may begin with a small loss by chance, and a pretrained network begins with a small loss
    because it was trained: later losses should be compared with neither.
    """
    first = observed(trace, "loss").values[:1]
    if not first or first[0] <= 0:
        return None
    return max(first[0], constant_answer_loss(trace) or 0.0)


def loss_over_constant(trace: Trace) -> float | None:
    """The last losses over that of a constant answer: near 1 when nothing is learned, near 0 when all is.

    Example:
        >>> from babysit.record import Row
        >>> rows = (Row(0, "train", TARGETS, "value-std", 2.0), Row(0, "train", "", "loss", 1.0))
        >>> loss_over_constant(Trace(rows, facts={"loss": "mse"}))
        0.25
    """
    constant, last = constant_answer_loss(trace), trace.series("loss").values[-LAST_LOSSES:]
    if constant is None or not last or not all(math.isfinite(value) for value in last):
        return None
    return statistics.median(last) / constant


def loss_over_first(trace: Trace) -> float | None:
    """The loss at the end as a share of the loss at the start.

    None for a loss that starts at zero or below, and for fewer losses than twice as many as the start has.
    """
    values = observed(trace, "loss").values
    if len(values) < 2 * FIRST:
        return None
    start = statistics.median(values[:FIRST])
    end = statistics.median(values[-max(FIRST, round(len(values) * LAST_SHARE)) :])
    return end / start if start > 0 else None


def loss_left(trace: Trace) -> float | None:
    """The last losses over that of a constant answer, or, where that is not known, over the first ones."""
    share = loss_over_constant(trace)
    return loss_over_first(trace) if share is None else share


def loss_over_start(trace: Trace) -> float | None:
    """The last losses over the start; where they come near a constant answer's loss, over that.

    Example:
        >>> from babysit.record import Row
        >>> loss_over_start(Trace(tuple(Row(step, "train", "", "loss", 2.0 / (step + 1)) for step in range(9))))
        0.14285714285714285
    """
    start, constant = start_level(trace), constant_answer_loss(trace)
    if start is None:
        return None
    level = end_level(observed(trace, "loss").values)
    return level / constant if constant and abs(level - constant) <= AT_CHANCE * constant else level / start


def starts_trained(trace: Trace) -> bool:
    """Whether the network was trained before: its first loss is far below that of a constant answer.

    Example:
        >>> starts_trained(Trace())
        False
    """
    losses, constant = trace.series("loss").values, constant_answer_loss(trace)
    return bool(losses) and constant is not None and losses[0] < STARTS_TRAINED * constant


def has_learned(trace: Trace) -> bool:
    """Whether the training has come far from a constant answer, by its loss or by its scores."""
    left, way = loss_left(trace), way_from_chance(trace)
    return (left is not None and left < LEARNED) or (way is not None and way > LEARNED)


def way_from_chance(trace: Trace) -> float | None:
    """The last score between chance (0) and all right (1); None where nothing was scored.

    Losses with a floor of their own, such as that of grey pixels or of a penalty, never come near zero.
    """
    r2, balanced = latest(trace, "r2"), latest(trace, "balanced-accuracy")
    classes = latest(trace, "classes-seen", layer=TARGETS) or 2
    if balanced is not None and classes > 1:
        return (balanced - 1 / classes) / (1 - 1 / classes)
    return r2


BETTER = 0.1  # of the way from a constant answer to a right one: from there on something of the inputs is learned
ERRORS = 3.0  # standard errors by which a loss has to lie below a constant answer's
PHASES = ("train", "validation")
FALLEN = 0.9  # of the first losses, of a loss that has no known level


class Scored(NamedTuple):
    """A score of the end of a training, and that of a constant answer.

    Attributes:
        phase: train or validation.
        name: accuracy, balanced-accuracy or r2.
        last: The last one.
        best: The best one of the later half.
        constant: What a constant answer has.
    """

    phase: str
    name: str
    last: float
    best: float
    constant: float

    @property
    def way(self) -> float:
        """How far the last one has come from a constant answer's (0) to all right (1)."""
        return (self.last - self.constant) / (1 - self.constant)

    def __str__(self) -> str:
        where = "training" if self.phase == "train" else "validation"
        return f"{self.name} {self.last:.3g} in {where}, where a constant answer has {self.constant:.3g}"


def scored(trace: Trace, phase: str) -> Scored | None:
    """The score of a phase beside a constant answer's; None where there is none, or where that is not known."""
    classes = latest(trace, "classes-seen", layer=TARGETS)
    constants = {
        "balanced-accuracy": 1 / classes if classes is not None and classes > 1 else None,
        # Under this loss outputs are logarithms of what they are compared with.
        "r2": None if trace.facts.get("loss") == "poisson-nll" else 0.0,
        "accuracy": latest(trace, "label-top-share", layer=TARGETS),
    }
    for name, constant in constants.items():
        values = observed(trace, name, phase=phase).values
        if values and constant is not None and constant < 1:
            return Scored(phase, name, values[-1], max(values[len(values) // 2 :]), constant)
    return None


class LearningEvidence(NamedTuple):
    """What shows that a training learns.

    Attributes:
        strength: `clear` where it was seen to learn what a constant answer does not know; `weak` where only a loss of
            unknown level falls; else `none`.
        told: What was measured, in a sentence.
    """

    strength: Literal["clear", "weak", "none"]
    told: str


def evidence_of_learning(trace: Trace) -> LearningEvidence:
    """What shows that a training learns: its scores, or its loss against a constant answer's, or that its loss falls.

    Example:
        >>> evidence_of_learning(Trace()).strength
        'none'
    """
    losses, values = trace.series("loss").values, observed(trace, "loss").values
    if not losses:
        return LearningEvidence("none", "no training was seen: no loss was measured")
    if not math.isfinite(losses[-1]):
        return LearningEvidence("none", f"the last loss is {losses[-1]:g}, after {len(losses)} steps")
    unit = trace.facts.get("log", "step")  # a log may have a number an epoch
    after = f"after {len(losses)} {unit}s"
    scores = [one for phase in PHASES if (one := scored(trace, phase)) is not None]
    for one in scores:
        if one.way > BETTER:
            return LearningEvidence("clear", f"it learns: {one}, {after}")
    if scores:
        return LearningEvidence("none", f"it was not seen to learn: {scores[0]}, {after}")
    last, first = end(values), statistics.median(values[:FIRST])
    level = statistics.median(last)
    constant, how = constant_answer(trace)
    if constant is not None:
        error = standard_error(last) if len(last) > 1 else 0.0
        below = level < (1 - BETTER) * constant and statistics.fmean(last) + ERRORS * error < constant
        told = f"loss {level:.4g} {after}, where a constant answer has {constant:.4g} ({how})"
        return (
            LearningEvidence("clear", f"it learns: {told}")
            if below
            else LearningEvidence("none", f"it was not seen to learn: {told}")
        )
    fell = level < FALLEN * first if first > 0 else fall_in_errors(values) > ERRORS
    told = f"the loss {'fell' if fell else 'went'} from {first:.4g} to {level:.4g} {after}"
    if not fell or len(values) < 2 * FIRST:
        return LearningEvidence("none", f"it was not seen to learn: {told}")
    return LearningEvidence(
        "weak", f"{told}; that is weak evidence, since what a constant answer costs is not known for this loss"
    )


RISEN = 0.1  # of an accuracy or R2, since the first evaluation


def validation_agrees(trace: Trace) -> bool:
    """Whether rows that are not trained on show it, too: their loss falls, or a score rises.

    Example:
        >>> validation_agrees(Trace())
        False
    """
    losses = observed(trace, "data-loss", phase="validation").values
    scores = [observed(trace, name, phase="validation").values for name in ("balanced-accuracy", "accuracy", "r2")]
    fell = len(losses) > 1 and 0 < min(losses[1:]) < FALLEN * losses[0]
    return fell or any(len(values) > 1 and max(values[1:]) > values[0] + RISEN for values in scores)


def severity_by_outcome(trace: Trace, severity: Severity) -> Severity:
    """The severity as it is, or one step milder where the training goes well."""
    return MILDER[severity] if has_learned(trace) else severity


def overfits_tiny_batch(trace: Trace) -> bool:
    """Whether a training on the same few rows fits them: the answers are right, and the loss is near zero.

    Example:
        >>> overfits_tiny_batch(Trace())
        False
    """
    return all_right(trace) is not False and loss_is_near_zero(trace)


def all_right(trace: Trace) -> bool | None:
    """Whether the last answers are right: every class, or nearly all of the numbers' variance; None without a score."""
    for name, wanted in RIGHT.items():
        values = trace.series(name).values
        if values:
            return values[-1] >= wanted
    return None


def loss_is_near_zero(trace: Trace) -> bool:
    """Whether the last loss is that of a network that has fitted the tiny batch."""
    losses = trace.series("loss").values
    return bool(losses) and math.isfinite(losses[-1]) and losses[-1] <= near_zero(trace)


def near_zero(trace: Trace) -> float:
    """The loss that is near enough to zero: of a constant answer's where that is known, else of the first loss."""
    constant = constant_answer_loss(trace)
    return OVERFITTED * (constant if constant is not None and constant > 0 else abs(trace.series("loss").values[0]))


def solved(score: float) -> bool:
    """Whether an accuracy or R2 leaves no gap that a remedy could close.

    Example:
        >>> solved(0.99), solved(1.0)
        (False, True)
    """
    return score >= SOLVED
