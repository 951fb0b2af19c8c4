"""Which modules a script calls: the network that is trained, its passes of training and of evaluation, and others.

What a backward pass, a transformed function or another thread calls meanwhile is none of the script's calls.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from babysit.probes import (
    Aside,
    Budget,
    Listening,
    Observer,
    first_tensor,
    listen,
    stop_listening,
    unnoticed,
    unwrapped,
)
from babysit.record import TraceStore
from babysit.remedies import AppliedRemedies
from babysit.scripts._answers_seen import AnswersSeen, Phase
from babysit.scripts._epochs_seen import EpochsSeen
from babysit.scripts._faults_seen import FaultsSeen
from babysit.scripts._losses_traced import LossesTraced
from babysit.scripts._networks_seen import OthersSeen, Unmoved, in_transformation, whole_of, wraps
from babysit.scripts._optimizers_seen import OptimizersSeen

FIRST, GROWTH = 50, 0.06  # steps that are all measured, and by which share of those taken the next one is later


@dataclass
class StepCounts:
    """How far a training is.

    Attributes:
        steps: That were taken.
        backwards: Backward passes.
        without_step: Backward passes since the last step.
    """

    steps: int = 0
    backwards: int = 0
    without_step: int = 0


class CallsSeen:
    """Stands around `nn.Module.__call__`.

    Args:
        listener: That hears of losses and backward passes, but not of those of remedies that are tried out.
        store: Where measurements go.
        counts: How far the training is.
        optimizers: That were made.
        answers: Told of evaluations.
        epochs: Asked which rows are trained on.
        faults: Shown every pass of the network.
        traced: Told where passes begin and end.
        remedies: To apply.
        overhead: As of the patcher.
        measures: Whether the network is observed.
        failed: Called with errors of babysit's own.

    Attributes:
        open: Whether the patcher stands.
        looks: Whether passes are looked at: until an error of babysit's own.
        network: That is trained, whole, of whatever the script calls.
        observer: Of the network, where it is measured.
        others: Modules that are trained and not measured.
        within: Whether a module's pass is under way.
        inside: Whether it is the network's own.
        trains_by_hand: Whether no optimizer steps the network's weights.
        unmoved: Its first weights then.
        of_remedies: An error that is not babysit's own: a remedy cannot be applied.
    """

    def __init__(
        self,
        listener: Listening,
        store: TraceStore,
        counts: StepCounts,
        optimizers: OptimizersSeen,
        answers: AnswersSeen,
        epochs: EpochsSeen,
        faults: FaultsSeen,
        traced: LossesTraced,
        *,
        remedies: AppliedRemedies | None,
        overhead: float | None,
        measures: bool,
        failed: Callable[[Exception], None],
    ) -> None:
        self._listener, self._store, self._counts, self._optimizers = listener, store, counts, optimizers
        self._answers, self._epochs, self._faults, self._traced = answers, epochs, faults, traced
        self._remedies, self._overhead, self._measures, self._failed = remedies, overhead, measures, failed
        self.open, self.looks = False, True
        self.network: nn.Module | None = None
        self.observer: Observer | None = None
        self.others = OthersSeen()
        self.within = self.inside = False
        self.trains_by_hand = self._began_in_training_mode = False
        self.unmoved: Unmoved | None = None
        self.of_remedies: Exception | None = None
        self._parts: set[int] = set()  # ids of the network's modules
        self._passing = threading.Lock()  # held within a pass: what other threads call meanwhile is not looked at

    def without_observer(self) -> None:
        """The network is not measured any more."""
        if self.observer is not None:
            self.observer.detach()
            self.observer = None

    def forget(self) -> None:
        """Another network is what is trained."""
        if self.observer is not None:
            self.observer.leave()
        self.observer, self.network, self._parts = None, None, set()

    def calling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps `nn.Module.__call__`."""
        compiling = torch.compiler.is_dynamo_compiling

        def call(module: nn.Module, *arguments: Any, **options: Any) -> Any:
            if compiling() or not self.open:  # the compiler follows no further than the original
                return original(module, *arguments, **options)
            if self.within and (observer := self.observer) is not None and observer.measuring:
                return observer.through(original, module, arguments, options)
            if self.within or not self.looks:
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
        self.within, outputs = True, None
        around: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        try:
            try:
                with Aside() if self._remedies is None else contextlib.nullcontext():
                    if not in_transformation():
                        own = id(module) in self._parts and torch.is_grad_enabled()
                        (self._own_pass if own else self._before_forward)(module, arguments, options)
                if self.inside:
                    self._traced.pass_begins()
                    around = self._faults.passing(module, arguments, options)
            except Exception as error:
                self._failed(error)
            with around:
                if self.inside and self.observer is not None:
                    outputs = self.observer.through(original, module, arguments, options)
                else:
                    outputs = original(module, *arguments, **options)
            return outputs
        finally:
            self.within = False
            if self.inside:
                self.inside = self._answers.inside = False
                if self.observer is not None:
                    self.observer.forward_ends(outputs)
                wanted = self.looks and self.observer is not None and self.observer.follows
                self._traced.pass_ends([arguments, options], outputs, wanted=wanted)
            if not self.looks:
                self.without_observer()
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
            self._store.add(self.others.called(self._counts.steps, module, self.network, self._optimizers.all))
            return
        if any(is_lazy(parameter) for parameter in module.parameters()) or self._optimizers.waits(module):
            return  # this pass makes them
        mine = self._optimizers.of(module)
        # Where no optimizer has its weights, a backward pass must have shown that it is what is trained.
        if any(parameter.requires_grad for parameter in module.parameters()) and (mine or self._counts.backwards):
            self._begin(module, arguments, options, mine or self._optimizers.all)

    def _own_pass(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        if self.observer is not None and self.trains_by_hand and self._counts.without_step:
            self.observer.step_ends()
        if self._began_in_training_mode and not module.training:
            # An evaluation that keeps gradients, unless a backward pass follows.
            self._store.add(self._answers.begin_evaluation("validation", max(0, self._counts.steps - 1)))
        elif self._answers.evaluating:
            self._store.add(self._answers.end_of_evaluation(max(0, self._counts.steps - 1)))
        self.inside = self._answers.inside = True
        self._faults.trains_on(arguments, options)
        self._epochs.trains_on(first_tensor([arguments, options]))
        if self.observer is not None:
            self.observer.forward_begins(module, self._given(module, arguments), options)

    def _evaluates(self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.inside = True
        entered = first_tensor([arguments, options])
        phase: Phase = "train" if self._epochs.trained_on(entered) else "validation"
        self._faults.evaluates(arguments, options, trained_on=phase == "train")
        self._store.add(self._answers.begin_evaluation(phase, max(0, self._counts.steps - 1)))
        self._answers.inside = True
        if self.observer is not None:
            self.observer.forward_begins(module, self._given(module, arguments), options)

    def _begin(
        self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any], mine: Sequence[Optimizer]
    ) -> None:
        """The first pass of training: now network and optimizers are known."""
        self.trains_by_hand = not mine
        self.unmoved = Unmoved(module) if not mine else None
        self._began_in_training_mode = module.training
        if self._remedies is not None:
            stop_listening(self._listener)  # what remedies try out is not training
            try:
                self._remedies.begin(module, arguments, options, mine)
            except Exception as error:
                self.of_remedies = error
                raise
            finally:
                listen(self._listener)
        self.network = whole_of(module, mine) if mine else module
        self._parts = {id(one) for one in self.network.modules()} | {id(unwrapped(self.network))}
        self._epochs.begin(first_tensor([arguments, options]))
        self._faults.begin(self.network)
        self._faults.trains_on(arguments, options)
        self.inside = self._answers.inside = True
        if self._measures:
            self.observer = Observer(
                self.network, mine, self._store, overhead=self._overhead, step=self._counts.steps, told=True
            )
            if self._overhead is None:
                self.observer.budget = Budget(None, self._counts.steps + FIRST, growth=GROWTH)
            self.observer.attach()
            self._optimizers.counted = mine[0] if mine else self._optimizers.counted
            self.observer.forward_begins(module, self._given(module, arguments), options)

    def _given(self, module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments as the network sees them, under remedies of its inputs."""
        return arguments if self._remedies is None else self._remedies.given(module, arguments)
