"""The one loop that trains.

    for each epoch, for each batch:
        forward, loss, backward, penalties, clip, step

The step itself is in `_step.py`. Around it stand the trace, the progress, the best weights, checkpoints, and the
reasons to stop: the budget, no more progress, a loss that is NaN or infinite, Ctrl-C.

A checkpoint is written at the end of an epoch, unless the last one took more than 2 % of the time since (epochs of
milliseconds). In any case one is written every 30 seconds, at the end and after Ctrl-C. So a kill -9 costs the work
since the last one: at most 30 seconds; where epochs are short, one epoch more than fifty times what a checkpoint takes.
The same steps with the same random streams do that work again: it costs time and changes no result.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from babysit.diseases import Repeatedly
from babysit.probes import Observer
from babysit.record import (
    EpochEnded,
    Event,
    Finding,
    FindingsChanged,
    Progress,
    Recipe,
    Row,
    Run,
    StepsTaken,
    Trace,
    TraceMeasured,
    TraceStore,
    TrainingBegan,
    TrainingEnded,
    silent,
)
from babysit.training import _checkpoint
from babysit.training._batches import Examples, batches_per_epoch, epoch_batches
from babysit.training._checkpoint import Position
from babysit.training._phase import PhaseNumbers, measure_phase
from babysit.training._random import seed_device, stream_seed
from babysit.training._step import RecipeSteps

TELL_EVERY = 0.1  # seconds between two looks at the losses; each look waits for the device
CHECKPOINT_EVERY = 30.0  # seconds at most between two checkpoints
CHECKPOINT_SHARE = 0.02  # of the time, at most, goes into those at epochs' ends
FLUSH_EVERY = 1.0  # seconds between two writes of the trace, for live views of it
SYNC_EVERY = 5.0  # seconds between two waits for the disk: against a power cut, a killed process needs none
DIVERGED = "the loss became"
INTERRUPTED = "interrupted; what was learned is kept"


class Interruption:
    """While this is entered, the first Ctrl-C sets `asked`; the second does what Ctrl-C always does.

    Only the main thread receives signals; elsewhere this does nothing and `asked` stays False.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: signal._HANDLER = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self._before)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        reason: A sentence for people.
        finished: False when it was interrupted and can go on.
        diverged: The loss became NaN or infinite.
        position: Where it stands.
    """

    reason: str
    finished: bool
    diverged: bool
    position: Position


class Training:
    """One network's training. Make it, then `run()` it once.

    Args:
        network: On its device; trained in place, and left with its best weights.
        loss: Module of (outputs, targets) giving the batch's mean loss.
        examples: The rows.
        recipe: Every decision filled in.
        run: Where to keep it; None keeps nothing.
        progress: Receives progress events.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        examples: Examples,
        recipe: Recipe,
        *,
        run: Run | None = None,
        progress: Progress = silent,
    ) -> None:
        assert recipe.budget.epochs is not None
        assert recipe.budget.batch_size is not None
        self._network = network
        self._loss = loss
        self._examples = examples
        self._recipe = recipe
        self._run = run
        self._progress = progress
        self._epochs = recipe.budget.epochs
        self._batch_size = recipe.budget.batch_size
        self._per_epoch = batches_per_epoch(len(examples.train), self._batch_size)
        self._steps = RecipeSteps(network, loss, examples, recipe, self._epochs * self._per_epoch)
        self._optimizer = self._steps.optimizer
        self._position = Position()
        self._best: dict[str, Tensor] = {}  # weights of the best epoch; empty before the first has ended
        self._waiting: list[tuple[int, Tensor, Tensor | None, float, int]] = []  # step, loss, gradient norm, rate, rows
        self._synced = self._told = self._kept = self._flushed = 0.0  # when each was done last
        self._keeping = 0.0  # seconds that the last checkpoint took
        self._diverged = False
        self._observer: Observer | None = None
        self._repeatedly: Repeatedly | None = None
        self._found: list[Finding] = []
        # Training rows measured like the validation rows at an epoch's end: as many, and not too few.
        self._sample = max(2000, len(examples.validation))

    def run(self) -> Outcome:
        """Train until the budget is spent or there is a reason to stop. Ctrl-C ends it cleanly; again, at once."""
        store = self._run.trace_store() if self._run is not None else None
        devices = [self._examples.device] if self._examples.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices), Interruption() as interruption:
                self._resume(store)
                self._progress(TrainingBegan(self._epochs, self._per_epoch, self._position.step))
                with self._watched(store):
                    self._epoch_loop(store, interruption)
            return self._conclude(store)
        finally:
            if store is not None:
                store.close()

    @contextlib.contextmanager
    def _watched(self, store: TraceStore | None) -> Iterator[None]:
        """Probes for as long as it trains; they change nothing that is computed."""
        watch = self._recipe.watch
        if store is None or not watch.overhead:
            yield
            return
        facts = {
            "epochs": str(self._epochs),
            "rows": str(len(self._examples.train)),
            "steps-per-epoch": str(self._per_epoch),
        }
        store.describe(facts=facts)
        start = self._position.step

        def read() -> Trace:
            store.flush()
            return store.read()

        self._repeatedly = Repeatedly(read, self._tell_findings, ignore=watch.ignore)
        with Observer(
            self._network, [self._optimizer], store, overhead=watch.overhead, losses=False, step=start
        ) as self._observer:
            yield

    def _tell_findings(self, trace: Trace, findings: list[Finding]) -> None:
        self._progress(TraceMeasured(trace))
        if findings != self._found:
            self._found = findings
            self._progress(FindingsChanged(tuple(findings)))

    def _resume(self, store: TraceStore | None) -> None:
        self._synced = self._told = self._kept = self._flushed = time.monotonic()
        if self._run is None or store is None or not (self._run.path / _checkpoint.FILE).exists():
            return
        file = self._run.path / _checkpoint.FILE
        self._position, self._best = _checkpoint.unpack(file, self._network, self._optimizer)
        store.forget_after(self._position.step - 1)

    def _epoch_loop(self, store: TraceStore | None, interruption: Interruption) -> None:
        position = self._position
        start = time.monotonic() - position.seconds
        while not position.done and position.epoch < self._epochs:
            if position.batch == 0:
                seed_device(self._examples.device, stream_seed(self._recipe.seed, "network", position.epoch))
            batches = epoch_batches(self._examples.train, self._batch_size, self._recipe.seed, position.epoch)
            self._network.train()
            for rows in batches[position.batch :]:
                self._step(rows)
                now = time.monotonic()
                position.seconds = now - start
                if now - self._told > TELL_EVERY:
                    self._look(store)
                if now - self._kept > CHECKPOINT_EVERY:
                    self._keep(store)
                if self._over() or interruption.asked:
                    break
            self._look(store)
            if position.batch == len(batches) and not self._diverged:
                self._end_epoch(store)
            spent = time.monotonic() - self._kept
            if position.done or interruption.asked or self._keeping <= CHECKPOINT_SHARE * spent:
                self._keep(store)
            if interruption.asked:
                return

    def _step(self, rows: Tensor) -> None:
        position, penalty = self._position, self._steps.penalty
        added = penalty.value() if penalty.in_loss else None  # of the weights as they are before the step
        taken = self._steps.take(rows, position.step, position.plateau)
        shown = taken.loss if added is None else taken.loss + added
        self._waiting.append((position.step, shown, taken.gradient_norm, taken.lr, len(rows)))
        position.step += 1
        position.batch += 1

    def _look(self, store: TraceStore | None) -> None:
        """Read the losses of the last steps: the one place that waits for the device."""
        self._told = time.monotonic()
        if not self._waiting:
            return
        position = self._position
        losses = torch.stack([loss for _, loss, _, _, _ in self._waiting]).tolist()
        for (step, _, norm, lr, rows), loss in zip(self._waiting, losses, strict=True):
            position.loss_sum += loss * rows
            position.rows += rows
            if store is not None:
                store.add([Row(step, "train", "", "loss", loss), Row(step, "train", "", "lr", lr)])
                if norm is not None:
                    store.add([Row(step, "train", "", "gradient-norm", float(norm))])
        bad = next((index for index, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if bad is not None:
            step = self._waiting[bad][0]
            self._diverged = True
            position.done = f"{DIVERGED} {losses[bad]} at step {step} (epoch {position.epoch + 1})"
            # Where probes watch, they have said where it was born.
            if store is not None and (self._observer is None or self._observer.not_finite is None):
                store.add([Event(step, "not-finite", position.done)])
        if store is not None and self._told - self._flushed > FLUSH_EVERY:
            self._flushed = self._told
            store.flush()
        if self._repeatedly is not None:
            self._repeatedly.when_due()
        step, lr = self._waiting[-1][0], self._waiting[-1][3]
        self._waiting.clear()
        self._progress(StepsTaken(step + 1, position.epoch + 1, losses[-1], lr))

    def _end_epoch(self, store: TraceStore | None) -> None:
        position, examples = self._position, self._examples
        train = measure_phase(self._network, self._loss, examples, examples.train[: self._sample])
        validation = None
        if len(examples.validation):
            validation = measure_phase(self._network, self._loss, examples, examples.validation)
        watched = (validation or train).loss
        # Without validation rows, the last weights are as good as any.
        best = watched < position.best_loss or validation is None
        if best:
            position.best_loss, position.best_epoch = watched, position.epoch
            self._best = {name: tensor.clone() for name, tensor in self._network.state_dict().items()}
        position.plateau.epoch_ended(watched, self._recipe.schedule)
        self._record_epoch(store, train, validation)
        mean_loss = position.loss_sum / max(1, position.rows)
        self._progress(
            EpochEnded(
                epoch=position.epoch + 1,
                step=position.step,
                lr=self._optimizer.param_groups[0]["lr"],
                train_loss=mean_loss,
                validation_loss=validation.loss if validation else None,
                score_name=train.score_name,
                train_score=train.score,
                validation_score=validation.score if validation else None,
                seconds=position.seconds,
                best=best,
            )
        )
        position.epoch, position.batch, position.loss_sum, position.rows = position.epoch + 1, 0, 0.0, 0
        patience = self._recipe.budget.patience
        if position.epoch == self._epochs:
            position.done = f"all {self._epochs} epochs are done"
        elif patience and position.epoch - 1 - position.best_epoch >= patience:
            position.done = f"no better validation loss for {patience} epochs"

    def _record_epoch(self, store: TraceStore | None, train: PhaseNumbers, validation: PhaseNumbers | None) -> None:
        if store is None:
            return
        step = self._position.step - 1
        for phase, numbers in (("train", train), ("validation", validation)):
            if numbers is not None:
                store.add(
                    [
                        Row(step, phase, "", "data-loss", numbers.loss),
                        Row(step, phase, "", numbers.score_name, numbers.score),
                    ]
                )

    def _over(self) -> bool:
        """Whether there is a reason to stop between two epochs' ends: no number any more, or no time."""
        seconds = self._recipe.budget.seconds
        if seconds is not None and self._position.seconds >= seconds and not self._position.done:
            self._position.done = f"the time of {seconds:g} seconds is spent"
        return bool(self._position.done)

    def _keep(self, store: TraceStore | None) -> None:
        """Trace first, then the checkpoint: a checkpoint never knows of steps the trace has lost."""
        self._look(store)
        start = self._kept = time.monotonic()
        if self._run is None or store is None:
            return
        durable = start - self._synced > SYNC_EVERY or bool(self._position.done)
        store.flush()
        content = _checkpoint.pack(self._position, self._network, self._best, self._optimizer)
        self._run.write(_checkpoint.FILE, content, durable=durable)
        self._kept = self._flushed = time.monotonic()
        self._keeping = self._kept - start
        if durable:
            self._synced = self._kept

    def _conclude(self, store: TraceStore | None) -> Outcome:
        position = self._position
        reason = position.done or INTERRUPTED
        if self._best:
            self._network.load_state_dict(self._best)
        self._network.eval()
        self._progress(TrainingEnded(reason))
        diverged = position.done.startswith(DIVERGED)
        return Outcome(reason, finished=bool(position.done), diverged=diverged, position=position)
