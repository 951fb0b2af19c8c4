"""Whether rows of a batch change each other's answers, batch norm aside."""

from __future__ import annotations

import torch
from torch import Tensor

from babysit.probes import first_tensor
from babysit.rehearsal._batches import tensors_of
from babysit.rehearsal._exchanged_rows import LEAST_ROWS, change_by_others
from babysit.rehearsal._subject import LiveParts
from babysit.remedies import inputs_and_targets


def row_mixing(live: LiveParts, seed: int = 0) -> float | None:
    """Exchange all rows of a batch but one, the first or the last, and see how far that one's outputs move.

    The batch is looked at in evaluation mode, where batch norm does not mix rows. The other rows are those of a second
    batch, or the same in another order with their values changed.

    Returns:
        The largest change over the standard deviation of the outputs; None where rows cannot be told: several tensors
        enter the network (the second may say which row belongs to which), or the first axis is not surely the rows'.
    """
    stream = live.batches(seed)
    first, second = next(stream), next(stream)
    given, others = _single_input(live, first), _single_input(live, second)
    if given is None or others is None:
        return None
    network = live.network
    network.eval()
    with torch.no_grad():
        # The other rows are those of the next batch, turned by one where it is shorter or the same.
        same = len(others) < len(given) or torch.equal(given, others)
        replaced = given.roll(1, 0) if same else others[: len(given)]
        try:
            return change_by_others(network, given, replaced)
        except NotImplementedError:
            return None  # a network without a pass of its own: its step calls its parts


def _single_input(live: LiveParts, batch: object) -> Tensor | None:
    """The network's one input with rows along its first axis."""
    split = inputs_and_targets(batch)
    if split is None or len(split[0]) != 1 or len(tensors_of(split[0])) != 1 or len(tensors_of(split[1])) != 1:
        return None
    given, targets = split[0][0], split[1]
    if not isinstance(given, Tensor) or not isinstance(targets, Tensor) or given.ndim < 2 or len(given) < LEAST_ROWS:
        return None
    # Of sequences the second axis may hold the rows. One target a row tells which does.
    one_each = targets.shape[:1] == given.shape[:1] and targets.numel() == len(targets)
    return given if one_each or (given.ndim == 2 and len(targets) == len(given)) else None


def gradient_mixing(live: LiveParts, seed: int = 0) -> float | None:
    """The slow, readable check behind `row_mixing`: the gradient of one row's outputs by all rows' inputs.

    Returns:
        The largest gradient with respect to another row over the largest with respect to its own; None as above, and
        for inputs that are not floating numbers.
    """
    given = _single_input(live, next(live.batches(seed)))
    if given is None or not given.is_floating_point():
        return None
    live.network.eval()
    inputs = given.detach().clone().requires_grad_()
    outputs = first_tensor(live.network(inputs))
    if outputs is None or len(outputs) != len(inputs):
        return None
    found = []
    for row in (0, -1):
        (gradient,) = torch.autograd.grad(outputs[row].sum(), inputs, retain_graph=True)
        sizes = gradient.flatten(1).abs().amax(1)
        own = sizes[row].clone()
        sizes[row] = 0
        found.append(float(sizes.max() / own.clamp_min(torch.finfo(sizes.dtype).tiny)))
    return max(found)
