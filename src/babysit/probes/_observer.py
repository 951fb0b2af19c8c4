"""The observer: attached to a training, it measures within its budget and disturbs nothing.

    a step =  forward passes, backward passes, optimizer steps, in whatever loop calls them

Between measured steps all that is attached is one hook before the network's forward pass, two around the optimizer's
step, and a wrapper around `backward` that reads the loss. A measured step attaches the rest, and takes it off again.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from babysit.probes._batch import InputProbe, first_tensor
from babysit.probes._birth import Pass, find_birth_within
from babysit.probes._budget import FIRST_STEPS, Budget
from babysit.probes._forward import ForwardProbe
from babysit.probes._interception import listen, stop_listening
from babysit.probes._loss_facts import loss_facts, unknown_loss_facts
from babysit.probes._modes import Modes
from babysit.probes._outputs import measure_outputs
from babysit.probes._pending import Pending
from babysit.probes._sink import NotFinite, Sink
from babysit.probes._speed import speed
from babysit.probes._step_losses import StepLosses
from babysit.probes._targets import TargetProbe
from babysit.probes._unwrapped import unwrapped
from babysit.probes._weights import WeightProbe, optimizer_facts, rate_and_momentum
from babysit.probes._wiring import Wiring, unseen_parts
from babysit.record import Event

FLUSH_EVERY = 1.0  # seconds between two waits for the device, unless a step was measured on a CPU
TWINS_UNTIL = 3  # samples in which identical units are looked for; later only at powers of two


class Observer:
    """Measures a training while it runs.

    Args:
        network: What is trained; `DataParallel` and `DistributedDataParallel` are looked through.
        optimizers: Everything that steps its weights.
        sink: Where measurements go.
        overhead: Share of the training's time that may be spent on measuring; None goes by `every` alone.
        first_steps: Steps at the beginning that are always measured.
        every: Without an overhead: of the later steps, which are measured; 1 for all.
        losses: Whether the loss of each step is taken from `backward`, and with the rate written down.
        step: The number of the first step.
        on_not_finite: Called once, at the first loss that is no number; what it raises stops the training.
        told: Whether forward passes, of the network or its parts, losses, backward passes and steps of optimizers not
            given here are told by hand, by whoever hears of them anyway, not heard of once more.

    Example:
        >>> from babysit.record import Trace, TraceStore
        >>> net, store = nn.Linear(3, 1), TraceStore(None)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> with Observer(net, [optimizer], store, overhead=None):
        ...     torch.nn.functional.mse_loss(net(torch.ones(4, 3)), torch.zeros(4, 1)).backward()
        ...     optimizer.step()
        >>> store.flush()
        >>> len(store.read().series("update-ratio", layer="weight").steps)
        1
    """

    def __init__(
        self,
        network: nn.Module,
        optimizers: Sequence[Optimizer],
        sink: Sink,
        *,
        overhead: float | None = 0.01,
        first_steps: int = FIRST_STEPS,
        every: int = 1,
        losses: bool = True,
        step: int = 0,
        on_not_finite: NotFinite | None = None,
        told: bool = False,
    ) -> None:
        self.step = step
        self.not_finite: Event | None = None
        self.budget = Budget(overhead, step + first_steps, every)
        self._root = network
        self._network = unwrapped(network)
        self._optimizers = list(optimizers)
        self._stepping = weakref.WeakSet(self._optimizers)
        self._sink = sink
        self._losses = losses
        self._on_not_finite, self._by_hand = on_not_finite, told
        self._pending = Pending()
        self._forward = ForwardProbe(self._network, self._pending)
        self._weights = WeightProbe(self._network, self._pending)
        self._inputs, self._targets = InputProbe(), TargetProbe()
        self._wiring = Wiring(self._network, self._optimizers, self._forward.unregistered)
        self._facts: dict[str, str] = {}
        self._told = (0, 0)  # layers and facts the sink knows of
        self._handles: list[Any] = []
        self._ending: Any = None
        self._modes = Modes(self._network)
        self._given: dict[int, Pass] = {}  # the last pass of each part, until the step is over
        self._measured: set[int] = set()  # modules whose pass was measured in this step
        self._backwards = 0
        self._outputs: Tensor | None = None  # of a measured pass, until its step is over
        self.sampling = False  # whether the step under way is measured
        self._stepped = self._busy = self._kept = self._loss_seen = self._own_loss = self._attached = False
        self._step_losses = StepLosses()
        self._step_began = self._flushed = self._cost = 0.0

    def attach(self) -> Self:
        """Begin to watch."""
        if self._attached:
            return self
        self._attached = True
        if not self._by_hand:
            self._handles = [
                self._root.register_forward_pre_hook(self._before_forward, with_kwargs=True),
                register_optimizer_step_post_hook(self.stepped_by),
            ]
            listen(self)
        for optimizer in self._optimizers:
            self._handles.append(optimizer.register_step_pre_hook(self._before_step))
            self._handles.append(optimizer.register_step_post_hook(self._after_step))
        self._step_began = self._flushed = time.perf_counter()
        self.sampling = self.budget.wants(self.step, self._step_began)
        self._facts |= optimizer_facts(self._optimizers) | {
            "parameters": str(sum(found.numel() for found in self._network.parameters() if found.requires_grad))
        }
        return self

    def detach(self) -> None:
        """Leave nothing behind, and hand over what was measured."""
        if not self._attached:
            return
        self.leave()
        self._tell_losses()
        self._sink.add(self._wiring.events(self.step, self._forward.called, ended=True))
        self._sink.add(unseen_parts(self._network, self.step, self._forward.failures))
        self.flush()

    def leave(self) -> None:
        """Take every hook back, and hand over nothing."""
        self._attached = False
        stop_listening(self)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._end_forward()
        self._weights.end()
        self._given, self._outputs = {}, None

    def __enter__(self) -> Self:
        return self.attach()

    def __exit__(self, *_: object) -> None:
        self.detach()

    def loss(self, value: Tensor | float) -> None:
        """Give the loss of the step under way, in place of the one that `backward` is called on."""
        self._own_loss = True
        number = self._step_losses.take(value)
        if number is not None and not math.isfinite(number):
            self._report_not_finite(number)

    @property
    def optimizers(self) -> tuple[Optimizer, ...]:
        """What steps the network's weights."""
        return tuple(self._optimizers)

    def flush(self) -> None:
        """Hand over what was measured; waits for the device."""
        self._flushed = time.perf_counter()
        if len(self._pending):
            self._sink.add([*self._pending.rows(), *self._pending.histograms()])
        if (known := (len(self._forward.layers), len(self._facts))) != self._told:
            self._told = known
            self._sink.describe(self._forward.layers.values(), self._facts)

    def last_good(self) -> dict[str, Tensor] | None:
        """Weights and buffers before the last measured step whose loss was a number; None before the first."""
        if not self._weights.good:
            return None
        return self._weights.good.tensors() | self._weights.good_buffers.tensors()

    def forward_ends(self, outputs: Any) -> None:
        """The pass is over; no outputs where it failed."""
        if self._forward.running:
            self._after_forward(self._root, (), outputs)

    def step_ends(self) -> None:
        """A step was taken by hand, without an optimizer."""
        self._stepped = True

    def another_stepped(self) -> None:
        """Another network took a step: backward passes until now were for its sake."""
        self._step_losses.forget()
        self._backwards, self._loss_seen = 0, False
        self._measured.clear()

    def stepped_by(self, optimizer: Optimizer, *_: object) -> None:
        """An optimizer took a step; also of those that nobody told of."""
        if optimizer not in self._stepping:
            self._stepping.add(optimizer)
            self._wiring.stepped_by_another(optimizer)

    # What PyTorch calls, or whoever tells by hand.

    def _before_forward(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        if not torch.compiler.is_compiling():
            self.forward_begins(module, arguments, options)

    def forward_begins(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """The network or a part of it is about to be called."""
        if self._busy:
            return
        if not torch.is_grad_enabled():
            if self._modes.matter and self.step > 0:
                self._modes.evaluated(module)
            return
        if self._stepped:
            self._begin_step()
        if self._modes.matter:
            self._modes.trained(module)
        part = id(module)
        if self._given:
            self._given.pop(part, None)  # the latest stand last
        self._given[part] = (module, arguments, options)
        if self.sampling:
            fresh = part not in self._measured and not (self._backwards and self._measured)
            if fresh and torch._C._functorch.peek_interpreter_stack() is None:
                self._begin_forward(module, arguments, options)

    def _begin_forward(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        start = time.perf_counter()
        samples, rare = self.budget.samples, self.budget.rare
        entered, further = first_tensor([arguments, options]), bool(self._measured)
        self._measured.add(id(module))
        if entered is not None and not further:
            with torch.no_grad():
                self._inputs.see(self.step, entered, self._pending, tell=rare or samples < FIRST_STEPS)
                self._facts.setdefault("batch-size", str(entered.shape[0] if entered.ndim else 1))
        self._facts.setdefault("network-mode", "train" if module.training else "evaluation")
        if not self._weights.watching:
            self._weights.begin(lambda: self._forward.scale)
        if samples == 0 and not further:
            with torch.no_grad():
                self._weights.begin_with(self.step)
        twins = rare or samples < TWINS_UNTIL
        self._forward.begin(self.step, None if self._by_hand else module, histograms=rare, twins=twins, further=further)
        if not self._by_hand:
            # The hook that ends the measuring is called also when the forward pass fails.
            self._ending = module.register_forward_hook(self._after_forward, always_call=True)
        self._cost += time.perf_counter() - start

    def _after_forward(self, module: nn.Module, arguments: Any, outputs: Any) -> None:
        self._end_forward()
        found = first_tensor(outputs)
        self._outputs = found.detach() if found is not None else None

    def _end_forward(self) -> None:
        if self._forward.running:
            self._forward.end()
        if self._ending is not None:
            self._ending.remove()
            self._ending = None

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        """A loss function was called; there is no value when it raised an error."""
        if not self.sampling or not self._given or self._backwards or self._busy or self._loss_seen:
            return
        self._loss_seen = True  # of several losses in a step the first is measured
        start = time.perf_counter()
        with torch.no_grad(), torch._C.DisableTorchFunction():
            width = outputs.shape[1] if outputs.ndim > 1 else 1
            measure_outputs(self.step, outputs, self._pending)
            self._targets.see(self.step, targets, width, self._pending)
            if value is not None and value.numel() == 1:
                self._pending.add(self.step, "", "criterion", value.detach())
        if "loss" not in self._facts:
            self._facts |= loss_facts(name, outputs, targets, reduction)
        self._cost += time.perf_counter() - start

    def loss_evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """An evaluation is no step of training."""

    def backward_begins(self, loss: Tensor, scale: float | Tensor) -> None:
        """A backward pass begins at `loss`."""
        if self._busy or not self._given:
            return
        if self._stepped:
            self._begin_step()
        self._forward.scale = scale
        if self.sampling and self._backwards == 0 and self._wiring.steps:
            self._pending.add(self.step, "", "left-over-gradient", self._weights.left_over(self._optimizers))
        if self.sampling and self._backwards == 0 and not self._loss_seen and self._outputs is not None:
            self._unknown_loss(loss, self._outputs)
        self._backwards += 1
        self._wiring.backwards += 1
        if not self._own_loss and loss.numel() == 1:
            number = self._step_losses.take(loss, scale)
            if number is not None and not math.isfinite(number):
                self._report_not_finite(number)

    def _unknown_loss(self, loss: Tensor, outputs: Tensor) -> None:
        """A loss written by hand: the network's outputs are taken for what entered it."""
        start = time.perf_counter()
        with torch.no_grad():
            measure_outputs(self.step, outputs, self._pending)
        self._facts = unknown_loss_facts(outputs, loss) | self._facts
        self._cost += time.perf_counter() - start

    def _report_not_finite(self, loss: float) -> None:
        if self.not_finite is not None:
            return
        self._busy = True
        try:
            layer, sentence = find_birth_within(self._network, list(self._given.values()))
        finally:
            self._busy = False
        text = f"the loss became {loss} at step {self.step}: {sentence}"
        self.not_finite = Event(self.step, "not-finite", text, layer)
        self._sink.add([self.not_finite])
        self._tell_losses()
        self.flush()
        if self._on_not_finite is not None:
            self._on_not_finite(self.step, loss, layer, sentence)

    def _before_step(self, optimizer: Optimizer, arguments: Any, options: Any) -> None:
        if not self.sampling or self._busy:
            return
        start = time.perf_counter()
        with torch.no_grad():
            if not self._kept and self.not_finite is None:
                self._weights.keep(self._step_losses.finite)
            self._kept = True
            self._weights.before_step(self.step, optimizer)
            if self._wiring.steps == 0 or self.budget.samples < FIRST_STEPS or self.budget.rare:
                self._wiring.look()
            if optimizer is self._optimizers[0]:
                for name, value in rate_and_momentum(optimizer).items():
                    if name != "lr" or not self._losses:
                        self._pending.add(self.step, "", name, value)
        self._cost += time.perf_counter() - start

    def _after_step(self, optimizer: Optimizer, arguments: Any, options: Any) -> None:
        if self._busy:
            return
        if self._losses and optimizer is self._optimizers[0]:
            self._pending.add(self.step, "", "lr", float(optimizer.param_groups[0].get("lr", math.nan)))
        if self.sampling:
            start = time.perf_counter()
            with torch.no_grad():
                self._weights.after_step(self.step, optimizer, histograms=self.budget.rare)
            self._cost += time.perf_counter() - start
        self._stepped = True

    def _begin_step(self) -> None:
        """The step before is over: what it showed is written, and whether the next is measured is decided."""
        now = time.perf_counter()
        self._tell_losses()
        seconds = now - self._step_began
        if self.sampling:
            self._end_sample(seconds)
            self._measured.clear()
        else:
            self.budget.stepped(seconds)
        if self.sampling or now - self._flushed > FLUSH_EVERY:
            if now - self._flushed > FLUSH_EVERY or not torch.cuda.is_initialized():
                self.flush()
            now = time.perf_counter()
        self._given.clear()
        self._outputs = None
        self._backwards = 0
        self._stepped = self._kept = self._own_loss = self._loss_seen = False
        self._wiring.steps += 1
        self.step += 1
        self._step_began = now
        self.sampling = self.budget.wants(self.step, now)

    def _end_sample(self, seconds: float) -> None:
        start = time.perf_counter()
        self._weights.end()
        counts: dict[str, float] = {"backwards": self._backwards, **self._modes.counts()}
        for name, value in (counts | speed(self.budget.usual_step, self._facts)).items():
            self._pending.add(self.step, "", name, value)
        self._sink.add(self._wiring.events(self.step, self._forward.called, ended=False))
        cost = self._cost + self._forward.seconds + time.perf_counter() - start
        self.budget.sampled(min(cost, seconds))
        self._cost = self._forward.seconds = 0.0

    def _tell_losses(self) -> None:
        mean = self._step_losses.mean()
        if mean is not None and self._losses:
            self._pending.add(self.step, "", "loss", mean)
