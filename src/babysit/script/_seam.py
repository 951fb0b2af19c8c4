"""The seam: the one place through which a training that knows nothing of babysit is seen and changed.

Installed before a script's first line, removed after its last. What it takes hold of, all of it given back:

    torch.nn.Module         global hooks around forward passes: which module is the outermost, and what enters it
    torch.optim.Optimizer   its construction, and the global hooks around steps
    torch.nn.functional     the loss functions, and `torch.autograd.backward` (through `babysit.probe.listen`)
    DataLoader              iteration: epochs, rows, batches
    Tensor                  indexing by rows, and == in evaluations: how many rows there are, how many answers are right

It draws no random number and changes no tensor: a script's numbers are bit for bit what they are without it, unless
changes are asked for.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sized
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from babysit.probe import Budget, Observer, listen, stop_listening, unwrapped
from babysit.record import Event, Row, TraceStore
from babysit.script._answers_seen import AnswersSeen
from babysit.script._changes import Changes

# Steps that are all measured, and by which share of those taken the next one is later, where no overhead is asked for:
# about 100 steps of 1,000, and 140 of 10,000.
FIRST, GROWTH = 50, 0.06

_INHERITED = object()


class Enough(BaseException):
    """Raised within a script, which catches it only by mistake."""


class Seam:
    """Sees a training from outside.

    Args:
        store: Where measurements go.
        changes: Interventions; None leaves everything as it is.
        overhead: Share of the time that measuring may take; None measures the first fifty steps and
            then ever fewer.
        probes: `all` or `losses`.
        steps: Optimizer steps after which the script is ended; None never.
        more: Called at steps, when there is more to read.

    Example:
        >>> store = TraceStore(None)
        >>> net = nn.Linear(2, 1)
        >>> with Seam(store):
        ...     optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        ...     for _ in range(3):
        ...         optimizer.zero_grad()
        ...         nn.functional.mse_loss(net(torch.ones(4, 2)), torch.zeros(4, 1)).backward()
        ...         optimizer.step()
        >>> len(store.read().series("loss").values)
        3
    """

    def __init__(
        self,
        store: TraceStore,
        *,
        changes: Changes | None = None,
        overhead: float | None = None,
        probes: str = "all",
        steps: int | None = None,
        more: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.steps = 0
        self.answers = AnswersSeen()
        self.network: nn.Module | None = None
        self._changes, self._overhead, self._probes, self._most, self._more = changes, overhead, probes, steps, more
        self._observer: Observer | None = None
        self._optimizers: list[Optimizer] = []
        self._others: dict[int, str] = {}  # outermost modules beside the network that are trained, too
        self._handles: list[Any] = []
        self._originals: list[tuple[Any, str, Any]] = []
        self._depth = 0
        self._inside = False  # of the network's own pass
        self._losses: list[float] = []
        self._backwards_without_step = 0
        self._fetched: tuple[DataLoader[Any], int] | None = None
        self._passes: dict[int, set[int]] = {}  # loader: its passes in which the network was trained
        self._facts: dict[str, str] = {}

    def __enter__(self) -> Seam:
        self._handles = [
            register_module_forward_pre_hook(self._before_forward),
            register_module_forward_hook(self._after_forward, always_call=True),
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        self._replace(Optimizer, "__init__", self._constructing)
        self._replace(DataLoader, "__iter__", self._iterating)
        self._replace(_BaseDataLoaderIter, "__next__", self._fetching)
        self._replace(Tensor, "__getitem__", _counting_rows)
        self._replace(Tensor, "__eq__", self._comparing)
        self._replace(Tensor, "eq", self._comparing)
        self._replace(torch, "eq", self._comparing)
        if self._changes is not None:
            self._changes.install(self._replace)
        listen(self)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._handles:
            return
        stop_listening(self)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        while self._originals:
            owner, name, original = self._originals.pop()
            if original is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        if self._observer is not None:
            self._observer.detach()
        self.store.add(self.answers.end_of_evaluation(max(0, self.steps - 1)))
        self._end()
        self.store.flush()

    def tell(self, finished: bool) -> None:
        """Write down what is known of the whole training.

        Args:
            finished: Whether the script came to its own end, so that its epochs are all there are.
        """
        found = dict(self._facts)
        for passes in self._passes.values():
            if finished and len(passes) > 0:
                found["epochs"] = str(len(passes))
        per_epoch = int(found.get("steps-per-epoch", "0"))
        if finished and "epochs" not in found and per_epoch:
            found["epochs"] = str(max(1, round(self.steps / per_epoch)))
        if not finished:
            found.pop("epochs", None)
        self.store.describe(facts=found)
        self.store.flush()

    @property
    def several(self) -> bool:
        """Whether more than one network is trained, as in a GAN."""
        return bool(self._others)

    def _replace(self, owner: Any, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        # What a class inherits is wrapped on the class itself, and taken off again.
        self._originals.append((owner, name, vars(owner).get(name, _INHERITED)))
        setattr(owner, name, wrap(getattr(owner, name)))

    # Forward passes.

    def _before_forward(self, module: nn.Module, arguments: tuple[Any, ...]) -> Any:
        self._depth += 1
        if self._depth > 1 or torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None:
            return None
        if not any(True for _ in module.parameters()):
            return None
        if not torch.is_grad_enabled():
            if module is self.network:
                self._inside = self.answers.evaluating = True
            return None
        if module is self.network:
            self._inside = True
            if self.answers.evaluating:
                self.store.add(self.answers.end_of_evaluation(max(0, self.steps - 1)))
            return None
        if self.network is not None:
            self._another(module)
            return None
        if not self._optimizers or any(parameter.requires_grad for parameter in module.parameters()):
            return self._begin(module, arguments)
        return None

    def _after_forward(self, module: nn.Module, arguments: Any, outputs: Any) -> None:
        self._depth -= 1
        self._inside = self._inside and self._depth > 0

    def _begin(self, module: nn.Module, arguments: tuple[Any, ...]) -> Any:
        """The first pass of training: now network and optimizers are known."""
        self.network, self._inside = module, True
        own = {id(parameter) for parameter in unwrapped(module).parameters()}
        mine = [one for one in self._optimizers if own & {id(param) for param in _parameters(one)}]
        mine = mine or self._optimizers
        changed = None
        if self._changes is not None:
            depth, self._depth = self._depth, 1  # what changes try out is no training
            with stopped(self):
                changed = self._changes.begin(module, arguments, mine)
            self._depth = depth
        rows = getattr(arguments[0], "_babysit_rows", None) if arguments else None
        if rows is not None and isinstance(arguments[0], Tensor) and len(arguments[0]):
            self._facts |= {"rows": str(rows), "steps-per-epoch": str(math.ceil(rows / len(arguments[0])))}
        if self._probes != "losses":
            self._observer = Observer(module, mine, self.store, overhead=self._overhead)
            if self._overhead is None:
                self._observer.budget = Budget(None, first_steps=FIRST, growth=GROWTH)
            self._observer.attach()
            self._observer.forward_begins(module, arguments if changed is None else changed)
        return changed

    def _another(self, module: nn.Module) -> None:
        if id(module) in self._others or not any(parameter.requires_grad for parameter in module.parameters()):
            return
        own = {id(parameter) for parameter in module.parameters()}
        assert self.network is not None
        known = {id(parameter) for parameter in self.network.parameters()}
        if own <= known or not any(own & {id(param) for param in _parameters(one)} for one in self._optimizers):
            return
        self._others[id(module)] = type(module).__name__
        text = f"{type(module).__name__} is trained beside {type(self.network).__name__}, and not measured"
        self.store.add([Event(self.steps, "unseen", text)])

    # Losses and steps.

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        """A loss function was called on outputs that gradients flow back from."""
        if torch.is_grad_enabled() and value is not None and not self._inside:
            with torch.no_grad(), contextlib.suppress(Exception):
                self.answers.trained_on(name, outputs, targets)

    def loss_evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """A loss function was called without gradients."""
        if self.answers.evaluating:
            with torch.no_grad(), contextlib.suppress(Exception):
                self.answers.evaluated(name, outputs, targets, value)

    def backward_begins(self, loss: Tensor, scale: float | Tensor) -> None:
        """A backward pass begins."""
        if self._probes == "losses" or self.network is None:
            if loss.numel() == 1:
                self._losses.append(float(loss.detach() / scale))
            if self._losses and not math.isfinite(self._losses[-1]):
                self.end_step()
        self._backwards_without_step += 1
        if not self._optimizers:
            # Weights changed by hand, or never: each backward pass is a step.
            self.end_step()

    def _before_step(self, optimizer: Optimizer, *_: Any) -> None:
        if self._changes is not None:
            self._changes.before_step(optimizer)

    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        if self._changes is not None:
            self._changes.after_step(optimizer)
        if optimizer is not self._first_of_network():
            return
        if self._losses:
            rate = float(optimizer.param_groups[0].get("lr", math.nan))
            self.store.add([Row(self.steps, "train", "", "lr", rate)])
        self.end_step()

    def end_step(self) -> None:
        """A step was taken.

        Raises:
            Enough: It was the last one asked for, or its loss is no number and only losses were wanted.
        """
        losses, self._losses = self._losses, []
        if losses:
            self.store.add([Row(self.steps, "train", "", "loss", sum(losses) / len(losses))])
        if self._fetched is not None:
            loader, number = self._fetched
            self._passes.setdefault(id(loader), set()).add(number)
            if len(self._passes) == 1 and "rows" not in self._facts:
                for name, counted in (("rows", loader.dataset), ("steps-per-epoch", loader)):
                    with contextlib.suppress(TypeError):
                        if isinstance(counted, Sized):
                            self._facts[name] = str(len(counted))
        self.steps += 1
        self._backwards_without_step = 0
        self._more()
        if self._most is not None and self.steps >= self._most:
            raise Enough
        if self._probes == "losses" and losses and not math.isfinite(losses[-1]):
            raise Enough

    def _first_of_network(self) -> Optimizer | None:
        if self._observer is not None and self._observer.optimizers:
            return self._observer.optimizers[0]
        return self._optimizers[0] if self._optimizers else None

    def _end(self) -> None:
        if self.network is None and self.steps:
            text = "no torch.nn.Module is called: layers cannot be seen, only losses and rates"
            self.store.add([Event(0, "unseen", text)])
        elif self.network is None:
            self.store.add([Event(0, "unseen", "no training was seen: no backward pass, no step of an optimizer")])

    # What is wrapped.

    def _constructing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def construct(optimizer: Optimizer, *arguments: Any, **options: Any) -> None:
            original(optimizer, *arguments, **options)
            if all(optimizer is not one for one in self._optimizers):
                self._optimizers.append(optimizer)

        return construct

    def _iterating(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def iterate(loader: DataLoader[Any]) -> Any:
            if self._changes is not None:
                self._changes.before_epoch(loader)
            iterator = original(loader)
            passes = loader.__dict__.get("_babysit_passes", 0) + 1
            loader.__dict__["_babysit_passes"] = passes
            iterator.__dict__["_babysit_from"] = (loader, passes)
            return iterator

        return iterate

    def _fetching(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def fetch(iterator: Any) -> Any:
            batch = original(iterator)
            self._fetched = iterator.__dict__.get("_babysit_from", self._fetched)
            return batch

        return fetch

    def _comparing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compare(first: Any, second: Any, **options: Any) -> Any:
            result = original(first, second, **options)
            if (
                self.answers.evaluating
                and isinstance(first, Tensor)
                and isinstance(second, Tensor)
                and first.shape == second.shape
                and not self._inside
                and first.ndim
            ):
                self.answers.compared(result)
            return result

        return compare


@contextlib.contextmanager
def stopped(seam: Seam) -> Any:
    """Without the seam's ears, for what changes try out."""
    stop_listening(seam)
    try:
        yield
    finally:
        listen(seam)


def _counting_rows(original: Callable[..., Any]) -> Callable[..., Any]:
    """Rows picked from a tensor remember from how many."""

    def pick(tensor: Tensor, index: Any) -> Any:
        result = original(tensor, index)
        if isinstance(index, Tensor | slice | list) and isinstance(result, Tensor) and tensor.ndim and result.ndim:
            with contextlib.suppress(AttributeError):
                result._babysit_rows = len(tensor)  # type: ignore[attr-defined]
        return result

    return pick


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
