"""Members: rehearsals that differ in their remedies and seeds alone, asked for together.

This is the seam for stacked cohorts: whoever trains members all at once, as one computation, takes the place of
`one_by_one`. What it gives for each member must not depend on which others are trained with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from babysit.record import Remedy
from babysit.rehearse._subject import Subject


@dataclass(frozen=True)
class Member:
    """One rehearsal among several.

    Attributes:
        remedies: What it changes.
        seed: Of its order of rows and of all that it draws.
    """

    remedies: tuple[Remedy, ...] = ()
    seed: int = 0


# Subject, members, steps -> the losses of each, in their order. Whoever asks may stop reading before the end.
TrainMembers = Callable[[Subject, Iterable[Member], int], Iterator[list[float]]]


def one_by_one(subject: Subject, members: Iterable[Member], steps: int) -> Iterator[list[float]]:
    """The losses of each member, one rehearsal after another, each only when it is asked for.

    Example:
        >>> import torch
        >>> from babysit.rehearse import LiveObjects
        >>> batches = [(torch.randn(8, 3), torch.randint(0, 2, (8,)))]
        >>> net = torch.nn.Linear(3, 2)
        >>> subject = LiveObjects(net, torch.nn.CrossEntropyLoss(), batches, lambda p: torch.optim.SGD(p, lr=0.1))
        >>> members = [Member((Remedy("lr", "0.1"),)), Member((Remedy("lr", "1"),))]
        >>> [len(losses) for losses in one_by_one(subject, members, 3)]
        [3, 3]
    """
    for member in members:
        trace = subject.rehearse(steps, member.remedies, seed=member.seed, probes="losses")
        yield list(trace.series("loss").values)
