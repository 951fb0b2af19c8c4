"""When a trial of a search is given up: its loss is NaN or infinite, explodes, or stays at that of a constant answer.

The lecture's random search breaks off a trial as soon as its cost exceeds three times its first cost (CS231n lecture
5 of 2016, slide "hyperparameter optimization": "if the cost is ever > 3 * original cost, break out early"). One batch
of a heavy-tailed target may cost that much in a sound training, so the mean of ten steps is judged, and the original
cost is at least what a constant answer costs: networks that begin with small outputs may begin with an easy batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from babysit.training._batches import Examples
from babysit.training._phase import PhaseNumbers

EXPLODED = 3.0  # times the first loss, the lecture's factor
BLOCK = 10  # steps whose mean loss is judged; aligned to the trial's step numbers, so no cut of the training matters
# A trial is at chance when its score is within two standard errors of the constant answer's and its loss has not
# fallen one percent below the constant's: accuracies often rise while the loss hardly moves, and losses fall while
# rows of a rare class are still all answered with the frequent one.
STANDARD_ERRORS = 2.0
BELOW_CONSTANT = 0.99


class Constant(NamedTuple):
    """What answering the same for every row costs.

    Attributes:
        train_loss: On the training rows.
        loss: On the validation rows.
        score: On the validation rows: the share of the most frequent class, or R2 = 0.
        margin: Two standard errors of that share; 0 for numbers.
    """

    train_loss: float
    loss: float
    score: float
    margin: float


class Learned(NamedTuple):
    """The constant answer that costs least on the training rows.

    Attributes:
        answer: [outputs].
        loss: On the training rows.
        frequent: Their most frequent class; -1 for numbers.
    """

    answer: Tensor
    loss: float
    frequent: int


@torch.no_grad()
def learned_constant(loss: nn.Module, examples: Examples, outputs: int) -> Learned:
    """The cheaper of two constant answers: zeros, and what the training rows' frequencies or mean say.

    Args:
        loss: Of (outputs [N, outputs], targets [N]).
        examples: The rows.
        outputs: Numbers the network gives for one row.
    """
    train = examples.targets[examples.train.to(examples.targets.device)]
    answers = (torch.zeros(outputs, device=train.device), _frequencies(train, outputs))
    costs = [_cost(loss, answer, train) for answer in answers]
    finite = [cost if math.isfinite(cost) else math.inf for cost in costs]
    best = finite.index(min(finite))
    return Learned(answers[best], finite[best], -1 if train.is_floating_point() else int(train.bincount().argmax()))


@torch.no_grad()
def constant_answer(loss: nn.Module, examples: Examples, learned: Learned) -> Constant:
    """What a constant answer costs on the validation rows.

    Args:
        loss: Of (outputs [N, outputs], targets [N]).
        examples: The rows.
        learned: The answer.
    """
    validation = examples.targets[examples.validation.to(examples.targets.device)]
    held_out = _cost(loss, learned.answer, validation) if math.isfinite(learned.loss) else math.inf
    if validation.is_floating_point():
        return Constant(learned.loss, held_out, 0.0, 0.0)
    share = float((validation == learned.frequent).double().mean())
    return Constant(learned.loss, held_out, share, STANDARD_ERRORS * math.sqrt(share * (1 - share) / len(validation)))


def _frequencies(targets: Tensor, outputs: int) -> Tensor:
    """Log shares of the classes, their log odds for one output, or the mean."""
    if targets.is_floating_point():
        return targets.mean().expand(1)
    shares = (targets.bincount(minlength=max(2, outputs)).float() / len(targets)).clamp(min=1e-6)
    return shares.log() if outputs > 1 else (shares[1:2] / shares[0:1]).log()


def _cost(loss: nn.Module, answer: Tensor, targets: Tensor) -> float:
    return float(loss(answer.expand(len(targets), -1), targets))


@dataclass
class Course:
    """The losses of a trial's batches, heard step by step.

    Attributes:
        step: Steps taken.
        first_loss: Of the first batch; NaN before it.
        ended: What ended it; empty while nothing has.
        loss_sum: Sum over the rows since the last score.
        rows: Rows since the last score.
        block_sum: Sum of the losses of the block of ten steps under way.
    """

    step: int = 0
    first_loss: float = math.nan
    ended: Literal["", "stopped", "diverged", "exploded"] = ""
    loss_sum: float = 0.0
    rows: int = 0
    block_sum: float = field(default=0.0)

    @property
    def train_loss(self) -> float:
        """Mean over the rows since the last score; NaN when there were none."""
        return self.loss_sum / self.rows if self.rows else math.nan

    def hear(self, losses: Sequence[float], rows: Sequence[int], constant: float) -> None:
        """Take in the losses of the steps after the last one heard; nothing is heard once it has ended.

        Args:
            losses: Of each step, penalties left out.
            rows: Of each step.
            constant: What a constant answer costs on the training rows.
        """
        for loss, count in zip(losses, rows, strict=True):
            if self.ended:
                return
            if self.step == 0:
                self.first_loss = loss
            self.step += 1
            self.loss_sum += loss * count
            self.rows += count
            self.block_sum += loss
            if not math.isfinite(loss):
                self.ended = "diverged"
            elif self.step % BLOCK == 0:
                if self.block_sum / BLOCK > EXPLODED * max(self.first_loss, constant):
                    self.ended = "exploded"
                self.block_sum = 0.0


def at_chance(measured: PhaseNumbers, constant: Constant) -> bool:
    """Whether a trial answers no better than a constant would."""
    return measured.score <= constant.score + constant.margin and not measured.loss < BELOW_CONSTANT * constant.loss
