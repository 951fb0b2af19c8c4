"""What depends on what in a training of live objects: its first steps, its rows, the workers of its loader."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.utils.data import DataLoader

from babysit.probes import listen, stop_listening
from babysit.record import Event, Trace, TraceStore
from babysit.rehearsal._batches import tensors_of
from babysit.rehearsal._dependence import STEPS, Dependence
from babysit.rehearsal._evaluated_twice import EvaluatedTwice
from babysit.rehearsal._loader_workers import workers_repeat
from babysit.rehearsal._rows_followed import RowsFollowed
from babysit.rehearsal._subject import LiveParts
from babysit.remedies import Batch, inputs_and_targets

EPOCHS = 2  # of rows that are followed, if they fit into the time
MOST_BATCHES = 100


def live_dependence(live: LiveParts, *, seed: int, seconds: float) -> Trace:
    """Test live parts; whoever calls it restores them.

    Args:
        live: They are trained for some steps.
        seed: Of the order of rows.
        seconds: Time limit of following rows.
    """
    store = TraceStore(None)
    for loader in live.loaders[:1]:
        with contextlib.suppress(Exception):  # workers may end in many ways, and then training fails by it, too
            repeated = workers_repeat(loader) if isinstance(loader, DataLoader) else None
            if repeated is not None:
                store.add([Event(0, "workers-repeat", f"loader: {repeated}")])
    tests = _FirstSteps(store)
    live.network.train()
    with contextlib.suppress(Exception), tests.listening(live.network):  # a training that fails is told as such
        optimizers = list(live.optimizers) or [live.make_optimizer(live.network.parameters())]
        batch: Batch = None
        for batch in itertools.islice(live.batches(seed), STEPS):
            for optimizer in optimizers:
                optimizer.zero_grad()
            live.loss_of(live.network, batch).backward()
            for optimizer in optimizers:
                optimizer.step()
            tests.dependence.stepped()
        parts = inputs_and_targets(batch)
        if parts is not None:
            tests.evaluate(live.network, parts[0])
    with contextlib.suppress(Exception):
        _follow_rows(live, store, seed, seconds)
    store.flush()
    return store.read()


class _FirstSteps:
    """Hears of the network's passes and of the losses that follow them."""

    def __init__(self, store: TraceStore) -> None:
        self.dependence = Dependence(store.add)
        self._twice = EvaluatedTwice(
            lambda kind, text, line: store.add([Event(0, kind, f"{line or 'evaluation'}: {text}")])
        )
        self._looking: contextlib.AbstractContextManager[None] = contextlib.nullcontext()

    @contextlib.contextmanager
    def listening(self, network: nn.Module) -> Iterator[None]:
        begins = network.register_forward_pre_hook(self._begins, with_kwargs=True)
        ends = network.register_forward_hook(self._ends, always_call=True)
        listen(self)
        try:
            yield
        finally:
            stop_listening(self)
            begins.remove()
            ends.remove()

    def __deepcopy__(self, memo: dict[int, Any]) -> _FirstSteps:
        return self  # copies of the network hold the same hooks

    def evaluate(self, network: nn.Module, inputs: Any) -> None:
        stop_listening(self)
        network.eval()
        self._twice.evaluates(network, tuple(inputs), {})
        self._twice.over()

    def _begins(self, network: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        if not network.training:
            return
        self._looking = self.dependence.looking(network, arguments, options)
        self._looking.__enter__()

    def _ends(self, *_: Any) -> None:
        looking, self._looking = self._looking, contextlib.nullcontext()
        looking.__exit__(None, None, None)

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        self._twice.loss_computed(name, targets)
        self.dependence.loss_computed(name, outputs, targets, value)

    def loss_evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        return

    def backward_begins(self, loss: Tensor, scale: float | Tensor) -> None:
        return


def _follow_rows(live: LiveParts, store: TraceStore, seed: int, seconds: float) -> None:
    rows, until = RowsFollowed(store.add), time.monotonic() + seconds
    count = EPOCHS * live.epoch_steps if live.epoch_steps else MOST_BATCHES
    for batch in itertools.islice(live.batches(seed), min(count, MOST_BATCHES)):
        parts = inputs_and_targets(batch)
        if parts is None or not isinstance(parts[1], Tensor) or time.monotonic() > until:
            break
        rows.batch(tensors_of(list(parts[0])), parts[1])
    rows.end()
