"""The same few rows at every step, until the network knows them by heart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import cycle

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from babysit.diseases import overfits_tiny_batch
from babysit.probes import listen, stop_listening
from babysit.record import Row, Trace
from babysit.rehearsal._answers import Ear, answers_of, score, target_rows
from babysit.rehearsal._batches import first_rows, inputs_and_targets, rows_of, tensors_of
from babysit.rehearsal._live_parts import Batch
from babysit.rehearsal._state import RehearsalState

TINY = 20  # examples; CS231n lecture 6
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
    """Whether two rows have equal inputs and different targets, so that nobody can know both."""
    parts = inputs_and_targets(batch)
    if parts is None or not isinstance(parts[1], Tensor) or len(tensors_of(parts[0])) != 1:
        return False
    inputs, targets = tensors_of(parts[0])[0], parts[1]
    if not inputs.ndim or len(inputs) != len(targets):
        return False
    _, same = inputs.reshape(len(inputs), -1).unique(dim=0, return_inverse=True)
    both = torch.cat([same[:, None].double(), targets.reshape(len(targets), -1).double()], 1)
    return len(both.unique(dim=0)) > len(same.unique())
