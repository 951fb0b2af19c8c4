"""What is measured in a step that is measured: inputs, layers, loss, gradients, update and wiring."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from babysit.probes._budget import FIRST_STEPS, Budget, speed
from babysit.probes._forward import ForwardProbe
from babysit.probes._inputs import InputProbe
from babysit.probes._loss_facts import loss_facts, unknown_loss_facts
from babysit.probes._numbers import readable
from babysit.probes._outputs import measure_outputs
from babysit.probes._pending import Pending
from babysit.probes._targets import TargetProbe
from babysit.probes._weights import WeightProbe, optimizer_facts, rate_and_momentum
from babysit.probes._wiring import Wiring
from babysit.record import Event

TWINS_UNTIL = 3  # samples in which identical units are looked for; later only at powers of two


class StepProbe:
    """Measures one step at a time, times itself, and reports its cost to the budget.

    Args:
        network: What is trained.
        optimizers: What steps its weights.
        pending: Where numbers go.
        budget: Counts the samples, and what they cost.
        failed: Called with an error of babysit's own in a hook within the forward or the backward pass.

    Attributes:
        facts: What holds for the whole training.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizers: list[Optimizer],
        pending: Pending,
        budget: Budget,
        failed: Callable[[Exception], None],
    ) -> None:
        self.facts: dict[str, str] = {}
        self.forward = ForwardProbe(network, pending, failed)
        self.weights = WeightProbe(network, pending, failed)
        self.wiring = Wiring(network, optimizers, self.forward.unregistered)
        self._network = network
        self._optimizers = optimizers
        self._pending = pending
        self._budget = budget
        self._inputs, self._targets = InputProbe(), TargetProbe()
        self._stepped: set[int] = set()  # optimizers that have taken this step
        self._passed: set[int] = set()  # modules whose pass was measured in this step
        self._first, self._passes = 0, 0  # the module that was called first in this step, and how often
        self._outputs: Tensor | None = None  # of a measured pass, until its step is over
        self._kept = self._loss_seen = self._lazy = False
        self._seconds = 0.0  # spent on measuring this step, beside the time within the forward pass

    def see_settings(self) -> None:
        """Facts that are known before the first step."""
        parameters = list(self._network.parameters())
        self._lazy = any(is_lazy(found) for found in parameters)  # until the first pass has made them
        trained = sum(found.numel() for found in parameters if found.requires_grad and not is_lazy(found))
        self.facts |= optimizer_facts(self._optimizers) | {"parameters": str(trained)}

    def passed(self, module: nn.Module, backwards: int) -> bool:
        """Whether this module's pass was measured in this step, or every pass before a backward pass was."""
        return id(module) in self._passed or bool(backwards and self._passed)

    def begin_forward(self, step: int, module: nn.Module, entered: Tensor | None) -> None:
        """The pass of the network, or of a part of it, begins.

        Args:
            step: The step.
            module: What is called.
            entered: The first tensor that it is called with.
        """
        start = time.perf_counter()
        samples, rare = self._budget.samples, self._budget.rare
        further = bool(self._passed)
        self._passed.add(id(module))
        if not further:
            self._first, self._passes = id(module), 1
        if entered is not None and not further and readable(entered):
            with torch.no_grad():
                self._inputs.see(step, entered, self._pending, tell=rare or samples < FIRST_STEPS)
                self.facts.setdefault("batch-size", str(entered.shape[0] if entered.ndim else 1))
        self.facts.setdefault("network-mode", "train" if module.training else "evaluation")
        if not self.weights.watching:
            self.weights.begin(lambda: self.forward.scale)
        if samples == 0 and not further:
            with torch.no_grad():
                self.weights.begin_with(step)
        twins = rare or samples < TWINS_UNTIL
        self.forward.begin(step, histograms=rare, twins=twins, further=further)
        self._seconds += time.perf_counter() - start

    def another_pass(self, module: nn.Module, entered: Tensor | None) -> None:
        """A module is called again in a step: what enters it may be of another size, as later states of a game are.

        The second, fourth, eighth, ... pass is looked at, so that a step of many passes costs little more.
        """
        if id(module) != self._first:
            return
        self._passes += 1
        if self._passes & (self._passes - 1):
            return
        start = time.perf_counter()
        if entered is not None and readable(entered):
            with torch.no_grad():
                self._inputs.see_more(entered)
        self._seconds += time.perf_counter() - start

    def end_forward(self, outputs: Tensor | None) -> None:
        """The pass is over; no outputs where it failed."""
        if self.forward.running:
            self.forward.end()
        self._outputs = outputs.detach() if outputs is not None and readable(outputs) else None

    def loss_computed(
        self, step: int, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str
    ) -> None:
        """A loss function was called. Of several losses in a step the first is measured."""
        if self._loss_seen:
            return
        self._loss_seen = True
        start = time.perf_counter()
        with torch.no_grad():
            width = outputs.shape[1] if outputs.ndim > 1 else 1
            measure_outputs(step, outputs, self._pending)
            self._targets.see(step, targets, width, self._pending)
            if value is not None and value.numel() == 1:
                self._pending.add(step, "", "criterion", value.detach())
        if "loss" not in self.facts:
            self.facts |= loss_facts(name, outputs, targets, reduction)
        self._seconds += time.perf_counter() - start

    def first_backward(self, step: int, loss: Tensor, *, adds: bool) -> None:
        """The first backward pass of a step begins; of a loss written by hand, the network's outputs entered it."""
        start = time.perf_counter()
        if self.wiring.steps and adds:
            self._pending.add(step, "", "left-over-gradient", self.weights.left_over(self._optimizers))
        if not self._loss_seen and self._outputs is not None:
            with torch.no_grad():
                measure_outputs(step, self._outputs, self._pending)
            for name, value in unknown_loss_facts(self._outputs, loss).items():
                self.facts.setdefault(name, value)
        self._seconds += time.perf_counter() - start

    def before_step(self, step: int, optimizer: Optimizer, *, finite: Tensor | None, keep: bool, rate: bool) -> None:
        """An optimizer is about to change the weights.

        Args:
            step: The step.
            optimizer: Which.
            finite: Whether the loss is a number, as a truth on its device; None where that is known.
            keep: Whether the weights are good, so that they are kept for the case that the next loss is not finite.
            rate: Whether the learning rate is written down, too.
        """
        start = time.perf_counter()
        with torch.no_grad():
            if not self._kept and keep:
                self.weights.keep(finite)
            self._kept = True
            self.weights.before_step(step, optimizer)
            if self.wiring.steps == 0 or self._budget.samples < FIRST_STEPS or self._budget.rare:
                self.wiring.look()
            if optimizer is self._optimizers[0]:
                for name, value in rate_and_momentum(optimizer).items():
                    if name != "lr" or rate:
                        self._pending.add(step, "", name, value)
        self._seconds += time.perf_counter() - start

    def after_step(self, step: int, optimizer: Optimizer) -> None:
        """An optimizer has changed the weights."""
        start = time.perf_counter()
        with torch.no_grad():
            self.weights.after_step(step, optimizer, histograms=self._budget.rare)
        self._stepped.add(id(optimizer))
        if len(self._stepped) == len(self._optimizers):
            self.weights.leave()  # a network that is saved or copied after its step has no hooks of ours
        self._seconds += time.perf_counter() - start

    def end(self, step: int, counts: Mapping[str, float], seconds: float) -> list[Event]:
        """The step is over. Returns what is certain about the wiring by now and was not told before.

        Args:
            step: The step.
            counts: What was counted in it and before, by quantity.
            seconds: How long it took, measuring included.
        """
        start = time.perf_counter()
        self.weights.end()
        if self._lazy:
            self.see_settings()
        for name, value in (dict(counts) | speed(self._budget.usual_step, self.facts)).items():
            self._pending.add(step, "", name, value)
        events = self.wiring.events(step, self.forward.called, ended=False)
        cost = self._seconds + self.forward.seconds + time.perf_counter() - start
        self._budget.sampled(min(cost, seconds))
        self._seconds = self.forward.seconds = 0.0
        self._outputs = None
        self._kept = False
        self.forget()
        return events

    def forget(self) -> None:
        """What was measured of this step until now was another network's."""
        self._stepped.clear()
        self._passed.clear()
        self._loss_seen = False

    def leave(self) -> None:
        """Take every hook back."""
        if self.forward.running:
            self.forward.end()
        self.weights.end()
        self._outputs = None
