"""Members: rehearsals that differ in their remedies and seeds alone, asked for together.

This is the seam for stacked cohorts: whoever trains members all at once, as one computation, takes the place of
`one_by_one`. What it gives for each member must not depend on which others are trained with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from babysit.record import BabysitError, Remedy
from babysit.rehearsal._subject import Ask, Subject, Together


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

    Where a subject rehearses in processes, as many at a time as it has.

    Example:
        >>> import torch
        >>> from babysit.rehearsal import LiveObjects
        >>> batches = [(torch.randn(8, 3), torch.randint(0, 2, (8,)))]
        >>> net = torch.nn.Linear(3, 2)
        >>> subject = LiveObjects(net, torch.nn.CrossEntropyLoss(), batches, lambda p: torch.optim.SGD(p, lr=0.1))
        >>> members = [Member((Remedy("lr", "0.1"),)), Member((Remedy("lr", "1"),))]
        >>> [len(losses) for losses in one_by_one(subject, members, 3)]
        [3, 3]
    """
    if isinstance(subject, Together):
        waiting = iter(members)
        while some := list(islice(waiting, subject.jobs)):
            asks = [Ask(steps, member.remedies, member.seed, "losses") for member in some]
            for found in subject.rehearse_together(asks):
                if isinstance(found, BabysitError):
                    raise found
                yield list(found.series("loss").values)
        return
    for member in members:
        trace = subject.rehearse(steps, member.remedies, seed=member.seed, probes="losses")
        yield list(trace.series("loss").values)
