"""Optimizers of many members, each with its own numbers: clipping, penalties, the step, the longest norm.

Two ways to compute the same:

- in passes: a few calls over the parameters of all members at once, with a number for each element where members
  differ. Best for small parameters, which are not worth a call of their own.
- member by member: PyTorch's fused kernels on each member's matrices and kernels, which pass once over memory. Best
  where these fill a cache: a whole step of a member then takes 7 to 15 % less (digits', MNIST's and the lecture's
  networks). Biases and scales of all members are still moved in passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from babysit.record import OptimizerSection, RegularisationSection
from babysit.training._stacked_parameters import StackedParameters, along

Way = Literal["passes", "members"]
# Parameters of a member from which its own fused kernels win over passes: where 60 members' steps took equally long on
# one core of an AMD EPYC (Zen 4). RMSprop and Adagrad have no faster fused kernel.
LARGE = {"adam": 3_000, "sgd": 15_000}
STATES: dict[str, tuple[str, ...]] = {
    "sgd": ("momentum_buffer",),
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "rmsprop": ("square_avg", "momentum_buffer"),
    "adagrad": ("sum",),
}


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
        enough = LARGE.get(self._name, math.inf)
        # A GPU takes as long to begin a kernel as to run it on one member: there all members move at once.
        large = parameters.element_count() >= enough and parameters.device.type == "cpu"
        fused = large if way is None else way == "members"
        self.way: Way = "members" if fused and self._name in LARGE else "passes"
        self._keys = [key for key in STATES[self._name] if key != "momentum_buffer" or self._has_momentum]
        self._flat = {key: parameters.zeros() for key in self._keys}
        self._views = {key: parameters.views(flat) for key, flat in self._flat.items()}
        for index, state in enumerate(states):
            for key in self._keys:
                for name in parameters.names:
                    if (kept := state.get(f"{key}/{name}")) is not None:
                        self._views[key][name][index].copy_(kept)
        self._prepare_penalties()
        # What is moved in passes: everything, or what comes after the matrices and kernels.
        self._heavy = parameters.penalised if self.way == "members" else []
        self._light = [name for name in parameters.names if name not in self._heavy]
        if self._light:
            self._prepare_passes(self._light[0])
        if self._heavy:
            self._prepare_members()

    def state_of(self, index: int) -> dict[str, Tensor]:
        """State of a member by `KEY/PARAMETER`, as views; empty before the first step."""
        if not self._taken:
            return {}
        return {f"{key}/{name}": view[index] for key in self._keys for name, view in self._views[key].items()}

    def step(self, rates: Sequence[float]) -> None:
        """Clip, penalise and move, each member at its rate."""
        self._taken += 1
        clips = any(self._clips)
        if any(self._l1):
            for weight, gradient in zip(self._weights, self._weight_gradients, strict=True):
                gradient.addcmul_(weight.sign(), along(self._l1_vector, weight))
        if any(self._in_loss) and (clips or not self._heavy):
            for weight, gradient in zip(self._weights, self._weight_gradients, strict=True):
                gradient.addcmul_(weight, along(self._in_loss_vector, weight))
        if clips:
            self._clip()
        if self._heavy:
            for index, rate in enumerate(rates):
                self._step_member(index, rate, 0.0 if clips else self._in_loss[index])
        elif any(self._decay):
            factors = [1 - rate * decay for rate, decay in zip(rates, self._decay, strict=True)]
            vector = torch.tensor(factors, device=self._parameters.device)
            for weight in self._weights:
                weight *= along(vector, weight)
        if self._light:
            getattr(self, f"_{self._name}_pass")(rates)
        self._limit()

    # -- Penalties --------------------------------------------------------------------------------------------------

    def _prepare_penalties(self) -> None:
        sections = self._regularisations
        self._in_loss = [(section.l2 or 0.0) if section.l2_mode == "loss" else 0.0 for section in sections]
        self._decay = [(section.l2 or 0.0) if section.l2_mode == "decoupled" else 0.0 for section in sections]
        self._l1 = [section.l1 for section in sections]
        self._clips = [section.clip_norm for section in sections]
        device = self._parameters.device
        self._in_loss_vector = torch.tensor(self._in_loss, device=device)
        self._l1_vector = torch.tensor(self._l1, device=device)
        self._clip_vector = torch.tensor([clip or math.inf for clip in self._clips], device=device)
        self._max_norms = {index: s.max_norm for index, s in enumerate(sections) if s.max_norm is not None}
        self._weights = [self._parameters.value[name] for name in self._parameters.penalised]
        self._weight_gradients = [self._parameters.gradient[name] for name in self._parameters.penalised]

    def _limit(self) -> None:
        """Scale back units whose incoming weights are longer than the member's max_norm."""
        for index, longest in self._max_norms.items():
            for weight in self._weights:
                own = weight[index]
                own.copy_(own.flatten(1).renorm(2, 0, longest).view_as(own))

    def _clip(self) -> None:
        """Each member's gradient to its longest norm, as `nn.utils.clip_grad_norm_` does it."""
        views = [self._parameters.gradient[name].flatten(1) for name in self._parameters.names]
        norms = torch.stack([torch.linalg.vector_norm(view, dim=1) for view in views])
        total = torch.linalg.vector_norm(norms, dim=0)
        factors = (self._clip_vector / (total + 1e-6)).clamp(max=1.0)
        factors.masked_fill_(self._clip_vector.isinf(), 1.0)
        for view in views:
            view *= along(factors, view)

    # -- In passes --------------------------------------------------------------------------------------------------

    def _prepare_passes(self, since: str) -> None:
        parameters, sections = self._parameters, self._sections

        def spread(of_members: Sequence[float]) -> float | Tensor:
            """One number where all agree, else a number for each element."""
            if len(set(of_members)) == 1:
                return of_members[0]
            return parameters.spread(torch.tensor(of_members, device=parameters.device), since)

        self._gradients = parameters.since(parameters.gradients, since)
        self._passed = {key: parameters.since(flat, since) for key, flat in self._flat.items()}
        whole = parameters.zeros()
        self._scratch, self._scratch_views = parameters.since(whole, since), parameters.views(whole)
        self._momentum = spread([section.momentum for section in sections])
        self._beta2 = spread([section.beta2 for section in sections])
        self._rest1 = spread([1 - section.beta1 for section in sections])
        self._rest2 = spread([1 - section.beta2 for section in sections])
        self._alpha = spread([section.decay for section in sections])
        self._rest_alpha = spread([1 - section.decay for section in sections])
        self._same_beta2 = len({section.beta2 for section in sections}) == 1

    def _move(self, rates: Sequence[float], moves: Mapping[str, Tensor]) -> None:
        """Parameters move against what is given by name, each member at its rate."""
        vector = torch.tensor(rates, device=self._parameters.device).neg_()
        for name in self._light:
            value = self._parameters.value[name]
            value.addcmul_(moves[name], along(vector, value))

    def _sgd_pass(self, rates: Sequence[float]) -> None:
        moves = self._parameters.gradient
        if self._has_momentum:
            buffer = self._passed["momentum_buffer"].mul_(self._momentum).add_(self._gradients)
            if self._nesterov:
                _add_product(self._gradients, buffer, self._momentum)
            else:
                moves = self._views["momentum_buffer"]
        self._move(rates, moves)

    def _adam_pass(self, rates: Sequence[float]) -> None:
        mean, square, gradients = self._passed["exp_avg"], self._passed["exp_avg_sq"], self._gradients
        mean.lerp_(gradients, self._rest1)
        square.mul_(self._beta2)
        if isinstance(self._rest2, float):
            square.addcmul_(gradients, gradients, value=self._rest2)
        else:
            square.addcmul_(gradients.mul_(gradients), self._rest2)
        # Bias corrections belong to members: with the rate they make one number each, with the root another.
        powers = [(section.beta1**self._taken, section.beta2**self._taken) for section in self._sections]
        steps = [rate / (1 - first) for rate, (first, _) in zip(rates, powers, strict=True)]
        torch.sqrt(square, out=self._scratch)
        if self._same_beta2:
            self._scratch.div_(math.sqrt(1 - powers[0][1]))
        else:
            roots = torch.tensor([math.sqrt(1 - second) for _, second in powers], device=square.device)
            for name in self._light:
                scratch = self._scratch_views[name]
                scratch /= along(roots, scratch)
        self._scratch.add_(ADAM_EPSILON)
        torch.div(mean, self._scratch, out=self._scratch)
        self._move(steps, self._scratch_views)

    def _rmsprop_pass(self, rates: Sequence[float]) -> None:
        square, scratch, gradients = self._passed["square_avg"], self._scratch, self._gradients
        square.mul_(self._alpha)
        torch.mul(gradients, gradients, out=scratch)
        _add_product(square, scratch, self._rest_alpha)
        torch.sqrt(square, out=scratch).add_(RMSPROP_EPSILON)
        torch.div(gradients, scratch, out=scratch)
        moves = self._scratch_views
        if self._has_momentum:
            self._passed["momentum_buffer"].mul_(self._momentum).add_(scratch)
            moves = self._views["momentum_buffer"]
        self._move(rates, moves)

    def _adagrad_pass(self, rates: Sequence[float]) -> None:
        total, scratch, gradients = self._passed["sum"], self._scratch, self._gradients
        total.addcmul_(gradients, gradients)
        torch.sqrt(total, out=scratch).add_(ADAGRAD_EPSILON)
        torch.div(gradients, scratch, out=scratch)
        self._move(rates, self._scratch_views)

    # -- Member by member -------------------------------------------------------------------------------------------

    def _prepare_members(self) -> None:
        parameters = self._parameters
        self._counter = torch.zeros((), device=parameters.device)

        def split(views: Mapping[str, Tensor]) -> list[list[Tensor]]:
            columns = [views[name].unbind() for name in self._heavy]
            return [[column[index] for column in columns] for index in range(parameters.members)]

        self._own_values, self._own_gradients = split(parameters.value), split(parameters.gradient)
        self._own_states = {key: split(views) for key, views in self._views.items()}

    def _step_member(self, index: int, rate: float, in_loss: float) -> None:
        section, decay = self._sections[index], self._decay[index]
        values, gradients = self._own_values[index], self._own_gradients[index]
        if decay and (self._name == "sgd" or in_loss):
            for value in values:
                value.mul_(1 - rate * decay)
            decay = 0.0
        if self._name == "sgd":
            torch._fused_sgd_(
                values,
                gradients,
                self._own_states["momentum_buffer"][index] if section.momentum else [],
                weight_decay=in_loss,
                momentum=section.momentum,
                lr=rate,
                dampening=0.0,
                nesterov=section.nesterov,
                maximize=False,
                is_first_step=self._taken == 1,
                grad_scale=None,
                found_inf=None,
            )
            return
        self._counter.fill_(self._taken)
        step = torch._fused_adamw_ if decay else torch._fused_adam_
        step(
            values,
            gradients,
            self._own_states["exp_avg"][index],
            self._own_states["exp_avg_sq"][index],
            [],
            [self._counter] * len(values),
            lr=rate,
            beta1=section.beta1,
            beta2=section.beta2,
            weight_decay=decay or in_loss,
            eps=ADAM_EPSILON,
            amsgrad=False,
            maximize=False,
            grad_scale=None,
            found_inf=None,
        )


# PyTorch's defaults, which `build_optimizer` leaves as they are.
ADAM_EPSILON = 1e-8
RMSPROP_EPSILON = 1e-8
ADAGRAD_EPSILON = 1e-10


def _add_product(target: Tensor, factor: Tensor, number: float | Tensor) -> Tensor:
    """target += factor * number, in place."""
    if isinstance(number, float):
        return target.add_(factor, alpha=number)
    return target.addcmul_(factor, number)
