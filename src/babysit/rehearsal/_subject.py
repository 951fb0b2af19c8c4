"""Subject: what can be rehearsed. A Rehearsal: a short training of it that leaves it as it was, bit for bit."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, Self

from torch import nn
from torch.optim import Optimizer

from babysit.record import BabysitError, Finding, InputError, OutOfTimeError, Remedy, Trace
from babysit.rehearsal._outcome import RehearsalOutcome
from babysit.remedies import Batch, LossOf

Look = Callable[[Trace], object]
Probes = Literal["all", "start", "budget", "losses", "dependence"]
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]

ENDED_BY, TIME_LIMIT = "ended-by", "time limit"  # fact of a trace: its training was not at its end
TO_THE_END = 10**9  # steps: more than any training takes, where it ends by itself
CHECK_SECONDS = 60.0  # a check is made before hours are spent; a minute of it finds what a day would


@dataclass(frozen=True)
class Ask:
    """What a rehearsal shall be; see `Subject.rehearse`."""

    steps: int = TO_THE_END
    remedies: tuple[Remedy, ...] = ()
    seed: int = 0
    probes: Probes = "all"
    seconds: float | None = None


@dataclass(frozen=True)
class LiveParts:
    """The live parts of a Subject, for checks that need more than a Trace.

    Attributes:
        network: As the user has it. Whoever changes it works within `restored`.
        loss_of: The loss of one batch, penalties included.
        make_optimizer: A fresh optimizer as the user chose it, over the parameters given in the network's order.
        optimizers: Those that exist; empty where the user gave a factory.
        batches: The training batches, endlessly, in the order of a seed.
        validation: Batches of the validation rows, once through; None where there are none.
        epoch_steps: Batches an epoch; None where they are not known.
        rows: Training rows; None where they are not known.
        loaders: What batches come from, to be restored.
    """

    network: nn.Module
    loss_of: LossOf
    make_optimizer: MakeOptimizer
    optimizers: Sequence[Optimizer]
    batches: Callable[[int], Iterator[Batch]]
    validation: Callable[[], Iterator[Batch]] | None
    epoch_steps: int | None
    rows: int | None
    loaders: tuple[object, ...] = ()


@dataclass(frozen=True)
class PatchedCopy:
    """A script with remedies in its text.

    Attributes:
        path: Where it is.
        diff: Against the script, unified.
        written: Remedies that are in the code.
        applied: Remedies that one statement at the top applies.
        outcome: What it came to when it was run, in a scratch folder.
    """

    path: pathlib.Path
    diff: str
    written: tuple[Remedy, ...]
    applied: tuple[Remedy, ...]
    outcome: RehearsalOutcome


class Subject(ABC):
    """Something that can be trained: a Recipe, live objects, a script. Used in a `with`, it leaves nothing running.

    Attributes:
        jobs: How many of its rehearsals run at the same time.
        check_seconds: Time limit of a check where the user names none.
        own_end: Whether its training comes to an end of its own; otherwise a rehearsal needs a number of steps.
        has_live_parts: Whether its network, loss and batches can be reached; see `live_parts`.
    """

    jobs: int = 1
    check_seconds: float = CHECK_SECONDS
    own_end: bool = False
    has_live_parts: bool = True

    @property
    @abstractmethod
    def name(self) -> str:
        """What to call it, in a few words."""

    @abstractmethod
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
            remedies: They hold for this rehearsal alone.
            seed: Of the order of rows and of all that is drawn at random.
            probes: `all` measures every step, `start` the first fifty and every fifth of the later ones,
                `budget` as often as one percent of the time allows, `losses` the loss and the rate only.
            seconds: Time limit.

        Returns:
            What was measured; a loss that is not finite ends the rehearsal after it is written down.

        Raises:
            InputError: A remedy that this subject cannot take.
        """

    @abstractmethod
    def live_parts(self) -> LiveParts:
        """The network, loss and batches to work on.

        Raises:
            InputError: They cannot be reached, as those of a script, which runs in processes of its own.
        """

    def rehearse_all(
        self, asks: Sequence[Ask], *, seconds: float | None = None, look: Look | None = None
    ) -> list[Trace | BabysitError]:
        """Several rehearsals, as many at a time as there are jobs.

        Args:
            asks: What they shall be.
            seconds: Time limit for all of them together: what is running then ends after its step, and what has not
                begun is left out. The first one is always begun.
            look: Called about twice a second with what was measured so far of the first one, where it runs in a
                process of its own.

        Returns:
            In the order of `asks`: what was measured, or the error that ended the rehearsal (`OutOfTimeError` of one
            that was left out).
        """
        until = math.inf if seconds is None else time.monotonic() + seconds
        found: list[Trace | BabysitError] = []
        for ask in asks:
            left = until - time.monotonic()
            if found and left <= 0:
                found.append(out_of_time())
                continue
            if left < math.inf:
                ask = dataclasses.replace(ask, seconds=left if ask.seconds is None else min(ask.seconds, left))
            try:
                found.append(
                    self.rehearse(ask.steps, ask.remedies, seed=ask.seed, probes=ask.probes, seconds=ask.seconds)
                )
            except BabysitError as error:
                found.append(error)
        return found

    def advice_for(self, remedies: Sequence[Remedy]) -> tuple[str, ...]:
        """How to write remedies into its text, a line for each; empty where it has none."""
        return ()

    def diff_of(self, remedies: Sequence[Remedy]) -> str:
        """The changes of its text that remedies are, as a unified diff; empty where it has no text."""
        return ""

    def located(
        self, findings: Sequence[Finding], tried: Mapping[str, tuple[Sequence[Remedy], str]]
    ) -> tuple[Finding, ...]:
        """The same findings, with file and line in its text, and the fix where a remedy was tried.

        Args:
            findings: What was found.
            tried: By the name of a finding, the remedies that were tried for it, and what they did.
        """
        return tuple(
            dataclasses.replace(finding, did=tried[finding.name][1]) if finding.name in tried else finding
            for finding in findings
        )

    def check_copy(self, path: pathlib.Path) -> None:
        """Check that a patched copy of its text can be written to a path.

        Raises:
            InputError: It has no text, or the path is its own or that of another file.
        """
        raise self._without_text()

    def patched_copy(self, remedies: Sequence[Remedy], path: pathlib.Path) -> PatchedCopy:
        """Write remedies into a copy of its text, and run the copy, so that it is known to do what they did.

        Raises:
            InputError: As of `check_copy`; nothing is written then.
        """
        raise self._without_text()

    def _without_text(self) -> InputError:
        return InputError(f"only a script can be patched, and {self.name} is not a .py file", legal="a .py file")

    def notes(self) -> tuple[str, ...]:
        """What the user should know of the rehearsals so far, as sentences."""
        return ()

    def close(self) -> None:
        """End what runs for it."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def out_of_time() -> OutOfTimeError:
    """Of a rehearsal that was not begun."""
    return OutOfTimeError("no time was left for this rehearsal")


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
    while some := list(islice(waiting, subject.jobs)):
        for found in subject.rehearse_all(some):
            if isinstance(found, BabysitError):
                raise found
            yield list(found.series("loss").values)
