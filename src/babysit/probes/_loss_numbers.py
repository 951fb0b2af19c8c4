"""What a loss is worth, whatever its kind: how it answers to the outputs, and what other answers would cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import grad

from babysit.probes._loss_kinds import KnownLoss, may_be_targets
from babysit.probes._loss_tape import LossTape

FITTING = 60  # steps in which the best constant answer is looked for
RATE = 0.1  # of these steps, over the size of the outputs
SAME = 1e-6  # of the loss: it has not changed


class OfOutputs(NamedTuple):
    """How a loss answers to the network's outputs.

    Attributes:
        zero_rows: Share of rows whose outputs' gradient is exactly zero.
        rising, falling: Share of outputs that the loss wants smaller and larger.
        moves: Relative change of the loss when the rows' outputs are exchanged.
    """

    zero_rows: float
    rising: float
    falling: float
    moves: float


def of_outputs(tape: LossTape, loss: Tensor, rows: int) -> OfOutputs | None:
    """By a replay from outputs that have a row for each row of the batch; None where there are none."""
    roots = [root for root in tape.roots if root.ndim and root.shape[0] == rows]
    if not roots or len(roots) < len(tape.roots):
        return None
    with torch.enable_grad():
        leaves = [root.detach().clone().requires_grad_() for root in roots]
        again = tape.replay({id(root): leaf for root, leaf in zip(roots, leaves, strict=True)}, loss)
        found: Sequence[Tensor | None] = [None] * len(leaves)
        if again.requires_grad:
            found = grad(again, leaves, allow_unused=True)
    slopes = [torch.zeros_like(leaf) if slope is None else slope for slope, leaf in zip(found, leaves, strict=True)]
    reached = torch.stack([slope.reshape(rows, -1).abs().amax(1) > 0 for slope in slopes]).any(0)
    whole = torch.cat([slope.reshape(-1) for slope in slopes])
    with torch.no_grad():
        value = float(loss.detach())
        changes = [0.0]
        for turned in (1, max(1, rows // 2)):
            other = tape.replay({id(root): root.detach().roll(turned, 0) for root in roots}, loss)
            changes.append(abs(float(other) - value) / max(abs(value), 1e-12))
    share = 1 - float(reached.float().mean())
    return OfOutputs(share, float((whole > 0).float().mean()), float((whole < 0).float().mean()), max(changes))


@torch.no_grad()
def is_all(tape: LossTape, loss: Tensor, known: KnownLoss) -> bool:
    """Whether the loss depends on the outputs by way of what was recognised alone."""
    if known.node is loss or tape.of_weights:
        return True
    turned = {id(root): root.detach().flip(0) * 0.9 for root in tape.roots}
    held = float(tape.replay({**turned, id(known.node): known.node.detach()}, loss))
    return abs(held - float(loss.detach())) <= SAME * max(abs(held), abs(float(known.node.detach())))


@torch.no_grad()
def times_of(tape: LossTape, loss: Tensor, known: KnownLoss) -> float | None:
    """The loss is so many times the mean that PyTorch's function gives, plus what does not depend on outputs.

    None where the loss is another function of it.
    """
    node, value = known.node, float(known.node.detach())
    if node is loss:
        return known.times
    slopes = []
    for factor in (0.5, 2.0):
        other = float(tape.replay({id(node): node.detach() * factor}, loss))
        slopes.append((other - float(loss.detach())) / ((factor - 1) * value))
    if not all(map(math.isfinite, slopes)) or abs(slopes[0] - slopes[1]) > 1e-3 * max(map(abs, slopes)):
        return None
    return known.times * slopes[1]


class Average:
    """The mean of targets over the batches that were seen, for each output of a row."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._rows = 0

    def add(self, targets: Tensor, width: int) -> Tensor | None:
        """One more batch, of numbers [N, ...] or of class numbers; the mean over all."""
        if targets.is_floating_point():
            summed = targets.double().sum(0)
            rows = len(targets)
        else:
            summed = torch.bincount(targets.reshape(-1).clamp(0, width - 1), minlength=width).double()
            rows = targets.numel()
        if self._sum is not None and self._sum.shape != summed.shape:
            self._sum, self._rows = None, 0
        self._sum = summed if self._sum is None else self._sum + summed
        self._rows += rows
        return self._sum / self._rows


