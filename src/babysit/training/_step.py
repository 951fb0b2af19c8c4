"""One step of training: the one place where a batch changes a network.

    gradients to none, forward, loss, backward, penalties' gradients, clip, decay, the optimizers, the longest norm

`Training`, a trial by itself and a rehearsal take their steps with `take_step`; the first two as a recipe says, through
`RecipeSteps`. A test holds stacked trials to the same numbers.

The rate is a pure function of how far the training is; only the plateau schedule has a memory.

Penalties keep weights small: L2, L1, decoupled decay, longest norm. They act on weights alone, never on biases or
normalisation. A penalty in the loss needs no autograd: its gradient is written out and added to the gradients of the
batch, which costs one pass over the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn, optim

from babysit.record import OptimizerSection, Recipe, RegularisationSection, ScheduleSection
from babysit.training._batches import Examples


class StepTaken(NamedTuple):
    """What a step was.

    Attributes:
        loss: Of the batch, before the step, detached; the penalties of `Penalty` are left out.
        gradient_norm: Before clipping; None where nothing clips.
        lr: The rate; where the optimizers kept theirs, that of the first one's first group.
    """

    loss: Tensor
    gradient_norm: Tensor | None
    lr: float


def take_step(
    network: nn.Module,
    optimizers: Sequence[optim.Optimizer],
    loss_of: Callable[[], Tensor],
    *,
    penalty: Penalty | None = None,
    clip_norm: float | None = None,
    lr: float | None = None,
    finite_only: bool = False,
) -> StepTaken:
    """Train a network on one batch.

    Args:
        network: Its gradients are clipped, and its weights move.
        optimizers: What moves it, one after the other.
        loss_of: Forward pass and mean loss of the batch.
        penalty: On the weights; None for none.
        clip_norm: Longest gradient; None for any.
        lr: The rate; None leaves the optimizers theirs.
        finite_only: Whether a loss that is NaN or infinite leaves the weights as they are. The step then waits for the
            device, to read the loss.

    Example:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.ones_(net.weight)
        >>> sgd = optim.SGD(net.parameters(), lr=0.25)
        >>> take_step(net, [sgd], lambda: net(torch.ones(1, 1)).square().mean()).loss.item(), net.weight.item()
        (1.0, 0.5)
    """
    for optimizer in optimizers:
        if lr is not None:
            for group in optimizer.param_groups:
                group["lr"] = lr
        optimizer.zero_grad()
    loss = loss_of()
    torch.autograd.backward(loss)
    if penalty is not None:
        penalty.add_gradient()
    norm = None if clip_norm is None else nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    taken = StepTaken(loss.detach(), norm, float(optimizers[0].param_groups[0]["lr"]) if lr is None else lr)
    if finite_only and not math.isfinite(float(taken.loss)):
        return taken
    if penalty is not None:
        penalty.before_step(taken.lr)
    for optimizer in optimizers:
        optimizer.step()
    if penalty is not None:
        penalty.after_step()
    return taken


class RecipeSteps:
    """The steps of a recipe's training: batches cut from its rows, at the rates of its schedule.

    Args:
        network: On its device; trained in place.
        loss: Module of (outputs, targets) giving the batch's mean loss.
        examples: The rows.
        recipe: Every decision filled in.
        steps: Of the whole training.

    Attributes:
        optimizer: What moves the network.
        penalty: On its weights.
    """

    def __init__(self, network: nn.Module, loss: nn.Module, examples: Examples, recipe: Recipe, steps: int) -> None:
        self._network, self._loss, self._examples = network, loss, examples
        self._recipe, self._steps = recipe, steps
        self.optimizer = build_optimizer(recipe.optimizer, network)
        self.penalty = Penalty(recipe.regularisation, network)

    def take(self, rows: Tensor, step: int, plateau: Plateau) -> StepTaken:
        """Take step number `step` (from 0) on the rows int64 [n]."""
        recipe = self._recipe
        lr = recipe.optimizer.lr
        assert lr is not None, "decided before a training begins"
        inputs, targets = self._examples.cut(rows)

        def loss_of() -> Tensor:
            found: Tensor = self._loss(self._network(inputs), targets)
            return found

        return take_step(
            self._network,
            [self.optimizer],
            loss_of,
            penalty=self.penalty,
            clip_norm=recipe.regularisation.clip_norm,
            lr=rate_at(recipe.schedule, lr, step, self._steps, plateau),
        )


def build_optimizer(section: OptimizerSection, network: nn.Module) -> optim.Optimizer:
    """The optimizer a recipe asks for, over all parameters that learn.

    It has no weight decay of its own: `Penalty` decays, the same way for all optimizers.

    Args:
        section: The recipe's, its rate decided.
        network: Already on its device.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    lr = section.lr
    assert lr is not None, "decided before a training begins"
    fused = all(parameter.device.type in ("cpu", "cuda", "mps") for parameter in parameters)
    if section.name == "sgd":
        return optim.SGD(parameters, lr=lr, momentum=section.momentum, nesterov=section.nesterov, fused=fused)
    if section.name == "adam" or section.name == "adamw":
        return optim.Adam(parameters, lr=lr, betas=(section.beta1, section.beta2), fused=fused)
    if section.name == "rmsprop":
        return optim.RMSprop(parameters, lr=lr, alpha=section.decay, momentum=section.momentum, foreach=True)
    return optim.Adagrad(parameters, lr=lr, foreach=True)


