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
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader

from babysit.probes import (
    Aside,
    Fence,
    listen,
    loss_facts,
    readable,
    stop_listening,
)
from babysit.record import Event, Row, TraceStore
from babysit.remedies import AppliedRemedies, Replacements
from babysit.scripts._answers_seen import AnswersSeen
from babysit.scripts._as_main import Enough
from babysit.scripts._calls_seen import CallsSeen, StepCounts
from babysit.scripts._epochs_seen import EpochsSeen
from babysit.scripts._faults_seen import FaultsSeen
from babysit.scripts._forks import forget_forks, leave_when_forked
from babysit.scripts._gradients_seen import GradientsSeen
from babysit.scripts._losses_traced import LossesTraced
from babysit.scripts._networks_seen import (
    OthersSeen,
    trained_weights,
    what_was_not_seen,
)
from babysit.scripts._optimizers_seen import OptimizersSeen

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
        self.answers = AnswersSeen()
        self.epochs = EpochsSeen(self._before_epoch, self._failed)
        self._fence = Fence(store.add)
        self._remedies, self._overhead, self._probes, self._most, self._more = remedies, overhead, probes, steps, more
        self._scores = scores
        self._optimizers = OptimizersSeen(optimizers)
        measured, dependence = probes not in ("losses", "dependence"), probes == "dependence"
        self._faults = FaultsSeen(self.store.add, every_step=overhead is None, rows=measured, dependence=dependence)
        self._traced = LossesTraced(self.store.add, self.loss_computed, on=measured)
        self._gradients = GradientsSeen(self.store.add, self._backward, on=measured and overhead is None)
        self._counts = StepCounts()
        self._calls = CallsSeen(
            self,
            store,
            self._counts,
            self._optimizers,
            self.answers,
            self.epochs,
            self._faults,
            self._traced,
            remedies=remedies,
            overhead=overhead,
            measures=measured,
            failed=self._failed,
        )
        self._handles: list[Any] = []
        self._replaced = Replacements()
        self._losses: list[float] = []
        self._facts: dict[str, str] = {}  # of a loss without a network

    @property
    def steps(self) -> int:
        """That were taken."""
        return self._counts.steps

    @property
    def network(self) -> nn.Module | None:
        """That is trained, whole, of whatever the script calls; None until that is known."""
        return self._calls.network

    @property
    def others(self) -> OthersSeen:
        """Modules that are trained, too, and not measured."""
        return self._calls.others

    def __enter__(self) -> Patcher:
        self._calls.open = True
        self._handles = [register_optimizer_step_post_hook(self._after_step)]
        self._replaced.put(nn.Module, "__call__", self._calls.calling)
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
        if not self._calls.open:
            return
        self._let_go()
        if self._calls.observer is not None:
            self._calls.observer.detach()
        try:
            self.store.add(self.answers.end_of_evaluation(max(0, self._counts.steps - 1)))
            self._end()
        except Exception as error:
            self._failed(error)
        self.store.flush()

    def forked(self) -> None:
        """In a process that the script forks: nothing is seen any more, and nothing written."""
        self.answers.drop_evaluation()  # nothing is to be told: another thread may have held the store's lock
        self._let_go()
        if self._calls.observer is not None:
            self._calls.observer.leave()

    def tell(self, finished: bool) -> None:
        """Write down what is known of the whole training.

        Args:
            finished: Whether the script came to its own end, so that its epochs are all there are.
        """
        if finished:
            self._faults.finished()
        own = self._facts if self._calls.network is None else {}
        self.store.describe(facts=own | self.epochs.facts(self._counts.steps, finished=finished))
        self.store.flush()

    def not_applied(self) -> list[tuple[str, str]]:
        """Remedies that were not applied until now, in their text form, each with the reason."""
        return [] if self._remedies is None else self._remedies.missing()

    def _let_go(self) -> None:
        self._calls.open = False
        self._traced.stop()
        self._gradients.open = False
        forget_forks(self)
        stop_listening(self)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.epochs.remove()
        if self.answers.evaluating:
            self.store.add(self.answers.end_of_evaluation(max(0, self._counts.steps - 1)))
        self._replaced.take_back()
        if self._remedies is not None:
            self._remedies.close()

    def _failed(self, error: Exception) -> None:
        """An error of babysit's own: from now on only steps and losses are seen, and the training goes on."""
        if error is self._calls.of_remedies:
            raise error
        self._calls.looks = False
        self._fence.caught(self._counts.steps, "passes, evaluations, data and faults are not looked at any more", error)
        if not self._calls.within:
            self._calls.without_observer()

    def _look(self, look: Callable[..., None], *arguments: Any) -> None:
        """Call one that looks at something, unless an error of babysit's own came before."""
        if self._calls.looks:
            try:
                with Aside():
                    look(*arguments)
            except Exception as error:
                self._failed(error)

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        """A loss function was called on outputs that gradients flow back from."""
        if self._faults.testing:
            return
        self._look(self._traced.heard, name, outputs, targets, value)
        self._look(self._faults.loss_computed, name, value, outputs, targets)
        if self._calls.network is None and "loss" not in self._facts:
            self._look(lambda: self._facts.update(loss_facts(name, outputs, targets, reduction)))
        known = value is not None or reduction == "own"  # the function did not fail
        if self._scores and torch.is_grad_enabled() and known and not self._calls.inside:
            with torch.no_grad(), contextlib.suppress(Exception):
                # Of a tiny batch, the targets of its rows: the script's own belong to rows that are left out.
                used = targets if self._remedies is None else self._remedies.loss.targets_used(targets)
                self.answers.trained_on(name, outputs, used)
        if self._calls.observer is not None and self._calls.observer.sampling:
            self._calls.observer.loss_computed(name, outputs, targets, value, reduction)

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
        self._traced.backward_begins(self._counts.steps, loss, self._calls.network)
        try:
            if self.answers.evaluating:
                self.answers.drop_evaluation()
            if self._calls.observer is None and readable(loss) and loss.numel() == 1:
                self._losses.append(float(loss.detach() / scale))
                bad = self._probes == "losses" and not math.isfinite(self._losses[-1])
            if self._calls.looks and readable(loss):
                self._faults.backward_begins(loss, by_hand=not self._optimizers.all)
        except Exception as error:
            self._failed(error)
        if bad:
            self.end_step()
        self._counts.backwards += 1
        self._counts.without_step += 1
        if self._remedies is not None and self._calls.network is None:
            self._remedies.backward_begins(self._optimizers.all)
        if not self._optimizers.all:
            self.end_step()  # weights changed by hand, or never: each backward pass is a step
        elif self._most is not None and self._counts.steps == 0 and self._counts.backwards > PATIENCE * self._most:
            raise Enough
        elif self._more is not None and self._counts.without_step > 1:
            self._more()  # of a training that takes no step, time is looked at here
        if self._calls.observer is not None:
            self._calls.observer.backward_begins(loss, scale, adds=adds)

    @contextlib.contextmanager
    def _backward(self, loss: Tensor | None) -> Iterator[None]:
        """A backward pass; with a loss where it is one that nobody else tells of."""
        self._traced.pause()
        if loss is not None:
            self.backward_begins(loss, 1.0, adds=False)
        yield
        weights = trained_weights(self._optimizers.all, self._calls.network)
        self._look(self._faults.backward_ended, weights)
        self._look(self._gradients.backward_ended, weights)
        if self._calls.network is None and self._overhead is None:
            self._look(self._traced.follow_weights)

    def _before_step(self, optimizer: Optimizer, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        self._look(self._faults.before_step, optimizer)
        self._look(self._gradients.before_step, optimizer)
        return None if self._remedies is None else self._remedies.before_step(optimizer, arguments, options)

    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        if self._calls.looks:
            self._faults.stepped_by(optimizer)
        try:
            self._stepped(optimizer)
        finally:  # the rate that was stepped with is read before it is given back
            if self._remedies is not None:
                self._remedies.after_step(optimizer)

    def _stepped(self, optimizer: Optimizer) -> None:
        self._traced.stop()
        other = optimizer is not self._optimizers.counted and not self._counts.steps
        if other and (told := self._optimizers.turned_to(optimizer, self._calls.network)):
            self.store.add(told)
            self._calls.forget()
        if optimizer is not self._optimizers.counted:
            if self._calls.observer is not None:
                if all(optimizer is not one for one in self._calls.observer.optimizers):
                    self._calls.observer.another_stepped()
                self._calls.observer.stepped_by(optimizer)
            return
        if self._losses:
            with contextlib.suppress(Exception):  # an optimizer of the user's own may keep its rate elsewhere
                rate = float(optimizer.param_groups[0].get("lr", math.nan))
                self.store.add([Row(self._counts.steps, "train", "", "lr", rate)])
        self.end_step()
        if self._calls.observer is not None and self._calls.trains_by_hand:
            self._calls.observer.stepped_by(optimizer)

    def end_step(self) -> None:
        """A step was taken.

        Raises:
            Enough: It was the last one asked for, or its loss is NaN or infinite and only losses are measured.
        """
        losses, self._losses = self._losses, []
        try:
            if losses:
                self.store.add([Row(self._counts.steps, "train", "", "loss", sum(losses) / len(losses))])
            self.epochs.stepped()
            self._faults.stepped()
            self._gradients.stepped()
        except Exception as error:
            self._failed(error)
        self._counts.steps += 1
        if self._optimizers.all:
            self._counts.without_step = 0
        if self._more is not None:
            try:
                self._more()
            except Exception as error:
                self._more = None
                self._fence.caught(self._counts.steps, "findings are told at the end alone", error)
        if self._most is not None and self._counts.steps >= self._most:
            raise Enough
        if self._probes == "losses" and losses and not math.isfinite(losses[-1]):
            raise Enough

    def _end(self) -> None:
        self._faults.end()
        for remedy, reason in self.not_applied():
            self.store.add(
                [Event(max(0, self._counts.steps - 1), "not-applied", f"{remedy} could not be applied: {reason}")]
            )
        unmoved = self._calls.unmoved if self._calls.trains_by_hand else None
        self.store.add(
            what_was_not_seen(max(0, self._counts.steps - 1), self._calls.network, self._counts.backwards, unmoved)
        )

    def _before_epoch(self, loader: DataLoader[Any]) -> None:
        self._look(self._faults.before_epoch, loader)
        if self._remedies is not None:
            self._remedies.before_epoch(loader)

    def _made(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer that was just made counts."""
        if self._calls.open and self._remedies is not None:
            self._remedies.constructed(optimizer)
        return self._calls.open
