"""AppliedRemedies: remedies applied to a training that knows nothing of them, and taken off again when it is over.

What is done to a training is done at six places: its inputs, its network and optimizers, the activations called, the
loss, the steps, the batches. Each remedy says at which of them it wants what; each place says whether that was done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader

from babysit.record import NotAppliedError, Remedy
from babysit.remedies._application import Application, check_applied
from babysit.remedies._at_activations import AtActivations
from babysit.remedies._at_batches import AtBatches
from babysit.remedies._at_inputs import AtInputs
from babysit.remedies._at_loss import AtLoss
from babysit.remedies._at_network import AtNetwork, BeforeTraining
from babysit.remedies._at_schedules import AtSchedules
from babysit.remedies._at_steps import AtSteps
from babysit.remedies._hooks import Hooks
from babysit.remedies._replacements import Replacements

NO_NETWORK = "no torch.nn.Module is called, so that there is no network to change"
STEPS_WITHOUT_NETWORK = 3  # after which none is expected any more


class AppliedRemedies:
    """The remedies of one training.

    Args:
        seed: Of what is drawn for them.
        highest_rate: The highest rate that the training takes by itself, where that is known.
    """

    def __init__(self, seed: int = 0, highest_rate: float | None = None) -> None:
        self.seed = seed
        self._hooks = Hooks()
        self.inputs = AtInputs()
        self.network = AtNetwork()
        self.activations = AtActivations()
        self.loss = AtLoss(self.activations)
        self.steps = AtSteps(self._hooks, highest_rate)
        self.batches = AtBatches()
        self.schedules = AtSchedules()
        self.applications: list[Application] = []
        self._network: nn.Module | None = None
        self._replaced = Replacements()
        self._stepped = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the remedies, in their order."""
        return tuple(one.remedy.name for one in self.applications)

    def application(self, remedy: Remedy, reason: str) -> Application:
        """One more remedy; `reason` tells why it was not applied if nothing comes that it could be applied to."""
        made = Application(remedy, reason)
        self.applications.append(made)
        return made

    def install(self) -> None:
        """Before the first line of a script, and before anybody listens to losses: what they hear is the script's."""
        self.activations.install(self._replaced)
        self.loss.install(self._replaced)
        self.steps.install(self._replaced)
        self.schedules.install(self._replaced)

    def begin(
        self,
        network: nn.Module,
        arguments: tuple[Any, ...],
        options: Mapping[str, Any],
        optimizers: Sequence[Optimizer],
    ) -> None:
        """Before the first pass of training.

        Raises:
            InputError: This network cannot be changed so.
        """
        if not self.applications:
            return
        self._network = network
        self.inputs.begin(network, arguments, self._hooks)
        self.activations.begin(network, arguments, dict(options), self._hooks)
        sample = dict(options) if options and not arguments else arguments
        self.network.begin(BeforeTraining(network, optimizers, sample, self.seed, self._hooks))
        self.steps.begin(network, optimizers)
        self.loss.begin(network, self._hooks)
        self.batches.begin(network, arguments, self._hooks)

    def given(self, module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of a pass as the network is going to see them, for those who measure them."""
        return self.inputs.changed(arguments) if module is self._network else arguments

    def backward_begins(self, optimizers: Sequence[Optimizer]) -> None:
        """A backward pass begins, and no network was called until now: bare tensors are trained.

        Raises:
            NotAppliedError: A remedy that needs a network; there will be none.
        """
        if self._network is not None or not optimizers:
            return
        self.steps.begin(None, optimizers)
        if self._stepped >= STEPS_WITHOUT_NETWORK and self.network.asked:
            raise NotAppliedError.of([(str(one.remedy), NO_NETWORK) for one in self.network.asked])

    def constructed(self, optimizer: Optimizer) -> None:
        """An optimizer was made."""
        self.steps.constructed(optimizer)

    def before_epoch(self, loader: DataLoader[Any]) -> None:
        """A loader is about to be gone through."""
        self.batches.before_epoch(loader, self._hooks)
        self.schedules.before_epoch()

    def before_step(
        self, optimizer: Optimizer, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """An optimizer is about to step. Returns what the step is to be called with, where that is something else."""
        return self.steps.before_step(optimizer, arguments, options or {})

    def after_step(self, optimizer: Optimizer) -> None:
        """It has stepped."""
        self._stepped += 1
        self.steps.after_step(optimizer)
        self.schedules.after_step(optimizer)

    def around_steps(self) -> None:
        """Hear of steps by hooks of our own, where nobody else tells."""
        before = register_optimizer_step_pre_hook(self.before_step)
        after = register_optimizer_step_post_hook(lambda optimizer, *_: self.after_step(optimizer))
        self._hooks.at_the_end(before.remove)
        self._hooks.at_the_end(after.remove)

    def check(self, failed: str = "") -> None:
        """Refuse a training that not all remedies were applied to.

        Args:
            failed: The error that it ended by; empty where it ended by none.

        Raises:
            NotAppliedError: At least one was not.
        """
        check_applied(self.applications, failed)

    def missing(self) -> list[tuple[str, str]]:
        """Remedies that were not applied, in their text form, each with the reason."""
        return [(str(one.remedy), one.reason) for one in self.applications if not one.held]

    def close(self) -> None:
        """Take off all that was put on: hooks, layers, options, wrappers. What was learned stays learned."""
        self._hooks.close()
        self._replaced.take_back()
