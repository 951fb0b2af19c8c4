"""What is known of a loss from the way to it: its kind, its targets, and numbers that hold for any loss."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, NamedTuple

import torch
from torch import Tensor

from babysit.probes._loss_kinds import KnownLoss, recognised
from babysit.probes._loss_numbers import (
    Average,
    Recurring,
    best_constant,
    changing_targets,
    constant_value,
    is_all,
    of_constant_answer,
    of_outputs,
    times_of,
)
from babysit.probes._loss_tape import LossTape, nothing_drawn
from babysit.probes._numbers import readable
from babysit.record import OUTPUTS, TARGETS, Row

MEAN = 1e-3  # how near to 1 the loss over the mean is, where it is the mean
PAIRED_ROWS, PAIRED = 8, 0.95  # rows that came again, and the share of them that had their own target
FITS = 6  # times at which the best constant answer of an unknown loss is looked for
MOST_NODES = 5000  # of a graph of gradients that are looked at
SECONDS = 1.0  # spent on that, at most


class Heard(NamedTuple):
    """A loss function of PyTorch that was called."""

    name: str
    outputs: Tensor
    targets: Tensor


class LossSeen(NamedTuple):
    """What one step told.

    Attributes:
        known: The loss, where it was recognised and is the only one.
        reduction: mean, or own where the loss is another multiple or function of the mean.
        rows: Numbers.
    """

    known: KnownLoss | None
    reduction: str
    rows: list[Row]


class LossProbe:
    """Looks at one step after another.

    Example:
        >>> outputs, targets = torch.rand(8, 1, requires_grad=True), torch.rand(8, 1)
        >>> tape = LossTape()
        >>> _ = tape.start()
        >>> tape.outputs(outputs)
        >>> loss = (outputs - targets).pow(2).sum()
        >>> tape.stop()
        >>> seen = LossProbe().see(0, tape, loss, None, None)
        >>> seen.known.name, seen.known.times, seen.reduction
        ('mse', 8.0, 'own')
    """

    def __init__(self) -> None:
        self._average = Average()
        self._recurring = Recurring()
        self._fitted: list[Tensor] | None = None
        self._fits = 0
        self._is_other = False  # whether a step was seen whose loss is of no known kind
        self._spent = 0.0

    def see(
        self,
        step: int,
        tape: LossTape,
        loss: Tensor,
        inputs: Tensor | None,
        heard: Heard | None,
        weights: Collection[Tensor] = (),
    ) -> LossSeen | None:
        """Read a record that goes to the loss; None where it cannot be followed.

        Args:
            step: The step.
            tape: The record.
            loss: What the backward pass begins at.
            inputs: What the network was given.
            heard: A loss function of PyTorch that was called on the way.
            weights: Of the network: a loss that none of them is reached from is another network's. Empty asks nothing.
        """
        if weights and not reaches(loss, weights):
            return None
        if loss.numel() != 1 or not bool(torch.isfinite(loss.detach()).all()):
            return None
        with nothing_drawn(loss), torch.no_grad():
            if not tape.is_true_to(loss):
                return None
            return self._seen(step, tape, loss, inputs, heard)

    def _seen(self, step: int, tape: LossTape, loss: Tensor, inputs: Tensor | None, heard: Heard | None) -> LossSeen:
        known, times = None, None
        if heard is None:
            known = next((one for one in recognised(tape) if is_all(tape, loss, one)), None)
            # A loss that is another one at times, as where no margin is passed, is none of these.
            self._is_other = self._is_other or known is None
            known = None if self._is_other else known
            times = times_of(tape, loss, known) if known is not None else None
        rows = len(tape.roots[0]) if tape.roots and tape.roots[0].ndim else 0
        targets = heard.targets if heard is not None else known.meeting.targets if known is not None else None
        if targets is None and not tape.of_weights:
            targets = changing_targets(tape, rows)
        found: list[Row] = []
        if targets is not None:
            found += self._of_rows(step, tape, inputs, targets)
        if not tape.of_weights:
            found += self._of_outputs(step, tape, loss, rows, targets)
        reduction = "mean" if times is not None and abs(abs(times) - 1) <= MEAN else "own"
        constant = None
        if known is not None:
            mean = self._average.add(
                known.targets if known.name in ("cross-entropy", "nll") else known.meeting.targets,
                known.answers.shape[-1],
            )
            if mean is not None and (reduction == "own" or tape.of_weights):
                constant = of_constant_answer(tape, loss, known, mean)
        elif heard is None and targets is not None and self._paired:
            constant = self._of_unknown(tape, loss, rows)
        if constant is not None:
            found.append(Row(step, "train", "", "constant-answer-loss", constant))
        return LossSeen(known, reduction, found)

    @property
    def _paired(self) -> bool:
        again, same = self._recurring.again, self._recurring.same
        return again >= PAIRED_ROWS and same >= PAIRED * again

    def _of_rows(self, step: int, tape: LossTape, inputs: Tensor | None, targets: Tensor) -> list[Row]:
        if inputs is None and tape.of_weights:
            inputs = next(
                (
                    one
                    for one in tape.constants()
                    if one.ndim > 1 and one.is_floating_point() and one is not targets and len(one) == len(targets)
                ),
                None,
            )
        if inputs is None or not readable(inputs) or not readable(targets) or not targets.ndim or not inputs.ndim:
            return []
        self._recurring.add(inputs.detach(), targets.detach())
        if not self._recurring.again:
            return []
        return [
            Row(step, "train", TARGETS, "recurring-rows", float(self._recurring.again)),
            Row(step, "train", TARGETS, "same-target-share", self._recurring.same / self._recurring.again),
            Row(step, "train", TARGETS, "same-target-chance", self._recurring.chance),
        ]

    def _of_outputs(self, step: int, tape: LossTape, loss: Tensor, rows: int, targets: Tensor | None) -> list[Row]:
        seen = of_outputs(tape, loss, rows)
        if seen is None or not float(loss.detach()):
            return []
        found = [Row(step, "train", OUTPUTS, "gradient-zero-row-share", seen.zero_rows)]
        if targets is not None and len(targets) == rows > 1:
            found.append(Row(step, "train", OUTPUTS, "exchanged-rows-change", seen.moves))
            root = tape.roots[0]
            if len(tape.roots) == 1 and root.numel() == targets.numel() and seen.zero_rows < 1:
                wrong = _both_sides(root.detach().reshape(-1), targets.detach().reshape(-1))
                one_sign = wrong and (seen.rising == 0 or seen.falling == 0) and not _shares(root.detach())
                found.append(Row(step, "train", OUTPUTS, "gradient-one-sign", float(one_sign)))
        return found

    def _of_unknown(self, tape: LossTape, loss: Tensor, rows: int) -> float | None:
        """What an answer that was the best one for the batch before costs on this one."""
        if self._fits > FITS or self._spent > SECONDS:
            return None
        start, value = time.perf_counter(), None
        fitted = self._fitted
        if fitted is not None and [one.shape for one in fitted] == [root.shape[1:] for root in tape.roots]:
            value = float(constant_value(tape, loss, fitted))
        self._fitted = best_constant(tape, loss, rows)
        self._fits += 1
        self._spent += time.perf_counter() - start
        return value


def reaches(loss: Tensor, weights: Collection[Tensor]) -> bool:
    """Whether a backward pass from the loss would come to one of the weights."""
    wanted = {id(one) for one in weights}
    waiting: list[Any] = [loss.grad_fn]
    seen: set[Any] = set()
    while waiting and len(seen) < MOST_NODES:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if id(getattr(node, "variable", None)) in wanted:
            return True
        waiting += [before for before, _ in node.next_functions]
    return bool(waiting)


def _both_sides(answers: Tensor, targets: Tensor) -> bool:
    """Whether some answers should be larger and others smaller."""
    if len(targets.unique()) == 2:
        return True  # two classes: for each, answers should go its own way
    wrong = answers.double() - targets.double()
    return bool((wrong > 0).any() and (wrong < 0).any())


def _shares(answers: Tensor) -> bool:
    """Whether rows sum to one, so that what lifts one output lowers the others."""
    return answers.ndim > 1 and answers.shape[-1] > 1 and bool(((answers.sum(-1) - 1).abs() < 1e-3).all())
