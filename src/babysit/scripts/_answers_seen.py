"""Scores of a script's answers, as far as they can be seen: on training batches, and on the rows that it evaluates."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from babysit.data import Moments, moments_of
from babysit.probes import Aside
from babysit.record import Row, losses_that
from babysit.remedies import Replacements

Phase = Literal["train", "validation"]

WINDOW = 200  # training steps that the score of the end is taken over
SHARE_OF_STEPS = 0.25  # and never more than this share of all
HALF = 0.5
ROUNDING = 1e-14  # of a number's size
MOST_PLACES = 4096  # numbers of one answer, whose means are kept one by one
LEAST_ROWS = 10  # from which on such means are known
NO_TARGETS = Moments(0.0, 0.0, 0.0)
CLASSES = ("cross-entropy", "nll")
BINARY = ("bce", "bce-with-logits")
NUMBERS = losses_that(compares="numbers")


@dataclass(frozen=True)
class Tally:
    """Counts of one batch: of each class right and all, or what R2 is made of.

    Attributes:
        right: How many answers were right, by class.
        all: How many rows there were, by class.
        targets: Moments of targets that are numbers.
        places: The same for each number of an answer, such as a pixel; None where answers are single numbers.
        errors: Sum of the squared errors.
    """

    right: dict[int, int] = field(default_factory=dict)
    all: dict[int, int] = field(default_factory=dict)
    targets: Moments[float] = NO_TARGETS
    places: Moments[Tensor] | None = None
    errors: float = 0.0


@torch.no_grad()
def tally(name: str, outputs: Tensor, targets: Tensor) -> Tally | None:
    """Of the outputs and targets that enter a loss function; None where they cannot be scored."""
    outputs, targets = outputs.detach(), targets.detach()
    if outputs.is_complex() or targets.is_complex():
        return None
    if name in CLASSES and outputs.ndim > 1:
        if targets.shape == outputs.shape:
            targets = targets.argmax(1)
        return _of_classes(outputs.argmax(1), targets)
    if name in BINARY and outputs.shape == targets.shape and bool(((targets > 0) & (targets < 1)).any()):
        return _of_numbers(outputs if name == "bce" else outputs.sigmoid(), targets)  # grey pixels are no classes
    if name in BINARY and outputs.numel() == targets.numel():
        if outputs.ndim > 1 and outputs.shape[1] > 1 and bool((targets.sum(1) == 1).all()):
            return _of_classes(outputs.argmax(1), targets.argmax(1))
        border = HALF if name == "bce" else 0.0
        return _of_classes(outputs.reshape(-1) > border, targets.reshape(-1) > HALF)
    if name in NUMBERS and outputs.numel() == targets.numel():
        wanted = targets.double()
        if outputs.ndim == 2 and outputs.shape[1] > 1 and _one_hot(wanted):
            return _of_classes(outputs.argmax(1), wanted.argmax(1))
        return _of_numbers(outputs, targets)
    return None


def _of_numbers(outputs: Tensor, targets: Tensor) -> Tally:
    wanted = targets.double()
    errors = float((outputs.double().reshape(-1) - wanted.reshape(-1)).square().sum())
    found = moments_of(wanted.reshape(-1))
    places = None
    if wanted.ndim > 1 and 1 < wanted[:1].numel() <= MOST_PLACES:
        places = moments_of(wanted.flatten(1))
    return Tally(
        targets=Moments(float(found.count), float(found.mean), float(found.squares)), places=places, errors=errors
    )


def _one_hot(targets: Tensor) -> bool:
    return bool(((targets == 0) | (targets == 1)).all()) and bool((targets.sum(1) == 1).all())


def _of_classes(answers: Tensor, targets: Tensor) -> Tally:
    answers, targets = answers.reshape(-1).long(), targets.reshape(-1).long()
    kept = targets >= 0
    answers, targets = answers[kept], targets[kept]
    number = int(targets.max()) + 1 if len(targets) else 0
    counted = torch.bincount(targets, minlength=number).tolist()
    right = torch.bincount(targets[answers == targets], minlength=number).tolist()
    seen = [at for at, count in enumerate(counted) if count]
    return Tally({at: right[at] for at in seen}, {at: counted[at] for at in seen})


def joined(tallies: Sequence[Tally]) -> Tally:
    """Several batches as one. Places are dropped where answers are not all of one shape."""
    right: dict[int, int] = {}
    counted: dict[int, int] = {}
    targets, errors = NO_TARGETS, 0.0
    places = tallies[0].places if tallies else None
    for number, one in enumerate(tallies):
        for at, count in one.all.items():
            counted[at] = counted.get(at, 0) + count
            right[at] = right.get(at, 0) + one.right.get(at, 0)
        targets, errors = targets.joined(one.targets), errors + one.errors
        if number and places is not None:
            alike = one.places is not None and one.places.mean.shape == places.mean.shape
            places = places.joined(one.places) if alike and one.places is not None else None
    return Tally(right, counted, targets, places, errors)


def score_of(tallies: Sequence[Tally]) -> tuple[str, float] | None:
    """Balanced accuracy (the mean over classes of the share that is right), or R2; None of nothing.

    A constant answer has 1 / classes, or 0, however uneven the classes are. Of answers of several numbers, such as
    images, it is one number for each place: the mean image tells nothing of the inputs.
    """
    whole = joined(tallies)
    if whole.all:
        return "balanced-accuracy", sum(whole.right[at] / whole.all[at] for at in whole.all) / len(whole.all)
    # Targets that are all the same differ by rounding at most, and no share of that can be explained.
    least = whole.targets.count * (ROUNDING * whole.targets.mean) ** 2
    if not whole.targets.squares > least:
        return None
    if whole.places is not None and float(whole.places.count.max()) >= LEAST_ROWS:
        by_place = float(whole.places.squares.sum())
        if by_place > least:  # else there is one row alone that comes again and again, such as a picture to be learned
            return "r2", 1 - whole.errors / by_place
    return "r2", 1 - whole.errors / whole.targets.squares


class AnswersSeen:
    """Scores of a training's end, and of its evaluations.

    An evaluation is what follows a forward pass without gradients: losses computed then, and comparisons of equal
    tensors, such as `(outputs.argmax(1) == targets)`.

    Attributes:
        evaluating: Whether one is under way.
        inside: Whether the network's own forward pass is under way: what it compares then is not an answer.
        evaluations: Of rows that are not trained on: step, name and value of the score.
    """

    def __init__(self) -> None:
        self.recent: deque[Tally] = deque(maxlen=WINDOW)
        self.steps = 0
        self.evaluating = False
        self.evaluations: list[tuple[int, str, float]] = []
        self._phase: Phase = "validation"
        self._empty()
        self._said: set[tuple[int, Phase]] = set()
        self._comparing = Replacements()
        self.inside = False

    def trained_on(self, name: str, outputs: Tensor, targets: Tensor) -> None:
        """A batch entered the loss function in training."""
        found = tally(name, outputs, targets)
        if found is not None:
            self.recent.append(found)
            self.steps += 1

    def begin_evaluation(self, phase: Phase, step: int) -> list[Row]:
        """An evaluation begins or goes on, of rows that are trained on or of others. Returns what it ends."""
        ended = self.end_of_evaluation(step) if self.evaluating and phase != self._phase else []
        self._phase = phase
        if not self.evaluating:
            self.evaluating = True
            for owner, name in ((Tensor, "__eq__"), (Tensor, "eq"), (torch, "eq")):
                self._comparing.put(owner, name, self._compare)
        return ended

    def evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """A batch entered a loss function after a pass without gradients."""
        inside, self.inside = self.inside, True  # what is compared here is no answer of the script's
        try:
            self._evaluated(name, outputs, targets, value)
        finally:
            self.inside = inside

    def _evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        if value is not None and value.numel() == 1:
            rows = max(1, len(outputs) if outputs.ndim else 1)
            self._loss += float(value) * rows
            self._rows += rows
        found = tally(name, outputs, targets)
        if found is not None:
            self._tallies[:] = [joined([*self._tallies, found])]

    def end_of_evaluation(self, step: int) -> list[Row]:
        """Training goes on, or the script is over: what the evaluation came to; of several in a step, the first."""
        rows: list[Row] = []
        if self._rows:
            rows.append(Row(step, self._phase, "", "data-loss", self._loss / self._rows))
        scored = score_of(self._tallies)
        if self._compared:
            # Plain accuracy, as the script reckons it.
            scored = "accuracy", self._equal / self._compared
        if scored is not None:
            rows.append(Row(step, self._phase, "", *scored))
            if self._phase == "validation":
                self.evaluations.append((step, *scored))
        said = (step, self._phase) in self._said
        if rows:
            self._said.add((step, self._phase))
        self.drop_evaluation()
        return [] if said else rows

    def drop_evaluation(self) -> None:
        """What seemed to be one was training."""
        self._empty()
        self.evaluating = False
        self._comparing.take_back()

    def at_the_end(self) -> tuple[str, float] | None:
        """The score of the last training steps: at most two hundred, and a quarter of all."""
        few = max(1, min(WINDOW, int(SHARE_OF_STEPS * self.steps)))
        return score_of(list(self.recent)[-few:])

    def _empty(self) -> None:
        self._loss, self._rows = 0.0, 0
        self._tallies: list[Tally] = []
        self._equal, self._compared = 0, 0

    def _compare(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compare(first: Any, second: Any, **options: Any) -> Any:
            result = original(first, second, **options)
            if self.evaluating and not self.inside and isinstance(first, Tensor) and isinstance(second, Tensor):
                with contextlib.suppress(Exception), Aside():  # what is compared may be anything
                    if first.shape == second.shape and first.ndim and not torch.compiler.is_compiling():
                        self._equal += int(result.sum())
                        self._compared += result.numel()
            return result

        return compare
