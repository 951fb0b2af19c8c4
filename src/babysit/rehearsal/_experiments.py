"""Experiments: what a rehearsal does to find something out. They are applied as remedies are, and treat nothing.

tiny-batch   the same few rows at every step, until the network has overfitted them
lr-times     every learning rate times a factor
lr-sweep     the learning rate from one value to another by a constant factor a step
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import cycle

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from babysit.diseases import overfits_tiny_batch
from babysit.probes import listen, stop_listening
from babysit.record import InputError, Remedy, Row, Trace
from babysit.rehearsal._answers import Ear, answers_of, score, target_rows
from babysit.rehearsal._batches import first_rows, rows_of, tensors_of
from babysit.rehearsal._examination import TINY
from babysit.remedies import (
    REMEDIES,
    Application,
    AppliedRemedies,
    Batch,
    Number,
    RehearsalState,
    RemedyKind,
    Values,
    inputs_and_targets,
)

LOOK_EVERY = 5  # steps between two looks at the answers, each of which costs a forward pass


@contextlib.contextmanager
def nothing_dropped(network: nn.Module) -> Iterator[None]:
    """Dropout off, all else as in training: batch norm's running statistics of so few steps are not settled."""
    dropping = [module for module in network.modules() if isinstance(module, _DropoutNd) and module.training]
    for module in dropping:
        module.training = False
    try:
        yield
    finally:
        for module in dropping:
            module.training = True


def keep_tiny_batch(state: RehearsalState, rows: int = TINY) -> None:
    """Let a state learn from its first rows alone, and stop when it knows them.

    Of loaders with smaller batches, two batches. Rows are kept as they came, so that whatever changes them at random
    (augmentation) is off.
    """
    first = next(state.batches)
    found = [first_rows(first, rows)]
    if rows_of(first) < rows:
        found.append(next(state.batches))
    state.batches = cycle(found)
    state.facts["rehearsal"] = "tiny-batch"
    known: list[Row] = []
    ear = Ear()
    listen(ear)
    state.undo.callback(stop_listening, ear)

    def look(step: int, batch: Batch) -> tuple[list[Row], bool]:
        if step % LOOK_EVERY and step:
            return [], False
        told: list[Row] = []
        right: list[tuple[str, float]] = []
        losses = []
        for one in found:
            with nothing_dropped(state.network):
                answers, loss = answers_of(state.network, state.loss_of, one, ear)
            losses.append(float(loss.detach()))
            if answers is None:
                continue
            if not known:
                state.facts["loss"] = answers.name
                told = target_rows(answers)
                known.extend(told)
            scored = score(answers)
            right += [scored] if scored is not None else []
        # The worst of two batches counts.
        worst = [Row(step, "train", "", *min(right, key=lambda one: one[1]))] if right else []
        seen = Trace((*known, Row(0, "train", "", "loss", max(losses)), *worst), facts=state.facts)
        return [*told, *worst], step > 0 and overfits_tiny_batch(seen)

    state.after_step = look


def contradictory(batch: Batch) -> bool:
    """Whether two rows have equal inputs and different targets, so that no network can overfit both."""
    parts = inputs_and_targets(batch)
    if parts is None or not isinstance(parts[1], Tensor) or len(tensors_of(parts[0])) != 1:
        return False
    inputs, targets = tensors_of(parts[0])[0], parts[1]
    if not inputs.ndim or len(inputs) != len(targets):
        return False
    _, same = inputs.reshape(len(inputs), -1).unique(dim=0, return_inverse=True)
    both = torch.cat([same[:, None].double(), targets.reshape(len(targets), -1).double()], 1)
    return len(both.unique(dim=0)) > len(same.unique())


class TinyBatch(RemedyKind):
    """The same few rows at every step."""

    name = "tiny-batch"
    summary = f"the same few rows at every step: tiny-batch={TINY}"
    values = Number(least=1, whole=True, of="a number of rows", default=str(TINY))
    not_recipe = "it is an experiment"
    unmet = "no training pass was seen"

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """Until the network has overfitted them."""
        keep_tiny_batch(state, int(self.values.number(remedy)))
        application.took_hold()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """In every training pass, and in the loss."""
        applied.batches.keep(int(self.values.number(remedy)), application)
        applied.loss.keep_targets(applied.batches.targets_kept)


class RateTimes(RemedyKind):
    """Every learning rate times a factor."""

    name = "lr-times"
    summary = "the learning rate times a factor: lr-times=10"
    values = Number("10", above=0, of="a number above 0")
    not_recipe = "it is an experiment"
    unmet = "no optimizer of torch.optim took a step"

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """Of every group."""
        factor = self.values.number(remedy)
        for group in state.groups():
            group["lr"] = factor * float(group["lr"])
        application.took_hold()

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """While the optimizers step."""
        applied.steps.rate_times(self.values.number(remedy), application)


class Sweep(Values):
    """LOW:HIGH:STEPS."""

    def check(self, remedy: Remedy) -> None:
        """Refuse what is not three numbers."""
        self.ends(remedy)

    def ends(self, remedy: Remedy) -> tuple[float, float, float]:
        """The first rate, the last rate, and the steps between them.

        Raises:
            InputError: They are not three numbers above 0.
        """
        try:
            low, high, steps = (float(part) for part in (remedy.value or "").split(":"))
        except ValueError:
            low = high = steps = 0.0
        if not (low > 0 and high > 0 and steps > 1):
            raise InputError(
                f"the experiment '{remedy}' needs two rates and a number of steps", write="lr-sweep=1e-7:10:100"
            )
        return low, high, steps


class RateSweepKind(RemedyKind):
    """The learning rate from one value to another by a constant factor a step."""

    name = "lr-sweep"
    summary = "the learning rate from one value to another by a constant factor a step: lr-sweep=1e-7:10:100"
    values = Sweep()
    not_recipe = "it is an experiment"
    not_script = "a script's rates are not swept: its schedules are its own"

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """Of every group; rates of several groups keep their ratios."""
        low, high, steps = self.values.ends(remedy)
        groups = state.groups()
        first = float(groups[0]["lr"]) or 1.0
        shares = [float(group["lr"]) / first for group in groups]

        def rise(step: int, batch: object) -> tuple[list[Row], bool]:
            rate = low * (high / low) ** ((step + 1) / (steps - 1))
            for group, share in zip(groups, shares, strict=True):
                group["lr"] = rate * share
            return [], False

        rise(-1, None)
        state.after_step = rise
        application.took_hold()


EXPERIMENTS: dict[str, RemedyKind] = {kind.name: kind for kind in (RateSweepKind(), RateTimes(), TinyBatch())}
# What may be asked of a rehearsal.
KINDS: dict[str, RemedyKind] = {**REMEDIES, **EXPERIMENTS}
