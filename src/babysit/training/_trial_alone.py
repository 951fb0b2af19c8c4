"""One trial trained by itself, with the loop's own step.

A stacked member must end where this ends; trials that are not stacked are trained by this. It can stop between any two
steps and go on in another process. A test holds it equal to `Training`, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn, optim

from babysit.training._batches import epoch_batches
from babysit.training._judging import judged
from babysit.training._phase import PhaseNumbers, measure_phase
from babysit.training._random import seed_device, stream_seed
from babysit.training._step import RecipeSteps
from babysit.training._trial_member import Member
from babysit.training._trial_starts import Start

LOOK_EVERY = 0.1  # seconds between two looks at the losses
Look = Callable[[list[tuple[int, int, float]]], bool]  # receives (trial, steps taken, last loss) of each; True stops


class Alone:
    """A trial as module and optimizer, from a Member and back to it.

    Args:
        start: Where it began.
        member: Where it stands; brought up to date by `train`.
        constant: Loss of a constant answer on the training rows.
        channels_last: Whether images and kernels lie with their channels last in memory, as convolutions on a CPU are
            often a third faster; the order of additions is then another.
    """

    def __init__(self, start: Start, member: Member, constant: float, *, channels_last: bool = False) -> None:
        recipe = member.trial.recipe
        assert recipe.budget.batch_size is not None
        self._start, self._member, self._recipe, self._constant = start, member, recipe, constant
        self._batch_size = recipe.budget.batch_size
        self.network = start.fresh_network(recipe)
        self.network.load_state_dict(member.network)
        if channels_last:
            lay_channels_last(self.network)
        self._names: dict[Tensor, str] = {value: name for name, value in self.network.named_parameters()}
        train = len(start.examples.train)
        self._per_epoch, self._end = member.steps_per_epoch(train), member.steps(train)
        self._steps = RecipeSteps(self.network, start.loss, start.examples, recipe, self._end)
        self._optimizer = self._steps.optimizer
        restore_optimizer(self._optimizer, self._names, member)
        self._waiting: list[tuple[Tensor, int]] = []
        self._rehearsed: Tensor | None = None

    def train(self, until: int, look: Look) -> None:
        """Train until `until` steps are taken, the trial ends, or `look` says to stop."""
        member, examples = self._member, self._start.examples
        until = min(until, self._end)
        began = self._looked = time.monotonic()
        step = member.course.step
        asked = False
        devices = [examples.device] if examples.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            if member.random is not None:
                _set_stream(examples.device, member.random)
            while step < until and not member.course.ended and not asked:
                epoch, batch = divmod(step, self._per_epoch)
                if batch == 0:
                    seed_device(examples.device, stream_seed(self._recipe.seed, "network", epoch))
                batches = epoch_batches(examples.train, self._batch_size, self._recipe.seed, epoch)
                self.network.train()
                for rows in batches[batch : batch + until - step]:
                    self._step(rows, step)
                    step += 1
                    if time.monotonic() - self._looked > LOOK_EVERY:
                        asked = self._look(look)
                        if asked or member.course.ended:
                            break
                asked = self._look(look) or asked
                if step % self._per_epoch == 0 and not member.course.ended and member.watches_epochs:
                    measured = measure_phase(self.network, self._start.loss, examples, examples.validation)
                    member.epoch_ended(epoch, measured.loss, self.network.state_dict())
            member.random = _stream(examples.device) if step % self._per_epoch else None
        member.network = {name: value.detach() for name, value in self.network.state_dict().items()}
        member.optimizer = optimizer_state(self._optimizer, self._names)
        member.seconds += time.monotonic() - began

    def rehearse(self) -> None:
        """Take the first step of the epoch under way, to see how long it takes; the member is left as it is."""
        step = self._member.course.step
        if self._rehearsed is None:
            epoch = step // self._per_epoch
            self._rehearsed = epoch_batches(self._start.examples.train, self._batch_size, self._recipe.seed, epoch)[0]
        self.network.train()
        self._step(self._rehearsed, step)
        self._waiting.clear()

    def _step(self, rows: Tensor, step: int) -> None:
        taken = self._steps.take(rows, step, self._member.plateau)
        self._waiting.append((taken.loss, len(rows)))

    def _look(self, look: Look) -> bool:
        self._looked = time.monotonic()
        if not self._waiting:
            return False
        losses = torch.stack([loss for loss, _ in self._waiting]).tolist()
        self._member.course.hear(losses, [rows for _, rows in self._waiting], self._constant)
        self._waiting.clear()
        return look([(self._member.trial.number, len(losses), losses[-1])])


def lay_channels_last(network: nn.Module) -> None:
    """Kernels, and the images that the network is given, with their channels last in memory."""

    def channels_last(module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(one.contiguous(memory_format=torch.channels_last) if one.ndim == 4 else one for one in given)

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.register_forward_pre_hook(channels_last)


def measure_alone(start: Start, member: Member) -> PhaseNumbers:
    """Validation loss and score with the weights that the trial keeps, on the validation rows that it is scored on."""
    network = start.fresh_network(member.trial.recipe)
    network.load_state_dict(member.kept)
    examples = judged(start, member)
    return measure_phase(network, start.loss, examples, examples.validation)


def optimizer_state(optimizer: optim.Optimizer, names: dict[Tensor, str]) -> dict[str, Tensor]:
    """State by `KEY/PARAMETER`; the number of steps is left out, the member knows it."""
    return {
        f"{key}/{names[parameter]}": value
        for parameter, entries in optimizer.state.items()
        for key, value in entries.items()
        if key != "step" and isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: optim.Optimizer, names: dict[Tensor, str], member: Member) -> None:
    """Put a member's state into a fresh optimizer; before the first step there is no state."""
    if not member.optimizer:
        return
    for parameter, name in names.items():
        # Laid out in memory like the parameter, as fused optimizers pass over both at a time.
        entries = {
            key: torch.empty_like(parameter).copy_(value)
            for key, _, owner in (full.partition("/") for full in member.optimizer)
            if owner == name
            for value in [member.optimizer[f"{key}/{name}"]]
        }
        if optimizer.__class__ is not optim.SGD:
            entries["step"] = torch.tensor(float(member.course.step), device=parameter.device)
        optimizer.state[parameter].update(entries)


def _stream(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_stream(device: torch.device, state: Tensor) -> None:
    state = state.clone()  # PyTorch 2.13 reads a view from the beginning of its storage, and crashes
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
