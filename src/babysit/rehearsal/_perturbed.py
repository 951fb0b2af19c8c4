"""A copy of the network, asked again with its batch changed: are answers all the same, and what does padding do."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from babysit.probes import first_tensor
from babysit.rehearsal._batches import tensors_of
from babysit.rehearsal._exchanged_rows import LEAST_ROWS, change_by_others
from babysit.rehearsal._restore import random_streams_restored

# Of the largest answer: float32 numbers that are reckoned alike differ by less.
SAME = 4 * torch.finfo(torch.float32).eps
NEARLY_ZERO = 1e-5  # weights below it are still at a start of zeros, and every answer is the same for a while
LEAST_POSITIONS = 4
NEARLY_ALL = 0.9
PADDED = 5  # positions of it at a row's end, in enough rows, make it padding
# Positions of padding that a row keeps: a convolution sees the first of it, and no more of it changes a maximum.
KEPT = 6
LEAST_PADDED = 4  # rows
ROWS = 8  # at most, that are asked without their padding
# Of the spread of answers: by how much a row's answer changes with the amount of its padding. Measured on untrained
# networks: masked, packed and largest values over time 1e-6 at most; attention without a mask 0.04 to 0.6, a recurrent
# layer that is read at its last position 0.43, a mean over all positions 0.5 to 1.
COUNTS = 0.02
LOSS_ON_PADDING = 0.3  # of the positions that a loss counts


class NetworkPass(NamedTuple):
    """A pass of a network."""

    module: nn.Module
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]


class PassesSeen(NamedTuple):
    """What is known of the passes before.

    Attributes:
        targets: Of the loss, where one was seen.
        axes: Sizes of the axes that a softmax was taken over; 0 for attention and recurrent layers that show none.
        widths: Positions of each pass.
    """

    targets: Tensor | None = None
    axes: frozenset[int] = frozenset()
    widths: tuple[int, ...] = ()


class Padded(NamedTuple):
    """Rows that end with padding."""

    lengths: Tensor  # of each row without it
    positions: int
    sideways: bool  # whether the positions are the first axis


def perturbed(call: NetworkPass, seen: PassesSeen) -> list[tuple[str, str]]:
    """What a copy of the network shows, in evaluation mode: names of diseases, and what was seen.

    Args:
        call: A pass of training, some steps after the first.
        seen: In it, and before.
    """
    tensors = tensors_of([list(call.arguments), dict(call.options)])
    if not tensors or any(_at_zero(one) for one in call.module.parameters()):
        return []
    with random_streams_restored(), torch.no_grad():
        network = copy.deepcopy(call.module).eval()
        answers = first_tensor(network(*call.arguments, **call.options))
        if answers is None or not answers.is_floating_point() or not bool(torch.isfinite(answers).all()):
            return []
        found = _identical(tensors, answers.float(), seen.targets)
        if found is None:
            found = _padding_changes(network, call, tensors, answers.float(), seen)
    return [] if found is None else [found]


def rows_mixed(call: NetworkPass, targets: Tensor | None) -> float | None:
    """How far a row's answer moves where the other rows of its batch are others; see `change_by_others`.

    Returns:
        None where rows cannot be told: several tensors enter the network (the second may say which row belongs to
        which), or there is not one target a row.
    """
    given = tensors_of([list(call.arguments), dict(call.options)])
    if len(given) != 1 or targets is None or given[0].ndim < 2 or len(given[0]) < LEAST_ROWS:
        return None
    rows = given[0]
    if (
        targets.shape[:1] != rows.shape[:1]
        or targets.numel() != len(targets)
        or any(map(_at_zero, call.module.parameters()))
    ):
        return None
    others = rows.roll(1, 0)
    first = call.arguments[0] if call.arguments else None
    if first is not rows or call.options:
        return None
    with random_streams_restored(), torch.no_grad():
        network = copy.deepcopy(call.module).eval()
        return change_by_others(lambda batch: network(batch, *call.arguments[1:]), rows, others)


def _at_zero(parameter: Tensor) -> bool:
    return parameter.ndim > 1 and parameter.numel() > 0 and float(parameter.detach().abs().max()) < NEARLY_ZERO


def _identical(tensors: list[Tensor], answers: Tensor, targets: Tensor | None) -> tuple[str, str] | None:
    """Whether all rows get one answer, or all positions of each row do."""
    count = len(answers) if answers.ndim else 0
    scale = float(answers.abs().max()) if answers.numel() else 0.0
    rows = [one for one in tensors if one.ndim > 1 and len(one) == count]
    if count < LEAST_POSITIONS or not rows or all(_is_one(one) for one in rows):
        return None
    if targets is not None and targets.ndim and len(targets) == count and _is_one(targets):
        return None
    if float((answers - answers[:1]).abs().max()) <= SAME * scale:
        return "outputs-identical", f"{count} rows that differ all get one answer: {_told(answers[0])}"
    if targets is None or answers.ndim != 3 or targets.is_floating_point():
        return None
    positions = next((size for size in (answers.shape[1], answers.shape[2]) if targets.numel() == count * size), 0)
    if positions < LEAST_POSITIONS:
        return None
    turned = answers if positions == answers.shape[1] else answers.transpose(1, 2)
    wanted = targets.reshape(count, positions)
    apart = (turned - turned[:, :1]).abs().amax((1, 2)) > SAME * scale
    tested = (wanted != wanted[:, :1]).logical_and(wanted >= 0).any(1)
    if int(tested.sum()) < LEAST_POSITIONS or float(apart[tested].float().mean()) > 1 - NEARLY_ALL:
        return None
    text = f"in {int((~apart[tested]).sum())} of {int(tested.sum())} rows, all {positions} positions get one answer"
    return "outputs-identical", f"{text}, and their targets differ"


def _is_one(values: Tensor) -> bool:
    return bool((values == values[:1]).all())


def _told(answer: Tensor) -> str:
    return ", ".join(f"{value:.3g}" for value in answer.reshape(-1)[:3].tolist())


def padding_of(tensors: list[Tensor]) -> Padded | None:
    """Where rows end with padding: one token that stands nowhere else, or frames of zeros; rows differ in length."""
    for one in tensors:
        if one.ndim == 2 and not one.is_floating_point() and one.dtype is not torch.bool:
            for sideways in (False, True):
                tokens = one.T if sideways else one
                found = _tails(tokens == tokens[:, -1:].mode(0).values)
                if found is not None:
                    return Padded(found, tokens.shape[1], sideways)
        elif one.ndim == 3 and one.is_floating_point():
            for sideways in (False, True):
                found = _tails((one.transpose(0, 1) if sideways else one).eq(0).all(2))
                if found is not None:
                    return Padded(found, one.shape[0 if sideways else 1], sideways)
    return None


def _tails(padding: Tensor) -> Tensor | None:
    """Lengths of rows without their tails of padding; None where it is not sure that it is padding."""
    tails = (~padding).flip(1).int().cumsum(1).eq(0).sum(1)
    lengths = padding.shape[1] - tails
    elsewhere = int(padding.sum()) - int(tails.sum())
    enough = int((tails >= PADDED).sum()) >= LEAST_PADDED and bool((lengths > 0).all())
    return lengths if enough and not elsewhere and len(lengths.unique()) > 1 else None


def _padding_changes(
    network: nn.Module, call: NetworkPass, tensors: list[Tensor], answers: Tensor, seen: PassesSeen
) -> tuple[str, str] | None:
    """Whether the answer to a row changes as most of its padding is left out."""
    padded = padding_of(tensors)
    count = len(padded.lengths) if padded is not None else 0
    if padded is None or count == padded.positions or count not in answers.shape[:2]:
        return None
    across = answers.ndim > 1 and answers.shape[0] != count
    by_row = answers.transpose(0, 1) if across else answers
    each_position = answers.ndim == 3 and by_row.shape[1] == padded.positions
    spread = float(by_row.std(0).mean()) if not each_position else float(by_row.std((0, 1)).mean())
    tested = (padded.positions - padded.lengths >= 2 * KEPT).nonzero().reshape(-1)[:ROWS].tolist()
    changes = []
    for row in tested:
        own = int(padded.lengths[row])
        cut = _cut([list(call.arguments), dict(call.options)], row, own + KEPT, padded, count)
        alone = first_tensor(network(*cut[0], **cut[1]))
        if alone is None:
            return None
        alone = (alone.transpose(0, 1) if across else alone).float()[0]
        whole, alone = (by_row[row][:own], alone[:own]) if each_position else (by_row[row], alone)
        if alone.shape != whole.shape:
            return None
        changes.append(float((alone - whole).abs().mean()) / max(spread, 1e-30))
    if len(changes) < LEAST_PADDED:
        return None
    change = float(torch.tensor(changes).median())
    if change < COUNTS:
        return None
    text = (
        f"with {KEPT} positions of padding in place of more, the answer to a row changes by {change:.2f} of the spread"
        f" of answers (median of {len(changes)} rows, limit {COUNTS:g})"
    )
    reads_on = bool(seen.axes & {0, padded.positions})
    # A mean over rows that are all made equally long says the same in use as in training.
    return ("padding-counts" if reads_on or len(set(seen.widths)) > 1 else "padding-averaged"), text


def _cut(value: Any, row: int, own: int, padded: Padded, count: int) -> Any:
    """One row of everything, and so many positions of it."""
    if isinstance(value, Tensor):
        shape = (padded.positions, count) if padded.sideways else (count, padded.positions)
        if value.shape[:2] == shape:
            return value[:own, row : row + 1] if padded.sideways else value[row : row + 1, :own]
        if value.shape[:2] == shape[::-1]:  # a mask beside it may stand the other way
            return value[row : row + 1, :own] if padded.sideways else value[:own, row : row + 1]
        if value.shape[:2] == (padded.positions, padded.positions):
            return value[:own, :own]
        return value[row : row + 1] if value.ndim and len(value) == count else value
    if isinstance(value, Mapping):
        return {name: _cut(one, row, own, padded, count) for name, one in value.items()}
    if isinstance(value, list | tuple):
        made = [_cut(one, row, own, padded, count) for one in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    return value


def loss_on_padding(value: Tensor, outputs: Tensor, targets: Tensor, tokens: Tensor) -> tuple[str, str] | None:
    """Whether a loss counts the positions behind the ends of rows.

    Args:
        value: Of the loss, one number.
        outputs: That entered it.
        targets: Class numbers, one a position.
        tokens: Of the rows that the network was given: [rows, positions].
    """
    padded = padding_of([tokens])
    if padded is None or value.numel() != 1 or targets.is_floating_point():
        return None
    count, width = len(padded.lengths), padded.positions
    lengths = padded.lengths
    slopes: tuple[Tensor | None, ...] = torch.autograd.grad(value, outputs, retain_graph=True, allow_unused=True)
    slope = slopes[0]
    if slope is None:
        return None
    by_answer = slope.detach().abs()
    counted = (by_answer.sum(1) if by_answer.ndim > 1 else by_answer).reshape(-1) > 0
    for shown in (width, width - 1):
        if counted.numel() != count * shown:
            continue
        places = torch.arange(shown, device=lengths.device)
        behind = places.unsqueeze(0) >= lengths.unsqueeze(1)  # [rows, positions]
        if padded.sideways:
            behind = behind.T
        behind = behind.reshape(-1).to(counted.device)
        wanted = targets.reshape(-1)[behind]
        number = int(counted.logical_and(behind).sum())
        share = number / max(1, int(counted.sum()))
        if share >= LOSS_ON_PADDING and wanted.numel() and _is_one(wanted):
            text = f"{share:.0%} of the {int(counted.sum())} positions that the loss counts are padding behind the ends"
            return "padding-counts", f"{text} of rows, with the target {int(wanted[0])} (limit {LOSS_ON_PADDING:.0%})"
    return None
