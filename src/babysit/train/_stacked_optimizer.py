"""Optimizers of many members, each with its own numbers: clipping, penalties, the step, the longest norm.

Two ways to compute the same:

- in passes: a few calls over the parameters of all members at once, with a number for each element where members
  differ. Best for small members, whose own parameters are not worth a call.
- member by member: PyTorch's fused kernels on each member's parameters, which pass once over memory. Best for members
  whose parameters fill a cache; and then bit for bit what a member would have done alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from babysit.record import OptimizerSection, RegularisationSection
from babysit.train._stacked_parameters import StackedParameters, along

Way = Literal["passes", "members"]
# Parameters of a member from which its own fused kernels win over passes over all of them.
# Measured on two cores of an AMD EPYC for Adam and SGD; RMSprop and Adagrad have no faster fused kernel.
LARGE = 10_000
STATES: dict[str, tuple[str, ...]] = {
    "sgd": ("momentum_buffer",),
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "rmsprop": ("square_avg", "momentum_buffer"),
    "adagrad": ("sum",),
}
FUSED = ("sgd", "adam", "adamw")


class StackedOptimizer:
    """One optimizer of P members; all name the same, and agree on Nesterov's variant.

    Args:
        parameters: Of the members.
        optimizers: Section of each.
        regularisations: Section of each.
        states: State of each by `KEY/PARAMETER`; empty before its first step.
        steps: Taken by each so far; the same for all.
        way: How to compute; None takes what is faster for members of this size.
    """

    def __init__(
        self,
        parameters: StackedParameters,
        optimizers: Sequence[OptimizerSection],
        regularisations: Sequence[RegularisationSection],
        states: Sequence[Mapping[str, Tensor]],
        steps: int,
        way: Way | None = None,
    ) -> None:
        self._parameters = parameters
        self._sections, self._regularisations = optimizers, regularisations
        self._name = "adam" if optimizers[0].name == "adamw" else optimizers[0].name
        self._taken = steps
        self._nesterov = optimizers[0].nesterov
        self._has_momentum = any(section.momentum for section in optimizers)
        large = parameters.element_count() >= LARGE and self._name in FUSED
        self.way: Way = way if way is not None and self._name in FUSED else "members" if large else "passes"
        self._keys = [key for key in STATES[self._name] if key != "momentum_buffer" or self._has_momentum]
        self._flat = {key: parameters.zeros() for key in self._keys}
        self._views = {key: parameters.views(flat) for key, flat in self._flat.items()}
        for index, state in enumerate(states):
            for key in self._keys:
                for name in parameters.names:
                    if (kept := state.get(f"{key}/{name}")) is not None:
                        self._views[key][name][index].copy_(kept)
        self._scratch = [parameters.zeros() for _ in range(2 if self.way == "passes" else 0)]
        self._prepare_penalties()
        if self.way == "passes":
            self._prepare_passes()
        else:
            self._prepare_members()

    def state_of(self, index: int) -> dict[str, Tensor]:
        """State of a member by `KEY/PARAMETER`, as views; empty before the first step."""
        if not self._taken:
            return {}
        return {f"{key}/{name}": view[index] for key in self._keys for name, view in self._views[key].items()}

    def step(self, rates: Sequence[float]) -> None:
        """Clip, penalise and move, each member at its rate."""
        self._taken += 1
        if self.way == "passes":
            self._step_in_passes(rates)
        else:
            for index, rate in enumerate(rates):
                self._step_member(index, rate)

    # -- Penalties --------------------------------------------------------------------------------------------------

    def _prepare_penalties(self) -> None:
        sections = self._regularisations
        self._in_loss = [section.l2 if section.l2_mode == "loss" else 0.0 for section in sections]
        self._decay = [section.l2 if section.l2_mode == "decoupled" else 0.0 for section in sections]
        self._l1 = [section.l1 for section in sections]
        self._clips = [section.clip_norm for section in sections]
        self._max_norms = {index: s.max_norm for index, s in enumerate(sections) if s.max_norm is not None}
        self._weights = [self._parameters.value[name] for name in self._parameters.penalised]
        self._weight_gradients = [self._parameters.gradient[name] for name in self._parameters.penalised]

    def _limit(self) -> None:
        """Scale back units whose incoming weights are longer than the member's max_norm."""
        for index, longest in self._max_norms.items():
            for weight in self._weights:
                own = weight[index]
                own.copy_(own.flatten(1).renorm(2, 0, longest).view_as(own))

    # -- In passes --------------------------------------------------------------------------------------------------

    def _prepare_passes(self) -> None:
        device = self._parameters.device
        self._in_loss_vector = torch.tensor(self._in_loss, device=device)
        self._l1_vector = torch.tensor(self._l1, device=device)
        self._clip_vector = torch.tensor([clip or math.inf for clip in self._clips], device=device)
        self._rates_flat = self._parameters.zeros()
        self._rates_spread: tuple[float, ...] = ()
        sections = self._sections
        self._momentum = self._spread([section.momentum for section in sections])
        self._beta1 = self._spread([section.beta1 for section in sections])
        self._beta2 = self._spread([section.beta2 for section in sections])
        self._rest1 = self._spread([1 - section.beta1 for section in sections])
        self._rest2 = self._spread([1 - section.beta2 for section in sections])
        self._alpha = self._spread([section.decay for section in sections])
        self._rest_alpha = self._spread([1 - section.decay for section in sections])

    def _spread(self, of_members: Sequence[float]) -> float | Tensor:
        """One number where all agree, else a number for each element."""
        if len(set(of_members)) == 1:
            return of_members[0]
        vector = torch.tensor(of_members, device=self._parameters.device)
        return self._parameters.spread(vector, self._parameters.zeros())

    def _step_in_passes(self, rates: Sequence[float]) -> None:
        gradients = self._parameters.gradients
        if any(self._in_loss):
            for weight, gradient in zip(self._weights, self._weight_gradients, strict=True):
                gradient.addcmul_(weight, along(self._in_loss_vector, weight))
        if any(self._l1):
            for weight, gradient in zip(self._weights, self._weight_gradients, strict=True):
                gradient.addcmul_(weight.sign(), along(self._l1_vector, weight))
        if any(self._clips):
            self._clip_in_passes()
        if any(self._decay):
            factors = [1 - rate * decay for rate, decay in zip(rates, self._decay, strict=True)]
            vector = torch.tensor(factors, device=self._parameters.device)
            for weight in self._weights:
                weight *= along(vector, weight)
        getattr(self, f"_{self._name}_pass")(rates, gradients)
        self._limit()

    def _clip_in_passes(self) -> None:
        """Each member's gradient to its longest norm, as `nn.utils.clip_grad_norm_` does it."""
        views = [self._parameters.gradient[name].flatten(1) for name in self._parameters.names]
        norms = torch.stack([torch.linalg.vector_norm(view, dim=1) for view in views])
        total = torch.linalg.vector_norm(norms, dim=0)
        factors = (self._clip_vector / (total + 1e-6)).clamp(max=1.0)
        for name in self._parameters.names:
            gradient = self._parameters.gradient[name]
            gradient *= along(factors, gradient)

    def _at_rates(self, rates: Sequence[float]) -> float | Tensor:
        """Minus the rates: one number where all agree, else for each element."""
        if len(set(rates)) == 1:
            return -rates[0]
        if tuple(rates) != self._rates_spread:
            vector = torch.tensor(rates, device=self._parameters.device).neg_()
            self._parameters.spread(vector, self._rates_flat)
            self._rates_spread = tuple(rates)
        return self._rates_flat

    def _sgd_pass(self, rates: Sequence[float], gradients: Tensor) -> None:
        moves = gradients
        if self._has_momentum:
            buffer = self._flat["momentum_buffer"].mul_(self._momentum).add_(gradients)
            moves = _add_product(gradients, buffer, self._momentum) if self._nesterov else buffer
        self._move(rates, moves)

    def _move(self, rates: Sequence[float], moves: Tensor) -> None:
        _add_product(self._parameters.values, moves, self._at_rates(rates))

    def _adam_pass(self, rates: Sequence[float], gradients: Tensor) -> None:
        mean, square = self._flat["exp_avg"], self._flat["exp_avg_sq"]
        scratch = self._scratch[0]
        mean.lerp_(gradients, self._rest1)
        square.mul_(self._beta2)
        if isinstance(self._rest2, float):
            square.addcmul_(gradients, gradients, value=self._rest2)
        else:
            square.addcmul_(gradients.mul_(gradients), self._rest2)
        # Bias corrections belong to members: with the rate they make one number each, with the root another.
        powers = [(section.beta1**self._taken, section.beta2**self._taken) for section in self._sections]
        steps = [rate / (1 - first) for rate, (first, _) in zip(rates, powers, strict=True)]
        roots = {math.sqrt(1 - second) for _, second in powers}
        torch.sqrt(square, out=scratch)
        if len(roots) == 1:
            scratch.div_(roots.pop())
        else:
            vector = torch.tensor([math.sqrt(1 - second) for _, second in powers], device=scratch.device)
            scratch.div_(self._parameters.spread(vector, self._scratch[1]))
        scratch.add_(ADAM_EPSILON)
        torch.div(mean, scratch, out=scratch)
        self._move(steps, scratch)

    def _rmsprop_pass(self, rates: Sequence[float], gradients: Tensor) -> None:
        square, scratch = self._flat["square_avg"], self._scratch[0]
        square.mul_(self._alpha)
        torch.mul(gradients, gradients, out=scratch)
        _add_product(square, scratch, self._rest_alpha)
        torch.sqrt(square, out=scratch).add_(RMSPROP_EPSILON)
        torch.div(gradients, scratch, out=scratch)
        if self._has_momentum:
            scratch = self._flat["momentum_buffer"].mul_(self._momentum).add_(scratch)
        self._move(rates, scratch)

    def _adagrad_pass(self, rates: Sequence[float], gradients: Tensor) -> None:
        total, scratch = self._flat["sum"], self._scratch[0]
        total.addcmul_(gradients, gradients)
        torch.sqrt(total, out=scratch).add_(ADAGRAD_EPSILON)
        torch.div(gradients, scratch, out=scratch)
        self._move(rates, scratch)

    # -- Member by member -------------------------------------------------------------------------------------------

    def _prepare_members(self) -> None:
        parameters = self._parameters
        self._counter = torch.zeros((), device=parameters.device)

        def split(views: Mapping[str, Tensor], names: Sequence[str]) -> list[list[Tensor]]:
            columns = [views[name].unbind() for name in names]
            return [[column[index] for column in columns] for index in range(parameters.members)]

        self._own_values = split(parameters.value, parameters.names)
        self._own_gradients = split(parameters.gradient, parameters.names)
        self._own_states = {key: split(views, parameters.names) for key, views in self._views.items()}
        self._heavy = len(parameters.penalised)  # they come first

    def _step_member(self, index: int, rate: float) -> None:
        section = self._sections[index]
        values, gradients = self._own_values[index], self._own_gradients[index]
        weights, weight_gradients = values[: self._heavy], gradients[: self._heavy]
        if self._in_loss[index]:
            torch._foreach_add_(weight_gradients, weights, alpha=self._in_loss[index])
        if self._l1[index]:
            torch._foreach_add_(weight_gradients, torch._foreach_sign(weights), alpha=self._l1[index])
        if (clip := self._clips[index]) is not None:
            total = nn.utils.get_total_norm(gradients)
            torch._foreach_mul_(gradients, (clip / (total + 1e-6)).clamp(max=1.0))
        if self._decay[index]:
            torch._foreach_mul_(weights, 1 - rate * self._decay[index])
        if self._name == "sgd":
            self._fused_sgd(section, rate, index)
        else:
            self._fused_adam(section, rate, index)
        if (longest := self._max_norms.get(index)) is not None:
            for weight in weights:
                weight.copy_(weight.flatten(1).renorm(2, 0, longest).view_as(weight))

    def _fused_sgd(self, section: OptimizerSection, rate: float, index: int) -> None:
        buffers = self._own_states["momentum_buffer"][index] if section.momentum else []
        torch._fused_sgd_(
            self._own_values[index], self._own_gradients[index], buffers, weight_decay=0.0,
            momentum=section.momentum, lr=rate, dampening=0.0, nesterov=section.nesterov, maximize=False,
            is_first_step=self._taken == 1, grad_scale=None, found_inf=None,
        )  # fmt: skip

    def _fused_adam(self, section: OptimizerSection, rate: float, index: int) -> None:
        values = self._own_values[index]
        self._counter.fill_(self._taken)
        torch._fused_adam_(
            values, self._own_gradients[index], self._own_states["exp_avg"][index],
            self._own_states["exp_avg_sq"][index], [], [self._counter] * len(values), lr=rate, beta1=section.beta1,
            beta2=section.beta2, weight_decay=0.0, eps=ADAM_EPSILON, amsgrad=False, maximize=False,
            grad_scale=None, found_inf=None,
        )  # fmt: skip


# PyTorch's defaults, which `build_optimizer` leaves as they are.
ADAM_EPSILON = 1e-8
RMSPROP_EPSILON = 1e-8
ADAGRAD_EPSILON = 1e-10


def _add_product(target: Tensor, factor: Tensor, number: float | Tensor) -> Tensor:
    """target += factor * number, in place."""
    if isinstance(number, float):
        return target.add_(factor, alpha=number)
    return target.addcmul_(factor, number)