def weights_of(network: nn.Module) -> list[Tensor]:
    """The parameters that penalties act on: matrices and kernels, that is everything with two or more axes."""
    return [parameter for parameter in network.parameters() if parameter.ndim >= 2 and parameter.requires_grad]


class Penalty:
    """The penalties of a recipe on a network.

    Half l2 w^2 (so that the gradient is l2 w) and l1 |w|, as in CS231n's notes 2.
    """

    def __init__(self, section: RegularisationSection, network: nn.Module) -> None:
        self._weights = weights_of(network)
        self._l2 = (section.l2 or 0.0) if section.l2_mode == "loss" else 0.0
        self._l1 = section.l1
        self._decay = (section.l2 or 0.0) if section.l2_mode == "decoupled" else 0.0
        self._max_norm = section.max_norm

    @property
    def in_loss(self) -> bool:
        """Whether anything is added to the loss."""
        return bool(self._weights and (self._l2 or self._l1))

    @torch.no_grad()
    def value(self) -> Tensor:
        """What is added to the loss: a scalar."""
        total = torch.zeros((), device=self._weights[0].device if self._weights else None)
        for weight in self._weights:
            if self._l2:
                flat = weight.flatten()
                total = total + 0.5 * self._l2 * torch.dot(flat, flat)  # one pass, where squares would be a second
            if self._l1:
                total = total + self._l1 * weight.abs().sum()
        return total

    @torch.no_grad()
    def add_gradient(self) -> None:
        """Add the penalty's gradient to the gradients of the batch; at |w| = 0 the L1 gradient is taken as 0."""
        if not self.in_loss:
            return
        pairs = [(weight, weight.grad) for weight in self._weights if weight.grad is not None]
        if not pairs:
            return
        weights, gradients = [weight for weight, _ in pairs], [gradient for _, gradient in pairs]
        if self._l2:
            torch._foreach_add_(gradients, weights, alpha=self._l2)
        if self._l1:
            torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=self._l1)

    @torch.no_grad()
    def before_step(self, lr: float) -> None:
        """Decoupled decay: w <- (1 - lr l2) w (Loshchilov and Hutter 2019, algorithm 2)."""
        if self._weights and self._decay:
            torch._foreach_mul_(self._weights, 1 - lr * self._decay)

    @torch.no_grad()
    def after_step(self) -> None:
        """Scale back each unit whose incoming weights are longer than max_norm (Srivastava et al. 2014)."""
        if self._max_norm is not None:
            for weight in self._weights:
                weight.copy_(weight.flatten(1).renorm(2, 0, self._max_norm).view_as(weight))


@dataclass
class Plateau:
    """Remembers how long the validation loss has not improved.

    Attributes:
        best: Lowest loss so far.
        waited: Epochs since.
        scale: What the rate is multiplied by now.
    """

    best: float = math.inf
    waited: int = 0
    scale: float = 1.0

    def epoch_ended(self, loss: float, section: ScheduleSection) -> None:
        """Lower the rate after `patience` epochs without progress."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= section.patience:
            self.waited, self.scale = 0, self.scale * section.factor


def rate_at(section: ScheduleSection, lr: float, step: int, steps: int, plateau: Plateau | None = None) -> float:
    """The rate of step `step` (from 0) out of `steps`.

    After a linear warm-up over the first share `warm_up`, with t the share of the rest that is done: constant 1; step
    factor^floor(t / every); cosine (1 + cos(pi t)) / 2 (Loshchilov and Hutter 2017); inverse-time 1 / (1 + t /
    half_life); plateau what the validation loss made it.

    Example:
        >>> rate_at(ScheduleSection(name="cosine", warm_up=0.0), 0.1, 50, 100)
        0.05
    """
    warm_up = round(section.warm_up * steps)
    if step < warm_up:
        return lr * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    if section.name == "step":
        # A hair is added so that 3 * 0.1 counts as having reached 0.3.
        return lr * float(section.factor ** math.floor(done / section.every + 1e-9))
    if section.name == "cosine":
        return lr * (1 + math.cos(math.pi * min(1.0, done))) / 2
    if section.name == "inverse-time":
        return lr / (1 + done / section.half_life)
    if section.name == "plateau" and plateau is not None:
        return lr * plateau.scale
    return lr
