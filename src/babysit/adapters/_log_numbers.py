"""What the numbers of somebody's log mean: from names as people write them to quantities, and from those to a Trace."""

from __future__ import annotations

import itertools
import math
import re
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from babysit.record import Event, Row, Trace

VALIDATION = frozenset("val valid validation eval evaluation dev holdout heldout".split())
TEST = frozenset({"test"})
TRAINING = frozenset("train training trn tr".split())
PHASES = {"validation": VALIDATION, "test": TEST, "train": TRAINING}
# Of a word that names a quantity; the last one of a name that is known decides: `val_loss_epoch`, `Loss/train`.
LOSS = frozenset("loss losses nll ce xent crossentropy mse bce objective".split())
ACCURACY = frozenset("acc accuracy top1 acc1".split())
RATE = frozenset({"lr", "lrs", "learningrate"})
STEP = frozenset("step globalstep globalsteps iteration iterations iter iters it update updates".split())
# Two words that are one.
JOINED = {
    ("cross", "entropy"): "crossentropy",
    ("learning", "rate"): "learningrate",
    ("grad", "norm"): "gradnorm",
    ("gradient", "norm"): "gradnorm",
    ("global", "step"): "globalstep",
    ("top", "1"): "top1",
    ("acc", "1"): "acc1",
}
# A part of a loss, or of another network's: not what a training makes small.
PARTS = frozenset("aux auxiliary kl kld reg regularization regularisation penalty entropy value policy commit".split())
# What is not a mean of the run: the best so far, a limit, how long it took.
NOT_MEASURED = frozenset("best min max std var runtime seconds time per target samples lowest highest".split())
PERCENT = 1.5  # an accuracy above it is told in percent
WORD = re.compile(r"[a-z]+|[0-9]+")

Axis = Literal["step", "epoch", "record"]


class Meaning(NamedTuple):
    """What a name in a log stands for.

    Attributes:
        phase: train, validation or test.
        quantity: As babysit names it; `step` and `epoch` for the axes.
        by: `epoch` where the name says that it is the mean of an epoch, `step` where it says that it is of a step.
    """

    phase: str
    quantity: str
    by: str = ""


class LogNumber(NamedTuple):
    """One number of a log.

    Attributes:
        record: Which line, or row, or moment it stands in, counted from 0.
        step: The optimizer's step, where the log tells it.
        epoch: The epoch, where the log tells it.
        name: As the log names it.
        value: The number.
    """

    record: int
    step: float | None
    epoch: float | None
    name: str
    value: float


def meaning(name: str, phase: str = "") -> Meaning | None:
    """What a name in a log stands for; None where it is nothing that a finding reads.

    Args:
        name: The name.
        phase: Of the line or the folder it stands in; empty where that is unknown.

    Example:
        >>> meaning("val_loss")
        Meaning(phase='validation', quantity='data-loss', by='')
        >>> meaning("Train/Loss_step").quantity, meaning("eval/acc@1").quantity, meaning("learning_rate").quantity
        ('loss', 'accuracy', 'lr')
        >>> meaning("val/best_loss"), meaning("train_runtime")
        (None, None)
    """
    # `valLoss` is two words.
    words = WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    for pair, joined in JOINED.items():
        for at in range(len(words) - 1):
            if tuple(words[at : at + 2]) == pair:
                words[at : at + 2] = [joined]
    known = set(words)
    if known & NOT_MEASURED:
        return None
    named = [which for which, names in PHASES.items() if known & names]
    told = named[0] if named else phase or "train"
    by = "epoch" if known & {"epoch", "avg", "average"} else "step" if known & (STEP | {"batch"}) else ""
    if known & RATE:
        return Meaning("train", "lr")
    if "gradnorm" in known:
        return Meaning("train", "gradient-norm")
    if known & LOSS:
        if known & PARTS:
            return None
        return Meaning(told, "loss" if told == "train" else "data-loss", by)
    if known & {"perplexity", "ppl"}:
        return Meaning(told, "perplexity", by)
    if known & ACCURACY:
        return Meaning(told, "balanced-accuracy" if "balanced" in known else "accuracy", by)
    if "r2" in known or words[-2:] == ["r", "2"]:
        return Meaning(told, "r2", by)
    if words and words[-1] in {"epoch", "epochs"} and len(words) <= 2:
        return Meaning("", "epoch")
    if words and words[-1] in STEP and not known & VALIDATION:
        return Meaning("", "step")
    return None


