"""Which loss a computation is: known by its value, however it is written.

Every pair of answers and targets that meet on the way to the loss is tried with each kind of loss; the kind whose
formula gives a number that stands on the way, for the answers as they are and for two others, is the one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from babysit.probes._loss_tape import LossTape, tensors_in
from babysit.probes._numbers import readable

CLOSE, ALIKE = 2e-3, 1e-2  # of the number on the way; of the same with other answers
MOST_NUMBERS = 2**20  # of answers that formulas are tried on
MOST_PAIRS = 60
HOPS = 12  # functions back from where targets come in to the answers they are compared with
TINY = 1e-10  # under a logarithm


class Meeting(NamedTuple):
    """Answers and targets that meet on the way to the loss."""

    answers: Tensor
    targets: Tensor


class KnownLoss(NamedTuple):
    """A loss that was recognised.

    Attributes:
        name: As `LOSS_FACTS` has it.
        meeting: The answers, as they stood on the way, and the targets.
        answers: As PyTorch's function of that name takes them.
        targets: The same.
        shares: Whether the answers on the way are shares, of which PyTorch's function takes the logarithms.
        value: The mean, as PyTorch's function gives it.
        times: What the program computes in its place, over that mean.
        node: The number on the way that it computes.
    """

    name: str
    meeting: Meeting
    answers: Tensor
    targets: Tensor
    shares: bool
    value: float
    times: float
    node: Tensor


def meetings(tape: LossTape) -> list[Meeting]:
    """Pairs of answers and targets, the first to meet first, answers before what is made of them."""
    made_by: dict[int, int] = {}
    found: dict[tuple[int, int], Meeting] = {}
    for place, call in enumerate(tape.calls):
        given = tensors_in((call.arguments, call.options))
        targets = [one for one in given if not tape.made_from_outputs(one) and may_be_targets(one)]
        answers = _back_from([one for one in given if tape.made_from_outputs(one)], tape, made_by) if targets else []
        for target in targets:
            for answer in answers:
                if answer.requires_grad and answer.numel() <= MOST_NUMBERS and _fit(answer, target):
                    found.setdefault((id(answer), id(target)), Meeting(answer, target))
        made_by |= {id(one): place for one in tensors_in(call.result)}
    return list(found.values())[:MOST_PAIRS]


def _back_from(given: list[Tensor], tape: LossTape, made_by: dict[int, int]) -> list[Tensor]:
    """Tensors and what they were made from, the oldest first."""
    found: dict[int, Tensor] = {}
    waiting = [(one, HOPS) for one in given]
    while waiting:
        one, hops = waiting.pop()
        if id(one) in found:
            continue
        found[id(one)] = one
        place = made_by.get(id(one))
        if place is not None and hops:
            call = tape.calls[place]
            before = tensors_in((call.arguments, call.options))
            waiting += [(other, hops - 1) for other in before if tape.made_from_outputs(other)]
    return sorted(found.values(), key=lambda one: made_by.get(id(one), -1))


def may_be_targets(tensor: Tensor) -> bool:
    """Whether it has several rows and is not a mask, and no numbering of the rows."""
    if tensor.requires_grad or not tensor.ndim or tensor.is_complex() or tensor.dtype == torch.bool:
        return False
    if tensor.shape[0] < 2 or tensor.numel() > MOST_NUMBERS or not readable(tensor):
        return False
    if not tensor.is_floating_point() and tensor.ndim == 1:
        return not bool((tensor == torch.arange(len(tensor), device=tensor.device)).all())
    return True


def _fit(answers: Tensor, targets: Tensor) -> bool:
    """Whether there is a target for each row, or for each position of each."""
    rows = answers.ndim > 0 and answers.shape[0] == targets.shape[0]
    return rows or (answers.ndim > 1 and targets.numel() in (answers.numel(), answers.numel() // answers.shape[-1]))


def recognised(tape: LossTape) -> list[KnownLoss]:
    """The losses on the way, each with its first meeting."""
    numbers = [
        one
        for call in tape.calls
        for one in tensors_in(call.result)
        if one.numel() == 1 and one.is_floating_point() and tape.made_from_outputs(one)
    ]
    nodes = [(one, float(one.detach())) for one in numbers]
    found: dict[int, KnownLoss] = {}
    for meeting in meetings(tape):
        for name, answers, targets, elements in formulas(meeting.answers.detach(), meeting.targets.detach()):
            mean = float(elements.mean())
            for times in _multiples(elements, meeting.answers):
                node = next((one for one, value in nodes if _close(value, times * mean, CLOSE)), None)
                if node is None or id(node) in found:
                    continue
                shares = name == "nll" and bool((meeting.answers.detach() >= 0).all())
                known = KnownLoss(name, meeting, answers, targets, shares, mean, times, node)
                if _also_of_others(tape, known):
                    found[id(node)] = known
                    break
        if found:
            break
    return list(found.values())


def _multiples(elements: Tensor, answers: Tensor) -> list[float]:
    """By how much a sum, a sum over each row, or a mean over all answers passes the mean."""
    whole, rows = elements.numel(), max(1, len(answers))
    spread = answers.numel() / whole
    return list(dict.fromkeys((1.0, 0.5, whole / rows, 0.5 * whole / rows, float(whole), 0.5 * whole, 1 / spread)))


def _close(one: float, other: float, within: float) -> bool:
    return abs(one - other) <= within * max(abs(one), abs(other)) and abs(other) > 1e-12


@torch.no_grad()
def _also_of_others(tape: LossTape, known: KnownLoss) -> bool:
    """Whether the formula gives what the program gives for other answers, too."""
    answers, targets = known.meeting.answers, known.meeting.targets.detach()
    for turned in (0, 1, 2):
        others = {id(root): _other(root.detach(), turned, at) for at, root in enumerate(tape.roots)}
        changed, program = tape.replay(others, answers, known.node)
        means = [float(elements.mean()) for name, _, _, elements in formulas(changed, targets) if name == known.name]
        if not any(_close(float(program), known.times * mean, ALIKE) for mean in means):
            return False
    return True


def _other(outputs: Tensor, turned: int, place: int) -> Tensor:
    """Other outputs: shares stay between 0 and 1, margins are passed on both sides, and no two passes are alike."""
    pattern = torch.linspace(0, 0.618 * outputs.numel(), outputs.numel(), dtype=outputs.dtype, device=outputs.device)
    share = bool(((outputs >= 0) & (outputs <= 1)).all())
    mixed = 0.6 * outputs + (0.4 if share else 6) * ((pattern + 0.37 * place) % 1 - 0.5 * (not share)).reshape(
        outputs.shape
    )
    return mixed if turned == 0 else mixed.flip(0 if turned == 1 else -1)


Formula = tuple[str, Tensor, Tensor, Tensor]  # name, answers and targets as PyTorch takes them, the value of each


def formulas(answers: Tensor, targets: Tensor) -> Iterator[Formula]:
    """Every kind of loss that such answers and targets can have."""
    yield from _of_classes(answers.double(), targets)
    if not targets.is_floating_point() and targets.shape != answers.shape and targets.numel() != answers.numel():
        return
    try:
        shape = torch.broadcast_shapes(answers.shape, targets.shape)
    except RuntimeError:
        return
    if torch.Size(shape).numel() > MOST_NUMBERS:
        return
    first, second = answers.double(), targets.double()
    for name, values in ELEMENTWISE.items():
        elements = values(first, second)
        if elements is not None:
            yield name, answers, targets, elements


def _bce(answers: Tensor, targets: Tensor) -> Tensor | None:
    if not bool(((answers >= 0) & (answers <= 1)).all()):
        return None
    sure, other = answers.clamp_min(TINY).log(), (1 - answers).clamp_min(TINY).log()
    return -(targets * sure + (1 - targets) * other)


def _huber(errors: Tensor) -> Tensor:
    return torch.where(errors.abs() < 1, errors.square() / 2, errors.abs() - 0.5)


def _binary_hinge(answers: Tensor, targets: Tensor) -> Tensor | None:
    return (1 - answers * targets).clamp_min(0) if bool((targets.abs() == 1).all()) else None


ELEMENTWISE: dict[str, Callable[[Tensor, Tensor], Tensor | None]] = {
    "hinge": _binary_hinge,
    "mse": lambda answers, targets: (answers - targets).square(),
    "l1": lambda answers, targets: (answers - targets).abs(),
    "bce": _bce,
    "bce-with-logits": lambda answers, targets: functional.softplus(answers) - answers * targets,
    "huber": lambda answers, targets: _huber(answers - targets),
    "poisson-nll": lambda answers, targets: answers.clamp_max(60).exp() - targets * answers,
}


def _of_classes(answers: Tensor, targets: Tensor) -> Iterator[Formula]:
    """Logits, log-probabilities or probabilities, and class numbers or rows of shares."""
    if answers.ndim < 2 or answers.shape[-1] < 2:
        return
    width = answers.shape[-1]
    flat = answers.reshape(-1, width)
    if targets.is_floating_point():
        if targets.shape != answers.shape:
            return
        shares = targets.reshape(-1, width).double()
        one_hot = bool(((shares == 0) | (shares == 1)).all() and (shares.sum(1) == 1).all())
        taken = shares.argmax(1) if one_hot else shares
    else:
        taken = targets.reshape(-1)
        if taken.numel() != len(flat) or bool((taken < 0).any()) or bool((taken >= width).any()):
            return
        shares = functional.one_hot(taken, width).double()
    yield "cross-entropy", flat, taken, (shares * (flat.logsumexp(1, keepdim=True) - flat)).sum(1)
    yield "nll", flat, taken, -(shares * flat).sum(1)
    if bool((flat * shares >= -1e-9).all()) and bool((flat <= 1 + 1e-6).all()):
        logs = flat.clamp_min(TINY).log()
        yield "nll", logs, taken, -(shares * logs).sum(1)
    if bool((shares.sum(1) == 1).all()) and bool(((shares == 0) | (shares == 1)).all()):
        right = (shares * flat).sum(1, keepdim=True)
        margins = ((1 + flat - right).clamp_min(0) * (1 - shares)).sum(1)
        yield "hinge", flat, taken, margins