@torch.no_grad()
def of_constant_answer(tape: LossTape, loss: Tensor, known: KnownLoss, mean: Tensor) -> float | None:
    """What the loss would be, were every row given the best answer that ignores the inputs."""
    answers = known.meeting.answers
    if known.name in ("cross-entropy", "nll"):
        answer = mean if known.shares else mean.clamp_min(1e-6).log()
    elif known.name == "bce-with-logits":
        answer = mean.clamp(1e-6, 1 - 1e-6).logit()
    elif known.name == "poisson-nll":
        answer = mean.clamp_min(1e-6).log()
    elif known.name == "hinge":
        return None
    else:
        answer = mean
    try:
        constant = answer.to(answers.dtype).expand(answers.shape)
    except RuntimeError:
        constant = answer.mean().to(answers.dtype).expand(answers.shape)
    return float(tape.replay({id(one): constant.clone() for one in tape.equal_to(answers)}, loss))


def best_constant(tape: LossTape, loss: Tensor, rows: int) -> list[Tensor] | None:
    """The best answer that ignores the inputs, looked for by steps on this batch; one for each of the outputs."""
    roots = tape.roots
    if not roots or any(not root.ndim or root.shape[0] != rows for root in roots):
        return None
    sizes = [float(root.detach().abs().max()) or 1.0 for root in roots]
    with torch.enable_grad():
        answers = [root.detach().mean(0).clone().requires_grad_() for root in roots]
        moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in answers]
        for step in range(1, FITTING + 1):
            value = constant_value(tape, loss, answers)
            if not value.requires_grad:
                return None
            found = grad(value, answers, allow_unused=True)
            with torch.no_grad():
                for one, slope, (first, second), size in zip(answers, found, moments, sizes, strict=True):
                    if slope is not None:
                        first.mul_(0.9).add_(slope, alpha=0.1)
                        second.mul_(0.99).addcmul_(slope, slope, value=0.01)
                        scaled = (second / (1 - 0.99**step)).sqrt().add_(1e-12)
                        one.sub_(RATE * size * first / (1 - 0.9**step) / scaled)
    return [one.detach() for one in answers]


def constant_value(tape: LossTape, loss: Tensor, answers: Sequence[Tensor]) -> Tensor:
    """The loss of one answer for all rows."""
    found: Tensor = tape.replay(
        {id(root): one.expand(root.shape).clone() for root, one in zip(tape.roots, answers, strict=True)}, loss
    )
    return found


class Recurring:
    """Whether rows that come again have the target that they had: the rows' own, or others.

    Example:
        >>> recurring, rows = Recurring(), torch.rand(4, 3)
        >>> recurring.add(rows, torch.arange(4.0))
        >>> recurring.add(rows, torch.arange(4.0))
        >>> recurring.again, recurring.same
        (4, 4)
    """

    MOST = 4096  # rows that are remembered
    OF_A_BATCH = 256

    def __init__(self) -> None:
        self.again = self.same = 0
        self.chance = 0.0  # how often two rows' targets would be the same
        self._targets: dict[float, float] = {}
        self._counts: dict[float, int] = {}

    def add(self, inputs: Tensor, targets: Tensor) -> None:
        """A batch, with its targets."""
        if not inputs.is_floating_point() or inputs.ndim < 2 or len(inputs) != len(targets):
            return
        if inputs[0].numel() < 2:
            return
        known = _keys(inputs[: self.OF_A_BATCH])
        wanted = _keys(targets[: self.OF_A_BATCH])
        for key, target in zip(known, wanted, strict=True):
            self._counts[target] = self._counts.get(target, 0) + 1
            before = self._targets.get(key)
            if before is not None:
                self.again += 1
                self.same += before == target
            if before is not None or len(self._targets) < self.MOST:
                self._targets[key] = target
        whole = sum(self._counts.values())
        self.chance = sum((count / whole) ** 2 for count in self._counts.values())


def _keys(rows: Tensor) -> list[float]:
    """A number for each row; equal rows have equal ones."""
    flat = rows.detach().reshape(len(rows), -1).double().cpu()
    weights = torch.arange(1, flat.shape[1] + 1, dtype=torch.float64).mul(0.7320508).cos()
    return [float(f"{key:.9e}") for key in (flat * weights).sum(1).tolist()]


def changing_targets(tape: LossTape, rows: int) -> Tensor | None:
    """What may be targets: the first tensor with a row for each row of the batch that meets the outputs."""
    return next((one for one in tape.constants() if one.ndim and len(one) == rows and may_be_targets(one)), None)
