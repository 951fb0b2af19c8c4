"""The observer: attached to a training, it measures within its budget and disturbs nothing.

    a step =  forward passes, backward passes, optimizer steps, in whatever loop calls them

Between measured steps all that is attached are wrappers around calls of modules and around `backward`, which reads the
loss, and two hooks around the optimizer's step. A measured step attaches the rest, and takes it off again.

Errors of babysit's own are caught wherever PyTorch or the user's program calls it. Nothing here calls anything of the
user's: no module, no hook, no mode, no method of a subclass of Tensor.
"""

from __future__ import annotations

import math
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from babysit.probes._birth import Pass, find_birth
from babysit.probes._budget import FIRST_STEPS, Budget
from babysit.probes._fence import Aside, Fence, unnoticed
from babysit.probes._inputs import first_tensor
from babysit.probes._interception import listen_to_passes, stop_listening
from babysit.probes._layers import unwrapped
from babysit.probes._modes import Modes
from babysit.probes._numbers import readable
from babysit.probes._pending import NotFinite, Pending, Readout, Sink
from babysit.probes._step_losses import StepLosses
from babysit.probes._step_probe import StepProbe
from babysit.probes._wiring import unseen_parts
from babysit.record import Event

FLUSH_EVERY = 1.0  # seconds between two waits for the device, unless a step was measured on a CPU


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
        on_not_finite: Called once, at the first loss that is NaN or infinite; what it raises stops the training.
        told: Whether forward passes, of the network or its parts, losses, backward passes and steps of optimizers not
            given here are reported by calls of this object's methods, and no hooks are set for them.

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
        self.sampling = False  # whether the step under way is measured
        self.listened_to = network
        self._network = unwrapped(network)
        self._optimizers = list(optimizers)
        self._stepping = weakref.WeakSet(self._optimizers)
        self._losses = losses
        self._on_not_finite, self._by_hand = on_not_finite, told
        self._pending = Pending()
        self._fence = Fence(sink.add)
        self._measures = True  # until an error of babysit's own
        self._probe = StepProbe(self._network, self._optimizers, self._pending, self.budget, self._failed_within)
        self._wiring, self._forward = self._probe.wiring, self._probe.forward
        self._readout = Readout(sink, self._pending, self._forward.layers, self._probe.facts)
        self._modes = Modes(self._network)
        self._handles: list[Any] = []
        self._given: dict[int, Pass] = {}  # the last pass of each part, until the step is over
        self._under_way: Pass | None = None
        self._passing = threading.Lock()  # held while a pass is seen: those of other threads meanwhile are not
        self._backwards = 0
        self._stepped = self._busy = self._own_loss = self._attached = False
        self._step_losses = StepLosses()
        self._step_began = 0.0

    def attach(self) -> Self:
        """Begin to watch."""
        if self._attached:
            return self
        self._attached = True
        if not self._by_hand:
            self._handles = [register_optimizer_step_post_hook(self.stepped_by)]
            listen_to_passes(self)
        for optimizer in self._optimizers:
            self._handles.append(optimizer.register_step_pre_hook(self._before_step))
            self._handles.append(optimizer.register_step_post_hook(self._after_step))
        self._step_began = self._readout.flushed = time.perf_counter()
        self.sampling = self.budget.wants(self.step, self._step_began)
        self._probe.see_settings()
        return self

    def detach(self) -> None:
        """Leave nothing behind, and hand over what was measured."""
        if not self._attached:
            return
        self.leave()
        try:
            with Aside():
                self._tell_losses()
                self._readout.add(self._wiring.events(self.step, self._forward.called, ended=True))
                self._readout.add(unseen_parts(self._network, self.step, self._forward.failures))
                self._readout.flush()
        except Exception as error:
            self._fence.caught(self.step, "the end of the training was not measured", error)

    def failed(self, error: Exception) -> None:
        """An error of babysit's own: layers, gradients and updates are not measured any more; after another, nothing.

        The training knows nothing of it.
        """
        if not self._measures and not self.sampling:
            self._fence.caught(self.step, "nothing more is measured", error)
            self.leave()
            return
        self._failed_within(error)
        if not self._forward.running:  # or else hooks and modes are under way: they end with the pass
            self.sampling = False
            self._leave_modules()

    def _failed_within(self, error: Exception) -> None:
        """The same in a hook within a pass. What is measured of this step is still measured."""
        self._measures = False
        self._fence.caught(self.step, "layers, gradients and updates are not measured any more", error)

    def leave(self) -> None:
        """Take every hook back, and hand over nothing."""
        self._attached = False
        stop_listening(self)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._given = {}
        self._leave_modules()

    def _leave_modules(self) -> None:
        try:
            self._probe.leave()
        except Exception as error:
            self._fence.caught(self.step, "hooks may be left on the network", error)

    def __enter__(self) -> Self:
        return self.attach()

    def __exit__(self, *_: object) -> None:
        self.detach()

    def loss(self, value: Tensor | float) -> None:
        """Give the loss of the step under way, in place of the one that `backward` is called on."""
        self._own_loss = True
        try:
            with Aside():
                readable_value = not isinstance(value, Tensor) or readable(value)
                number = self._step_losses.take(value) if readable_value else None
        except Exception as error:
            self.failed(error)
            return
        if number is not None and not math.isfinite(number):
            self._report_not_finite(number, value if isinstance(value, Tensor) else None)

    @property
    def optimizers(self) -> tuple[Optimizer, ...]:
        """What steps the network's weights."""
        return tuple(self._optimizers)

    @property
    def follows(self) -> bool:
        """Whether the way to the loss is recorded in this step: where it is measured; under a limit, rarely."""
        return self.sampling and (self.budget.share is None or self.budget.rare)

    def flush(self) -> None:
        """Hand over what was measured; waits for the device."""
        with Aside():
            self._readout.flush()

    def last_good(self) -> dict[str, Tensor] | None:
        """Weights and buffers before the last measured step whose loss was a number; None before the first."""
        weights = self._probe.weights
        return weights.good.tensors() | weights.good_buffers.tensors() if weights.good else None

    def step_ends(self) -> None:
        """A step was taken by hand, without an optimizer."""
        self._stepped = True

    def another_stepped(self) -> None:
        """Another network took a step: backward passes until now were for its sake."""
        self._step_losses.forget()
        self._backwards = 0
        self._probe.forget()

    def stepped_by(self, optimizer: Optimizer, *_: object) -> None:
        """An optimizer took a step, be it one of the given ones or not."""
        try:
            if optimizer not in self._stepping:
                self._stepping.add(optimizer)
                self._wiring.stepped_by_another(optimizer)
        except Exception as error:
            self.failed(error)

    # What PyTorch and the wrappers call, or the caller who reports by hand.

    def forward_called(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> bool:
        """The network is called, in whatever thread. Returns whether `forward_ends` is to be called, too."""
        if not self._passing.acquire(blocking=False):
            return False
        self.forward_begins(self.listened_to, arguments, options)
        return True

    def forward_begins(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """The network or a part of it is about to be called."""
        if self._busy:
            return
        try:
            with Aside():
                self._begin_pass(module, arguments, options)
        except Exception as error:
            self._leave_modules()
            self.failed(error)

    def _begin_pass(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        if not torch.is_grad_enabled():
            if self._modes.matter and self.step > 0:
                self._modes.evaluated(module)
            return
        if self._stepped:
            self._begin_step()
        if self._modes.matter:
            self._modes.trained(module)
        entered = first_tensor([arguments, options])
        self._under_way = Pass(module, entered if entered is None or not readable(entered) else entered.detach())
        self._given.pop(id(module), None)  # the latest stand last
        self._given[id(module)] = self._under_way
        if not self.sampling or torch._C._functorch.peek_interpreter_stack() is not None:
            return  # under torch.func nothing has numbers that could be read
        if self._probe.passed(module, self._backwards):
            self._probe.another_pass(module, entered)
        else:
            self._probe.begin_forward(self.step, module, entered)

    @property
    def measuring(self) -> bool:
        """Whether a pass is under way whose parts are measured."""
        return self._forward.running

    @unnoticed
    def through(
        self, original: Callable[..., Any], module: nn.Module, given: tuple[Any, ...], by_name: dict[str, Any]
    ) -> Any:
        """Call a module within such a pass."""
        return self._forward.through(original, module, given, by_name)

    def forward_ends(self, outputs: Any) -> None:
        """The pass is over; no outputs where it failed."""
        under_way, self._under_way = self._under_way, None
        try:
            with Aside():
                found = first_tensor(outputs)
                node = found.grad_fn if found is not None and readable(found) else None
                if under_way is not None and node is not None:
                    self._given[id(under_way.module)] = under_way._replace(ended=node._sequence_nr())
                if self._forward.running:
                    self._probe.end_forward(found)
        except Exception as error:
            self.failed(error)
        finally:
            if self._passing.locked():
                self._passing.release()

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        """A loss function was called; there is no value when it raised an error."""
        try:
            if self.sampling and self._given and not self._backwards and not self._busy:
                self._probe.loss_computed(self.step, name, outputs, targets, value, reduction)
        except Exception as error:
            self.failed(error)

    def loss_evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """Nothing: an evaluation is not a step of training."""

    def backward_begins(self, loss: Tensor, scale: float | Tensor, *, adds: bool = True) -> None:
        """A backward pass begins at `loss`; `adds` where its gradients are added to those that are there."""
        if self._busy or not self._given:
            return
        number = None
        try:
            if self._stepped:
                self._begin_step()
            self._forward.scale = scale
            if self.sampling and self._backwards == 0:
                self._probe.first_backward(self.step, loss, adds=adds)
            self._backwards += 1
            self._wiring.backwards += 1
            if not self._own_loss and readable(loss) and loss.numel() == 1:
                number = self._step_losses.take(loss, scale)
        except Exception as error:
            self.failed(error)
        if number is not None and not math.isfinite(number):
            self._report_not_finite(number, loss)

    def _report_not_finite(self, loss: float, graph: Tensor | None) -> None:
        if self.not_finite is not None:
            return
        self._busy = True
        layer, sentence = "", "which layer it came from is not known"
        try:
            with Aside():
                made_by = self._forward.made_by if self.sampling else {}
                layer, sentence = find_birth(self._network, list(self._given.values()), graph, made_by)
        except Exception as error:
            self._fence.caught(self.step, "the layer was not found", error)
        finally:
            self._busy = False
        text = f"the loss became {loss} at step {self.step}: {sentence}"
        self.not_finite = Event(self.step, "not-finite", text, layer)
        try:
            self._readout.add([self.not_finite])
            self._tell_losses()
            self.flush()
        except Exception as error:
            self.failed(error)
        if self._on_not_finite is not None:
            self._on_not_finite(self.step, loss, layer, sentence)

    def _before_step(self, optimizer: Optimizer, arguments: Any, options: Any) -> None:
        try:
            self._wiring.stepping(optimizer)
            if not self.sampling or self._busy:
                return
            with Aside():
                finite, good = self._step_losses.finite, self.not_finite is None
                self._probe.before_step(self.step, optimizer, finite=finite, keep=good, rate=not self._losses)
        except Exception as error:
            self.failed(error)

    def _after_step(self, optimizer: Optimizer, arguments: Any, options: Any) -> None:
        if self._busy:
            return
        try:
            with Aside():
                if self._losses and optimizer is self._optimizers[0]:
                    self._pending.add(self.step, "", "lr", float(optimizer.param_groups[0].get("lr", math.nan)))
                if self.sampling:
                    self._probe.after_step(self.step, optimizer)
        except Exception as error:
            self.failed(error)
        self._stepped = True

    def _begin_step(self) -> None:
        """The step before is over: what it showed is written, and whether the next is measured is decided."""
        now = time.perf_counter()
        self._tell_losses()
        seconds = now - self._step_began
        if self.sampling:
            counts = {"backwards": self._backwards, **self._modes.counts()}
            self._readout.add(self._probe.end(self.step, counts, seconds))
        else:
            self.budget.stepped(seconds)
        waited = now - self._readout.flushed
        if self.sampling or waited > FLUSH_EVERY:
            if waited > FLUSH_EVERY or not torch.cuda.is_initialized():
                self._readout.flush()
            now = time.perf_counter()
        self._given.clear()
        self._backwards = 0
        self._stepped = self._own_loss = False
        self._wiring.steps += 1
        self.step += 1
        self._step_began = now
        self.sampling = self.budget.wants(self.step, now) and self._measures

    def _tell_losses(self) -> None:
        mean = self._step_losses.mean()
        if mean is not None and self._losses:
            self._pending.add(self.step, "", "loss", mean)
