"""Subject: what can be rehearsed. A Rehearsal: a short training of it that leaves it as it was, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, Protocol, runtime_checkable

from babysit.record import BabysitError, Remedy, Trace
from babysit.rehearsal._live_parts import LiveParts

Probes = Literal["all", "start", "budget", "losses"]


TO_THE_END = 10**9  # steps: more than any training takes, where it ends by itself


@dataclass(frozen=True)
class Ask:
    """What a rehearsal shall be; see `Subject.rehearse`."""

    steps: int = TO_THE_END
    remedies: tuple[Remedy, ...] = ()
    seed: int = 0
    probes: Probes = "all"
    seconds: float | None = None


class Subject(Protocol):
    """Something that can be trained: a Recipe, live objects, a script."""

    @property
    def name(self) -> str:
        """What to call it, in a few words."""

    def rehearse(
        self,
        steps: int,
        remedies: Sequence[Remedy] = (),
        *,
        seed: int = 0,
        probes: Probes = "all",
        seconds: float | None = None,
    ) -> Trace:
        """Train for some steps, and be afterwards as before: weights, optimizer, random streams, loader, all of it.

        Args:
            steps: Optimizer steps, at least 1.
            remedies: Changes that hold for this rehearsal alone.
            seed: Of the order of rows and of all that is drawn at random.
            probes: `all` measures every step, `start` the first fifty and every fifth of the later ones,
                `budget` as often as one percent of the time allows, `losses` the loss and the rate only.
            seconds: Stop early when they are spent.

        Returns:
            What was measured; a loss that is no number ends the rehearsal after it is written down.

        Raises:
            InputError: A remedy that this subject cannot take.
        """

    def live_parts(self) -> LiveParts | None:
        """The live network, loss and batches to work on, where there are any: a script has none outside itself."""


@runtime_checkable
class Together(Protocol):
    """A Subject whose rehearsals can run side by side, in processes of their own.

    Attributes:
        jobs: How many at a time.
    """

    jobs: int

    def rehearse_together(self, asks: Sequence[Ask]) -> list[Trace | BabysitError]:
        """As `rehearse` for each, errors in the place of their traces."""


def rehearse_all(subject: Subject, asks: Sequence[Ask]) -> list[Trace | BabysitError]:
    """Several rehearsals, side by side where the subject can.

    Returns:
        In the order of `asks`: what was measured, or the error that the rehearsal ended by.
    """
    if isinstance(subject, Together):
        return subject.rehearse_together(asks)
    found: list[Trace | BabysitError] = []
    for ask in asks:
        try:
            found.append(
                subject.rehearse(ask.steps, ask.remedies, seed=ask.seed, probes=ask.probes, seconds=ask.seconds)
            )
        except BabysitError as error:
            found.append(error)
    return found


# Subject, rehearsals -> the losses of each, in their order. Whoever reads may stop before the end.
RehearseLosses = Callable[[Subject, Iterable[Ask]], Iterator[list[float]]]


def one_by_one(subject: Subject, asks: Iterable[Ask]) -> Iterator[list[float]]:
    """The losses of each rehearsal, one after another, each only when it is asked for.

    Where a subject rehearses in processes, as many at a time as it has. Whoever trains all of them at once, as one
    computation, takes the place of this function; the losses of one must not depend on which others are trained.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from babysit.rehearsal import LiveObjects
        >>> batches = [(torch.randn(8, 3), torch.randint(0, 2, (8,)))]
        >>> subject = LiveObjects(nn.Linear(3, 2), nn.CrossEntropyLoss(), batches, torch.optim.Adam)
        >>> asks = [Ask(3, (Remedy("lr", rate),), probes="losses") for rate in ("0.1", "1")]
        >>> [len(losses) for losses in one_by_one(subject, asks)]
        [3, 3]
    """
    waiting = iter(asks)
    while some := list(islice(waiting, subject.jobs if isinstance(subject, Together) else 1)):
        for found in rehearse_all(subject, some):
            if isinstance(found, BabysitError):
                raise found
            yield list(found.series("loss").values)