def trace_of_log(numbers: Sequence[LogNumber], phases: dict[str, str] | None = None) -> Trace:
    """A Trace of what a log tells.

    Training losses are `loss`. A validation's loss and scores stand at the step at which they were written; beside
    them, at the same step, stands what the training rows cost since the validation before, in training mode. Where the
    log counts no steps, a record is taken for a step.

    Args:
        numbers: In the order of the log.
        phases: The phase of a name, where its folder or its line tells it.

    Example:
        >>> numbers = [LogNumber(0, 10, None, "loss", 2.3), LogNumber(1, 20, None, "loss", 1.9)]
        >>> numbers += [LogNumber(2, 20, None, "val_loss", 2.0)]
        >>> trace = trace_of_log(numbers)
        >>> trace.series("loss").steps, round(trace.series("data-loss").values[0], 3)
        ((10, 20), 2.1)
    """
    meant = {name: meaning(name, (phases or {}).get(name, "")) for name in {number.name for number in numbers}}
    axis = _axis(numbers, meant)
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    for number in numbers:
        what = meant[number.name]
        if what is None or what.quantity in ("step", "epoch"):
            continue
        quantity, value = what.quantity, number.value
        if quantity == "perplexity":
            quantity = "loss" if what.phase == "train" else "data-loss"
            value = math.log(value) if value > 0 else value
        found.setdefault((what.phase, quantity, what.by), {})[_place(number, axis)] = value
    chosen = _chosen(found)
    events = _hidden(chosen)
    rows = [
        Row(step, phase, "", quantity, value) for (phase, quantity), points in chosen.items() for step, value in points
    ]
    rows += _beside_validation(chosen)
    facts = {"log": axis} | _facts(numbers, axis)
    return Trace(tuple(sorted(rows, key=lambda row: row.step)), events=tuple(events), facts=facts)


def _axis(numbers: Sequence[LogNumber], meant: dict[str, Meaning | None]) -> Axis:
    """Steps where they grow and differ, else epochs where each record is one, else records."""
    told = [number for number in numbers if (what := meant[number.name]) is not None and what.quantity == "loss"]
    told = told or [number for number in numbers if meant[number.name] is not None]
    for axis in ("step", "epoch"):
        places = [getattr(number, axis) for number in told]
        if len(places) > 1 and None not in places:
            grows = all(one < other for one, other in itertools.pairwise(dict.fromkeys(places)))
            whole = axis == "step" or all(float(place).is_integer() for place in places)
            if grows and whole and len(set(places)) == len({number.record for number in told}):
                return "step" if axis == "step" else "epoch"
    return "record"


def _place(number: LogNumber, axis: Axis) -> int:
    place = {"step": number.step, "epoch": number.epoch, "record": number.record}[axis]
    if place is None or not math.isfinite(place):
        place = number.record
    return max(0, int(place))


def _chosen(found: dict[tuple[str, str, str], dict[int, float]]) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """Of several ways in which a quantity was written the one with most numbers; accuracies as shares."""
    best: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for (phase, quantity, _), points in sorted(found.items(), key=lambda item: len(item[1])):
        best[phase, quantity] = sorted(points.items())
    for key, written in best.items():
        if key[1].endswith("accuracy") and any(value > PERCENT for _, value in written if math.isfinite(value)):
            best[key] = [(step, value / 100) for step, value in written]
    return best


def _beside_validation(chosen: dict[tuple[str, str], list[tuple[int, float]]]) -> Iterable[Row]:
    """What training rows cost between two validations, beside the second."""
    losses = chosen.get(("train", "loss"), [])
    before = -1
    for step, _ in chosen.get(("validation", "data-loss"), []):
        between = [value for at, value in losses if before < at <= step and math.isfinite(value)]
        if between:
            yield Row(step, "train", "", "data-loss", statistics.fmean(between))
        before = step


def _facts(numbers: Sequence[LogNumber], axis: Axis) -> dict[str, str]:
    """Steps an epoch, where both are told."""
    pairs = [(number.step, number.epoch) for number in numbers if number.step and number.epoch]
    if axis != "step" or not pairs:
        return {}
    step, epoch = pairs[-1]
    return {"steps-per-epoch": str(max(1, round(step / epoch)))} if step and epoch else {}


def _hidden(chosen: dict[tuple[str, str], list[tuple[int, float]]]) -> list[Event]:
    """A loss of exactly 0 beside a gradient that is NaN: a trainer that hides what is not finite wrote it so."""
    losses = chosen.get(("train", "loss"), [])
    norms = dict(chosen.get(("train", "gradient-norm"), []))
    hidden = [step for step, value in losses if value == 0 and not math.isfinite(norms.get(step, 0.0))]
    if not hidden:
        return []
    chosen["train", "loss"] = [(step, math.nan if step in set(hidden) else value) for step, value in losses]
    text = f"the log has a loss of 0 beside a gradient norm that is not finite from step {hidden[0]} on: a NaN that"
    return [Event(hidden[0], "not-finite", f"{text} its writer hides (logging_nan_inf_filter in Transformers)")]
