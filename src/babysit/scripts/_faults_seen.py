"""Faults of a program that are proven as it runs: states that are not copies, rows that change, losses that cannot be.

Each is told as an event, once, with the line of the script where it happens. Nothing is changed: what is looked at are
the arguments of calls that the script makes itself, and tensors that exist anyway.
"""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from babysit.probes import Aside, first_tensor, readable
from babysit.record import INPUTS, Event, Row
from babysit.rehearsal import Dependence, EvaluatedTwice, RowsFollowed, tensors_of, where_in_script, workers_repeat
from babysit.remedies import Replacements
from babysit.scripts._followers_seen import FollowersSeen
from babysit.scripts._hand_steps_seen import HandStepsSeen
from babysit.scripts._latents_seen import LatentsSeen
from babysit.scripts._networks_seen import name_of, parameters_of
from babysit.scripts._scalers_seen import ScalersSeen
from babysit.scripts._schedules_seen import SchedulesSeen
from babysit.scripts._stored_rows import StoredRows

LEAST_COLUMNS = 2  # of a table, that vary
# Deviations by column, from which on they are those of another scale: states of a game that goes on lie 2.6 deviations
# away, at 1.1 times the deviation.
OTHER_SCALE = 1.5
TINY = 1e-6  # of a mean: a deviation that rounding alone may make
COMPARED_BATCHES = 20  # of training and of evaluation, whose values are counted
# Backward functions whose derivative has a pole, or whose value has: at zero, or where the argument leaves the domain.
WITH_POLES = {
    "AcosBackward0": "acos",
    "AsinBackward0": "asin",
    "Atan2Backward0": "atan2",
    "CdistBackward0": "cdist",
    "DivBackward0": "division",
    "LinalgVectorNormBackward0": "norm",
    "LogBackward0": "log",
    "NormBackward1": "norm",
    "PowBackward0": "power",
    "PowBackward1": "power",
    "ReciprocalBackward0": "reciprocal",
    "RsqrtBackward0": "rsqrt",
    "SqrtBackward0": "sqrt",
    "StdBackward0": "std",
}
LEAST_NOT_FINITE = 3  # backward passes in a row, none of them followed by a step
NODES = 5000  # of a graph of gradients that are looked at


