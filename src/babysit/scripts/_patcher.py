"""The patcher: the one place through which a training that knows nothing of babysit is seen and changed.

Installed before a script's first line, removed after its last. What it takes hold of, all of it given back:

    torch.nn.Module         `__call__`: which module is called by the script itself, and what enters it
    torch.optim.Optimizer   its construction, and the global hooks around steps
    torch.nn.functional     the loss functions, and `torch.autograd.backward` (through `babysit.probes.listen`)
    DataLoader              iteration: epochs, rows, batches
    Tensor                  picking rows, until training begins; ==, while the network is evaluated

It draws no random number and changes no tensor: a script's numbers are bit for bit what they are without it, unless
remedies are asked for. No hook stays on a module between passes, so that copies and pickles of a network are its own.
In a process that the script forks nothing of it is left.

The observer hears nothing of its own accord: the patcher, which is told of everything anyway, tells it. In a step that
is not measured each call of a function costs as much as five do in a loop of their own, whose code stays in the caches.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader

from babysit.probes import (
    Aside,
    Budget,
    Fence,
    Observer,
    first_tensor,
    listen,
    loss_facts,
    readable,
    stop_listening,
    unnoticed,
    unwrapped,
)
from babysit.record import Event, Row, TraceStore
from babysit.remedies import AppliedRemedies, Replacements
from babysit.scripts._answers_seen import AnswersSeen, Phase
from babysit.scripts._as_main import Enough
from babysit.scripts._epochs_seen import EpochsSeen
from babysit.scripts._faults_seen import FaultsSeen
from babysit.scripts._forks import forget_forks, leave_when_forked
from babysit.scripts._gradients_seen import GradientsSeen
from babysit.scripts._losses_traced import LossesTraced
from babysit.scripts._networks_seen import (
    OthersSeen,
    Unmoved,
    in_transformation,
    trained_weights,
    what_was_not_seen,
    whole_of,
    wraps,
)
from babysit.scripts._optimizers_seen import OptimizersSeen

FIRST, GROWTH = 50, 0.06  # steps that are all measured, and by which share of those taken the next one is later
PATIENCE = 10  # backward passes without a step, for one asked for, after which a script will never take one


class Patcher:
    """Sees a training from outside.

    Args:
        store: Where measurements go.
        remedies: To apply; None leaves everything as it is.
        overhead: Share of the time that measuring may take; None measures the first fifty steps and
            then fewer and fewer.
        probes: `all` or `losses`.
        steps: Optimizer steps after which the script is ended; None never.
        more: Called at steps, when there is more to read.
        scores: Whether answers to training batches are scored, too.
        optimizers: Known already, of an earlier part of the training.
    """

    def __init__(
        self,
        store: TraceStore,
        *,
        remedies: AppliedRemedies | None = None,
        overhead: float | None = None,
        probes: str = "all",
        steps: int | None = None,
        more: Callable[[], None] | None = None,
        scores: bool = True,
        optimizers: Sequence[Optimizer] = (),
    ) -> None:
        self.store = store
        self.steps = 0
        self.answers = AnswersSeen()
        self.epochs = EpochsSeen(self._before_epoch, self._failed)
        self._fence = Fence(store.add)
        self._looks = True  # at anything but steps and losses, until an error of babysit's own
        self._of_remedies: Exception | None = None  # an error that is not babysit's own: a remedy cannot be applied
        self.network: nn.Module | None = None  # whole, of whatever the script calls
        self._remedies, self._overhead, self._probes, self._most, self._more = remedies, overhead, probes, steps, more
        self._scores = scores
        self._observer: Observer | None = None
        self._optimizers = OptimizersSeen(optimizers)
        self._parts: set[int] = set()  # ids of the network's modules
        self.others = OthersSeen()
        measured, dependence = probes not in ("losses", "dependence"), probes == "dependence"
        self._faults = FaultsSeen(self.store.add, every_step=overhead is None, rows=measured, dependence=dependence)
        self._traced = LossesTraced(self.store.add, self.loss_computed, on=measured)
        self._gradients = GradientsSeen(self.store.add, self._backward, on=measured and overhead is None)
        self._handles: list[Any] = []
        self._replaced = Replacements()
        self._open = False
        self._within = False  # a module's pass
        self._passing = threading.Lock()  # held within one: what other threads call meanwhile is not looked at
        self._inside = False  # the network's own
        self._unmoved: Unmoved | None = None
        self._losses: list[float] = []
        self._facts: dict[str, str] = {}  # of a loss without a network
        self._backwards = self._backwards_without_step = 0
        self._trains_by_hand = self._began_in_training_mode = False

    def __enter__(self) -> Patcher:
        self._open = True
        self._handles = [register_optimizer_step_post_hook(self._after_step)]
        self._replaced.put(nn.Module, "__call__", self._calling)
        self._replaced.put(Optimizer, "__init__", lambda init: self._optimizers.making(init, self._made))
        self.epochs.install(self._replaced)
        self._faults.install(self._replaced)
        self._gradients.install(self._replaced, self._optimizers.all)
        if self._remedies is not None or self._overhead is None:
            self._handles.append(register_optimizer_step_pre_hook(self._before_step))
        if self._remedies is not None:
            self._remedies.install()
        listen(self)
        leave_when_forked(self)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._open:
            return
        self._let_go()
        if self._observer is not None:
            self._observer.detach()
        try:
            self.store.add(self.answers.end_of_evaluation(max(0, self.steps - 1)))
            self._end()
        except Exception as error:
            self._failed(error)
        self.store.flush()

    def forked(self) -> None:
        """In a process that the script forks: nothing is seen any more, and nothing written."""
        self.answers.drop_evaluation()  # nothing is to be told: another thread may have held the store's lock
        self._let_go()
        if self._observer is not None:
            self._observer.leave()

    def tell(self, finished: bool) -> None:
        """Write down what is known of the whole training.

        Args:
            finished: Whether the script came to its own end, so that its epochs are all there are.
        """
        if finished:
            self._faults.finished()
        own = self._facts if self.network is None else {}
        self.store.describe(facts=own | self.epochs.facts(self.steps, finished=finished))
        self.store.flush()

    def not_applied(self) -> list[tuple[str, str]]:
        """Remedies that were not applied until now, in their text form, each with the reason."""
        return [] if self._remedies is None else self._remedies.missing()

    def _let_go(self) -> None:
        self._open = False
        self._traced.stop()
        self._gradients.open = False
        forget_forks(self)
        stop_listening(self)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.epochs.remove()
        if self.answers.evaluating:
            self.store.add(self.answers.end_of_evaluation(max(0, self.steps - 1)))
        self._replaced.take_back()
        if self._remedies is not None:
            self._remedies.close()

    def _failed(self, error: Exception) -> None:
        """An error of babysit's own: from now on only steps and losses are seen, and the training goes on."""
        if error is self._of_remedies:
            raise error
        self._looks = False
        self._fence.caught(self.steps, "passes, evaluations, data and faults are not looked at any more", error)
        if not self._within:
            self._without_observer()

    def _look(self, look: Callable[..., None], *arguments: Any) -> None:
        """Call one that looks at something, unless an error of babysit's own came before."""
        if self._looks:
            try:
                with Aside():
                    look(*arguments)
            except Exception as error:
                self._failed(error)

    def _without_observer(self) -> None:
        if self._observer is not None:
            self._observer.detach()
            self._observer = None

    def _calling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        compiling = torch.compiler.is_dynamo_compiling

        def call(module: nn.Module, *arguments: Any, **options: Any) -> Any:
            if compiling() or not self._open:  # the compiler follows no further than the original
                return original(module, *arguments, **options)
            if self._within and (observer := self._observer) is not None and observer.measuring:
                return observer.through(original, module, arguments, options)
            if self._within or not self._looks:
                return original(module, *arguments, **options)
            trains = module.__dict__.get("_parameters") or module.__dict__.get("_modules")  # activations do not
            if not trains or not self._passing.acquire(blocking=False):
                return original(module, *arguments, **options)
            return self._called(original, module, arguments, options)

        return call

    @unnoticed
    def _called(
        self, original: Callable[..., Any], module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """The script calls a module. What a backward pass or a transformed function calls is not one of its calls."""
        self._within, outputs = True, None
        around: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        try:
            try:
                with Aside() if self._remedies is None else contextlib.nullcontext():
                    if not in_transformation():
                        own = id(module) in self._parts and torch.is_grad_enabled()
                        (self._own_pass if own else self._before_forward)(module, arguments, options)
                if self._inside:
                    self._traced.pass_begins()
                    around = self._faults.passing(module, arguments, options)
            except Exception as error:
                self._failed(error)
            with around:
                if self._inside and self._observer is not None:
                    outputs = self._observer.through(original, module, arguments, options)
                else:
                    outputs = original(module, *arguments, **options)
            return outputs
        finally:
            self._within = False
            if self._inside:
                self._inside = self.answers.inside = False
                if self._observer is not None:
                    self._observer.forward_ends(outputs)
                wanted = self._looks and self._observer is not None and self._observer.follows
                self._traced.pass_ends([arguments, options], outputs, wanted=wanted)
            if not self._looks:
                self._without_observer()
            self._passing.release()

    def _before_forward(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        known = id(module) in self._parts or wraps(module, self.network)
        if not torch.is_grad_enabled():
            if known:
                self._evaluates(module, arguments, options)
            return
        if known:
            self._own_pass(module, arguments, options)
            return
        if self.network is not None:
            self.store.add(self.others.called(self.steps, module, self.network, self._optimizers.all))
            return
        if any(is_lazy(parameter) for parameter in module.parameters()) or self._optimizers.waits(module):
            return  # this pass makes them
        mine = self._optimizers.of(module)
        # Where no optimizer has its weights, a backward pass must have shown that it is what is trained.
        if any(parameter.requires_grad for parameter in module.parameters()) and (mine or self._backwards):
            self._begin(module, arguments, options, mine or self._optimizers.all)

    def _own_pass(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        if self._observer is not None and self._trains_by_hand and self._backwards_without_step:
            self._observer.step_ends()
        if self._began_in_training_mode and not module.training:
            # An evaluation that keeps gradients, unless a backward pass follows.
            self.store.add(self.answers.begin_evaluation("validation", max(0, self.steps - 1)))
        elif self.answers.evaluating:
            self.store.add(self.answers.end_of_evaluation(max(0, self.steps - 1)))
        self._inside = self.answers.inside = True
        self._faults.trains_on(arguments, options)
        if self._observer is not None:
            self._observer.forward_begins(module, self._given(module, arguments), options)

    def _evaluates(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._inside = True
        entered = first_tensor([arguments, options])
        phase: Phase = "train" if self.epochs.trained_on(entered) else "validation"
        self._faults.evaluates(arguments, options, trained_on=phase == "train")
        self.store.add(self.answers.begin_evaluation(phase, max(0, self.steps - 1)))
        self.answers.inside = True
        if self._observer is not None:
            self._observer.forward_begins(module, self._given(module, arguments), options)

    def _begin(
        self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any], mine: Sequence[Optimizer]
    ) -> None:
        """The first pass of training: now network and optimizers are known."""
        self._trains_by_hand = not mine
        self._unmoved = Unmoved(module) if not mine else None
        self._began_in_training_mode = module.training
        if self._remedies is not None:
            stop_listening(self)  # what remedies try out is not training
            try:
                self._remedies.begin(module, arguments, options, mine)
            except Exception as error:
                self._of_remedies = error
                raise
            finally:
                listen(self)
        self.network = whole_of(module, mine) if mine else module
        self._parts = {id(one) for one in self.network.modules()} | {id(unwrapped(self.network))}
        self.epochs.begin(first_tensor([arguments, options]))
        self._faults.begin(self.network)
        self._faults.trains_on(arguments, options)
        self._inside = self.answers.inside = True
        if self._probes not in ("losses", "dependence"):
            self._observer = Observer(
                self.network, mine, self.store, overhead=self._overhead, step=self.steps, told=True
            )
            if self._overhead is None:
                self._observer.budget = Budget(None, self.steps + FIRST, growth=GROWTH)
            self._observer.attach()
            self._optimizers.counted = mine[0] if mine else self._optimizers.counted
            self._observer.forward_begins(module, self._given(module, arguments), options)

    def _given(self, module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments as the network sees them, under remedies of its inputs."""
        return arguments if self._remedies is None else self._remedies.given(module, arguments)

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        """A loss function was called on outputs that gradients flow back from."""
        if self._faults.testing:
            return
        self._look(self._traced.heard, name, outputs, targets, value)
        self._look(self._faults.loss_computed, name, value, outputs, targets)
        if self.network is None and "loss" not in self._facts:
            self._look(lambda: self._facts.update(loss_facts(name, outputs, targets, reduction)))
        known = value is not None or reduction == "own"  # the function did not fail
        if self._scores and torch.is_grad_enabled() and known and not self._inside:
            with torch.no_grad(), contextlib.suppress(Exception):
                # Of a tiny batch, the targets of its rows: the script's own belong to rows that are left out.
                used = targets if self._remedies is None else self._remedies.loss.targets_used(targets)
                self.answers.trained_on(name, outputs, used)
        if self._observer is not None and self._observer.sampling:
            self._observer.loss_computed(name, outputs, targets, value, reduction)

    def loss_evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """A loss function was called without gradients."""
        if self.answers.evaluating:
            with torch.no_grad(), contextlib.suppress(Exception):
                self.answers.evaluated(name, outputs, targets, value)

    def backward_begins(self, loss: Tensor, scale: float | Tensor, *, adds: bool = True) -> None:
        """A backward pass begins.

        Raises:
            Enough: No step was ever taken, and none will be.
        """
        bad = False
        self._traced.backward_begins(self.steps, loss, self.network)
        try:
            if self.answers.evaluating:
                self.answers.drop_evaluation()
            if self._observer is None and readable(loss) and loss.numel() == 1:
                self._losses.append(float(loss.detach() / scale))
                bad = self._probes == "losses" and not math.isfinite(self._losses[-1])
            if self._looks and readable(loss):
                self._faults.backward_begins(loss, by_hand=not self._optimizers.all)
        except Exception as error:
            self._failed(error)
        if bad:
            self.end_step()
        self._backwards += 1
        self._backwards_without_step += 1
        if self._remedies is not None and self.network is None:
            self._remedies.backward_begins(self._optimizers.all)
        if not self._optimizers.all:
            self.end_step()  # weights changed by hand, or never: each backward pass is a step
        elif self._most is not None and self.steps == 0 and self._backwards > PATIENCE * self._most:
            raise Enough
        elif self._more is not None and self._backwards_without_step > 1:
            self._more()  # of a training that takes no step, time is looked at here
        if self._observer is not None:
            self._observer.backward_begins(loss, scale, adds=adds)

    @contextlib.contextmanager
    def _backward(self, loss: Tensor | None) -> Iterator[None]:
        """A backward pass; with a loss where it is one that nobody else tells of."""
        self._traced.pause()
        if loss is not None:
            self.backward_begins(loss, 1.0, adds=False)
        yield
        weights = trained_weights(self._optimizers.all, self.network)
        self._look(self._faults.backward_ended, weights)
        self._look(self._gradients.backward_ended, weights)
        if self.network is None and self._overhead is None:
            self._look(self._traced.follow_weights)

    def _before_step(self, optimizer: Optimizer, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        self._look(self._faults.before_step, optimizer)
        self._look(self._gradients.before_step, optimizer)
        return None if self._remedies is None else self._remedies.before_step(optimizer, arguments, options)

    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        if self._looks:
            self._faults.stepped_by(optimizer)
        try:
            self._stepped(optimizer)
        finally:  # the rate that was stepped with is read before it is given back
            if self._remedies is not None:
                self._remedies.after_step(optimizer)

    def _stepped(self, optimizer: Optimizer) -> None:
        self._traced.stop()
        other = optimizer is not self._optimizers.counted and not self.steps
        if other and (told := self._optimizers.turned_to(optimizer, self.network)):
            self.store.add(told)
            if self._observer is not None:
                self._observer.leave()
            self._observer, self.network, self._parts = None, None, set()
        if optimizer is not self._optimizers.counted:
            if self._observer is not None:
                if all(optimizer is not one for one in self._observer.optimizers):
                    self._observer.another_stepped()
                self._observer.stepped_by(optimizer)
            return
        if self._losses:
            with contextlib.suppress(Exception):  # an optimizer of the user's own may keep its rate elsewhere
                rate = float(optimizer.param_groups[0].get("lr", math.nan))
                self.store.add([Row(self.steps, "train", "", "lr", rate)])
        self.end_step()
        if self._observer is not None and self._trains_by_hand:
            self._observer.stepped_by(optimizer)

    def end_step(self) -> None:
        """A step was taken.

        Raises:
            Enough: It was the last one asked for, or its loss is NaN or infinite and only losses are measured.
        """
        losses, self._losses = self._losses, []
        try:
            if losses:
                self.store.add([Row(self.steps, "train", "", "loss", sum(losses) / len(losses))])
            self.epochs.stepped()
            self._faults.stepped()
            self._gradients.stepped()
        except Exception as error:
            self._failed(error)
        self.steps += 1
        if self._optimizers.all:
            self._backwards_without_step = 0
        if self._more is not None:
            try:
                self._more()
            except Exception as error:
                self._more = None
                self._fence.caught(self.steps, "findings are told at the end alone", error)
        if self._most is not None and self.steps >= self._most:
            raise Enough
        if self._probes == "losses" and losses and not math.isfinite(losses[-1]):
            raise Enough

    def _end(self) -> None:
        self._faults.end()
        for remedy, reason in self.not_applied():
            self.store.add([Event(max(0, self.steps - 1), "not-applied", f"{remedy} could not be applied: {reason}")])
        unmoved = self._unmoved if self._trains_by_hand else None
        self.store.add(what_was_not_seen(max(0, self.steps - 1), self.network, self._backwards, unmoved))

    def _before_epoch(self, loader: DataLoader[Any]) -> None:
        self._look(self._faults.before_epoch, loader)
        if self._remedies is not None:
            self._remedies.before_epoch(loader)

    def _made(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer that was just made counts."""
        if self._open and self._remedies is not None:
            self._remedies.constructed(optimizer)
        return self._open