class FaultsSeen:
    """Looks at what a script does with states, data, losses and gradients.

    Args:
        tell: Where events go.
        every_step: Whether gradients are looked at in every step. It costs a pass over them, which a rehearsal has.
        rows: Whether rows, evaluations and latent units are followed, too.
        dependence: Whether the first steps are tested for what depends on what.
    """

    def __init__(
        self,
        tell: Callable[[list[Event | Row]], None],
        *,
        every_step: bool,
        rows: bool = False,
        dependence: bool = False,
    ) -> None:
        self._tell, self._every_step = tell, every_step
        self.testing = False  # whether a pass is under way that the script does not make
        self._told: set[str] = set()
        self._step = 0
        self._states = _States(lambda: self._step, self._asked_for)
        self._stored = StoredRows()
        self._hand = HandStepsSeen()
        self._entered = {"train": _Values(), "validation": _Values()}
        self._graph: Any = None  # of the gradients under way: it lives until the step
        self._loss_value = math.nan
        self._network: nn.Module | None = None  # that is trained, once it is known
        self._followers = FollowersSeen(lambda: self._step)
        self._without_step = self._not_finite = 0  # backward passes that no step followed, and bad ones of these
        self._inputs: list[Tensor] = []  # of the latest pass of training, until its loss
        self._loaders: set[int] = set()  # data sets whose workers were asked
        self._schedules, self._scalers = SchedulesSeen(self._at), ScalersSeen(self._at)
        self._rows = RowsFollowed(tell) if rows and every_step else None
        self._twice = EvaluatedTwice(self._at) if rows and every_step else None
        self._latents = LatentsSeen(self._at) if rows and every_step else None
        self._dependence = Dependence(tell) if dependence else None

    def install(self, replaced: Replacements) -> None:
        """Before the script's first line."""
        replaced.put(nn.Module, "state_dict", self._states.made_by)
        self._followers.install(replaced)
        replaced.put(nn.Module, "load_state_dict", self._loading)
        replaced.put(functional, "ctc_loss", self._ctc)
        self._schedules.install(replaced)
        self._scalers.install(replaced)

    def trains_on(self, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        """A batch that is trained on enters the network."""
        self._followers.passes()
        inputs = first_tensor([arguments, options])
        if isinstance(inputs, Tensor):
            self._entered["train"].add(inputs)
        if self._rows is not None:
            self._inputs = tensors_of([list(arguments), dict(options)])

    def evaluates(self, arguments: tuple[Any, ...], options: Mapping[str, Any], *, trained_on: bool) -> None:
        """A batch that is evaluated enters the network."""
        inputs = first_tensor([arguments, options])
        if isinstance(inputs, Tensor) and not trained_on:
            self._entered["validation"].add(inputs)

    def passing(
        self, module: nn.Module, arguments: tuple[Any, ...], options: Mapping[str, Any]
    ) -> contextlib.AbstractContextManager[None]:
        """Around a pass of the network."""
        if not torch.is_grad_enabled():
            self._evaluate_twice(module, arguments, options)
        elif self._dependence is not None:
            return self._dependence.looking(module, arguments, options)
        elif self._latents is not None:
            return self._latents.following(module, self._step)
        return contextlib.nullcontext()

    def _evaluate_twice(self, module: nn.Module, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        if self._twice is not None:
            self.testing = True
            try:
                self._twice.evaluates(module, arguments, options)
            except Exception:  # a network may be anything, and refuse to be copied
                self._twice.over()
            finally:
                self.testing = False

    def loss_computed(self, name: str, value: Tensor | None, outputs: Tensor, targets: Tensor) -> None:
        """A loss function was called on a training batch."""
        inputs, self._inputs = self._inputs, []
        with contextlib.suppress(Exception):  # rows may be anything
            if self._rows is not None:
                self._rows.batch(inputs, targets)
            if self._twice is not None:
                self._twice.loss_computed(name, targets)
        if self._dependence is not None:
            self._dependence.loss_computed(name, outputs, targets, value)
        if name != "nll" or value is None or value.numel() != 1 or not float(value.detach()) < -1e-3:
            return
        # Log-probabilities are zero at the most. The text tells the sum of a row's probabilities, which should be 1.
        total = float(outputs.detach().float().exp().sum(1).mean()) if outputs.ndim > 1 else math.nan
        text = f"nll_loss is {float(value):.3g}, and the logarithm of a probability is never above zero"
        self._once("loss-impossible", f"{text}: the exponentials of its inputs add up to {total:.3g} a row, not to 1")

    def backward_begins(self, loss: Tensor, *, by_hand: bool = False) -> None:
        """A backward pass begins; `by_hand` where no optimizer was made."""
        rate = self._hand.backward_begins(loss) if by_hand else None
        if rate is not None:
            self._tell([Row(max(0, self._step - 1), "train", "", "lr", rate)])
        self._scalers.backward_begins(loss)
        if self._every_step and loss.numel() == 1 and "gradients-not-finite" not in self._told:
            self._graph, self._loss_value = loss.grad_fn, float(loss.detach())

    def backward_ended(self, weights: Iterable[Tensor]) -> None:
        """A backward pass is over. Where no step followed the one before, its gradients may keep the step away."""
        self._followers.backward_ended()
        self._without_step += 1
        if self._every_step and self._without_step > 1 and self._graph is not None:
            self._look_at_gradients(weights, self._graph, seldom=True)

    def before_step(self, optimizer: Optimizer) -> None:
        """An optimizer is about to step."""
        graph, self._graph = self._graph, None
        self._without_step = self._not_finite = 0
        if self._every_step:
            self._look_at_gradients(parameters_of(optimizer), graph, seldom=False)

    def _look_at_gradients(self, weights: Iterable[Tensor], graph: Any, *, seldom: bool) -> None:
        if "gradients-not-finite" in self._told or not math.isfinite(self._loss_value):
            return
        gradients = [one.grad for one in weights if one.grad is not None and readable(one.grad)]
        if not gradients:
            return
        if all(bool(torch.isfinite(norm)) for norm in torch._foreach_norm(gradients)):
            return
        wrong = [one for one in gradients if not bool(torch.isfinite(one).all())]
        if not wrong:
            return  # finite numbers whose squares are not
        self._not_finite += 1
        if seldom and self._not_finite < LEAST_NOT_FINITE:
            return  # a step that is skipped now and then is skipped on purpose
        poles = _poles(graph)
        text = (
            f"the loss is {self._loss_value:.3g}, and {len(wrong)} of {len(gradients)} gradients hold NaN or infinity"
        )
        self._once("gradients-not-finite", f"{text}; operations that can do it: {', '.join(poles) or 'none is known'}")

    def stepped_by(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped."""
        with contextlib.suppress(Exception):  # an optimizer of the user's own may be anything
            self._schedules.stepped_by(optimizer)
            self._scalers.stepped_by(optimizer)

    def stepped(self) -> None:
        """A step was taken."""
        self._step += 1
        if self._twice is not None:
            self._twice.over()
        if self._dependence is not None:
            self._dependence.stepped()

    def finished(self) -> None:
        """The training came to its own end."""
        self._schedules.finished()

    def before_epoch(self, loader: DataLoader[Any]) -> None:
        """A loader is about to be gone through."""
        if self.testing:
            return
        dataset = loader.dataset
        if self._dependence is not None and id(dataset) not in self._loaders:
            self._loaders.add(id(dataset))
            self.testing = True
            try:
                repeated = workers_repeat(loader)
            except Exception:  # workers may end in many ways, and then the script's own do so too
                repeated = None
            finally:
                self.testing = False
            if repeated is not None:
                self._once("workers-repeat", repeated)
        changed = None
        with contextlib.suppress(Exception):  # a data set may be anything
            changed = self._stored.look(dataset)
        if changed is not None:
            self._once("data-changed-in-place", changed)

    def end(self) -> None:
        """The training is over."""
        self._hand.close()
        if self._twice is not None:
            self._twice.over()
        if self._rows is not None:
            self._rows.end()
        if self._latents is not None:
            self._latents.end()
        before, after = self._entered["train"], self._entered["validation"]
        found = before.against(after)
        if found is not None:
            shift, ratio = found
            self._tell(
                [
                    Row(self._step, "validation", INPUTS, "evaluation-shift", shift),
                    Row(self._step, "validation", INPUTS, "evaluation-spread-ratio", ratio),
                ]
            )

        self._tell(list(self._followers.end()))

    def _once(self, kind: str, text: str, layer: str = "") -> None:
        if kind not in self._told:
            self._told.add(kind)
            line = where_in_script()
            self._tell([Event(self._step, kind, f"{line}: {text}" if line else text, layer)])

    def _at(self, kind: str, text: str, line: str) -> None:
        """The same, of a line that is known already."""
        if kind not in self._told:
            self._told.add(kind)
            line = line or where_in_script()
            self._tell([Event(self._step, kind, f"{line}: {text}" if line else text)])

    def _loading(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def load(module: nn.Module, state_dict: Any, *arguments: Any, **options: Any) -> Any:
            with contextlib.suppress(Exception), Aside():
                self._loads(module, state_dict)
            return original(module, state_dict, *arguments, **options)

        return load

    def _loads(self, module: nn.Module, state: Any) -> None:
        """A state that shares its memory with the network's own weights gives it nothing: it is what it has."""
        own = dict(module.named_parameters())
        given = {name: value for name, value in state.items() if name in own and isinstance(value, Tensor)}
        if not given or not all(_same_memory(value, own[name]) for name, value in given.items()):
            return
        made = self._states.made(next(iter(given.values())))
        trained = self._network
        if trained is not None and any(one is module for one in trained.modules()):
            if made is not None and self._step > made:
                text = (
                    f"the state that is loaded was kept {self._step - made} steps ago and shares its memory with the"
                    " weights: it has changed with them, and loading it does nothing"
                )
                self._once("kept-state-is-live", text, name_of(module))
        elif trained is not None and _same_shapes(module, trained):
            text = f"it is loaded with its own weights, which does nothing; what is trained is {name_of(trained)}"
            self._once("network-never-updated", text, name_of(module))

    def _asked_for(self, module: nn.Module) -> None:
        """A module's state is asked for."""
        self._followers.read(module)

    def begin(self, network: nn.Module) -> None:
        """Which network is trained is known now."""
        self._network = network
        self._followers.begin(network)

    def _ctc(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def ctc_loss(
            log_probs: Any,
            targets: Any,
            input_lengths: Any,
            target_lengths: Any,
            blank: int = 0,
            *arguments: Any,
            **options: Any,
        ) -> Any:
            value = original(log_probs, targets, input_lengths, target_lengths, blank, *arguments, **options)
            with contextlib.suppress(Exception), Aside():
                self._ctc_computed(log_probs, targets, target_lengths, blank, value)
            return value

        return ctc_loss

    def _ctc_computed(self, log_probs: Tensor, targets: Tensor, lengths: Any, blank: int, value: Tensor) -> None:
        if not log_probs.requires_grad or "loss-impossible" in self._told:
            return
        counted = targets.reshape(-1)
        if targets.ndim == 2:
            ends = torch.as_tensor(lengths, device=targets.device).reshape(-1, 1)
            counted = targets[torch.arange(targets.shape[1], device=targets.device) < ends]
        blanks = float((counted == blank).float().mean()) if counted.numel() else 0.0
        if blanks:
            text = f"{blanks:.0%} of the labels that ctc_loss is given are the blank ({blank}), which is not a label"
            self._once("loss-impossible", f"{text}: the lengths of the targets count their padding, too")
        elif value.numel() == 1 and float(value.detach()) < -1e-3:
            text = f"ctc_loss is {float(value):.3g}, and the logarithm of a probability is never above zero"
            self._once("loss-impossible", f"{text}: ctc_loss takes log-probabilities, as log_softmax gives them")


class _States:
    """Remembers at which step a state of a network was made, for as long as the state lives."""

    def __init__(self, step: Callable[[], int], asked: Callable[[nn.Module], None]) -> None:
        self._asked = asked
        self._made: list[tuple[weakref.ref[Tensor], int]] = []
        self._depth = 0
        self._now = step

    def made_by(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps `nn.Module.state_dict`, which calls itself for the parts of a network."""

        def state_dict(module: nn.Module, *arguments: Any, **options: Any) -> Any:
            self._depth += 1
            try:
                result = original(module, *arguments, **options)
            finally:
                self._depth -= 1
            if not self._depth:
                with contextlib.suppress(Exception):
                    self._asked(module)
                    self._made = [one for one in self._made if one[0]() is not None]
                    self._made += [
                        (weakref.ref(one), self._now()) for one in result.values() if isinstance(one, Tensor)
                    ]
            return result

        return state_dict

    def made(self, tensor: Tensor) -> int | None:
        """The step at which the state was made that a tensor belongs to; None where nobody saw it."""
        return next((step for reference, step in self._made if reference() is tensor), None)


class _Values:
    """Mean and deviation of the numbers that enter a network, over its first batches, as a whole and by column."""

    def __init__(self) -> None:
        self.batches = self.rows = 0
        self.count, self.total, self.squares = 0, 0.0, 0.0
        self.shape: tuple[int, ...] | None = None
        self._sums: Tensor | None = None  # of a table, by column: of its numbers, and of their squares

    def add(self, inputs: Tensor) -> None:
        if self.batches >= COMPARED_BATCHES or not readable(inputs):
            return
        if not inputs.is_floating_point() or inputs.ndim < 2:
            return
        values = inputs.detach().double()
        self.batches += 1
        self.rows += len(inputs)
        self.count += values.numel()
        self.total += float(values.sum())
        self.squares += float(values.square().sum())
        self.shape = tuple(inputs.shape[1:2])
        if inputs.ndim == 2:
            sums = torch.stack([values.sum(0), values.square().sum(0)])
            self._sums = sums if self._sums is None or self._sums.shape != sums.shape else self._sums + sums

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def deviation(self) -> float:
        return math.sqrt(max(0.0, self.squares / self.count - self.mean**2))

    def against(self, other: _Values) -> tuple[float, float] | None:
        """The distance of the means in deviations of this one, and the ratio of the deviations; None of too few."""
        if min(self.rows, other.rows) < 32 or self.shape != other.shape or not self.deviation:
            return None
        shift, ratio = abs(other.mean - self.mean) / self.deviation, other.deviation / self.deviation
        columns, others = self._by_column(), other._by_column()
        if columns is None or others is None or columns.shape != others.shape or not ratio:
            return shift, ratio
        # Columns that differ may add up to a table that does not.
        vary = (columns[1] > TINY * columns[0].abs()) & (others[1] > TINY * others[0].abs())
        if int(vary.sum()) < LEAST_COLUMNS:
            return shift, ratio
        (mean, spread), (mean_after, spread_after) = columns[:, vary], others[:, vary]
        shifts, ratios = (mean_after - mean) / spread, (spread_after / spread).log()
        by_column = float(ratios.quantile(0.5))
        if abs(by_column) < math.log(OTHER_SCALE):
            return shift, ratio
        further = math.exp(by_column) if abs(by_column) > abs(math.log(ratio)) else ratio
        return max(shift, float(shifts.square().mean().sqrt())), further

    def _by_column(self) -> Tensor | None:
        """Means and deviations of a table's columns."""
        if self._sums is None or not self.rows:
            return None
        mean, square = self._sums / self.rows
        return torch.stack([mean, (square - mean.square()).clamp_min(0).sqrt()])


def _poles(graph: Any) -> list[str]:
    """Operations in a graph of gradients whose derivative may be infinite."""
    found: dict[str, None] = {}
    waiting = [graph]
    seen: set[Any] = set()
    while waiting and len(seen) < NODES:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        name = WITH_POLES.get(node.name())
        if name is not None:
            found[name] = None
        waiting += [after for after, _ in node.next_functions]
    return sorted(found)


def _same_memory(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.numel() > 0 and one.data_ptr() == other.data_ptr()


def _same_shapes(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have weights of the same shapes, or one of them holds a part that has."""
    wanted = [tuple(value.shape) for value in one.parameters()]
    return any([tuple(value.shape) for value in part.parameters()] == wanted for part in other.modules())
