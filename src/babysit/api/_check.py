"""check: the pre-flight on a Recipe, on data, or on live objects."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from babysit.api._result import Result, shown, trace_picture
from babysit.api._subjects import subject_of
from babysit.api._traces_kept import TracesKept
from babysit.record import CheckVerdict, Finding, PreFlight, PreFlightStep, Progress, Recipe, Trace, silent
from babysit.rehearsal import TO_THE_END, WATCHED_STEPS, OptimizerLike, Subject, pre_flight, tried_remedies
from babysit.reports import account_of_check, check_headline, check_renderable, render_account, reproduction


@dataclass(frozen=True, repr=False)
class Checked(Result):
    """What `check` answers.

    Attributes:
        pre_flight: Everything that was found.
        trace: What was measured of the training.
    """

    pre_flight: PreFlight
    trace: Trace = field(default_factory=Trace)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, causes first."""
        return self.pre_flight.findings

    @property
    def verdict(self) -> CheckVerdict:
        """`sound`, which needs evidence, `sick`, or `not judged`."""
        return self.pre_flight.verdict

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why: what was found, what shows that it learns, or what is missing."""
        return self.pre_flight.reasons

    @property
    def ok(self) -> bool:
        """Whether it is sound; the command ends with exit code 0 then, with 1 when sick, with 3 when not judged."""
        return self.verdict == "sound"

    @property
    def judged(self) -> bool:
        """Whether there is a verdict: sound or sick."""
        return self.verdict != "not judged"

    @property
    def steps(self) -> dict[str, PreFlightStep]:
        """The steps by name."""
        return {step.name: step for step in self.pre_flight.steps}

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it; the steps that were done by then are here."""
        return self.pre_flight.interrupted

    def _record(self) -> PreFlight:
        return self.pre_flight

    def _title(self) -> str:
        return check_headline(self.pre_flight).plain

    def _reasons(self) -> Sequence[str]:
        return self.reasons

    def _page(self, command: str = "") -> str:
        made = reproduction(self.pre_flight.subject, command, self.pre_flight.seconds)
        return render_account(account_of_check(self.pre_flight, self.trace, made))

    def _picture(self) -> str:
        return trace_picture(self.trace)

    def __rich__(self) -> RenderableType:
        return check_renderable(self.pre_flight)


def check(
    subject: nn.Module | Recipe | Subject | str | pathlib.Path | object,
    loss: Callable[..., Tensor] | None = None,
    loader: Iterable[Any] | None = None,
    optimizer: OptimizerLike | None = None,
    *,
    validation: Iterable[Any] | None = None,
    scheduler: LRScheduler | None = None,
    step: Callable[[nn.Module, Any], Tensor] | None = None,
    target: str | None = None,
    settings: Iterable[str] = (),
    only: Collection[str] = (),
    skip: Collection[str] = (),
    arguments: Sequence[str] = (),
    module: bool = False,
    unprotected: bool = False,
    network: bool = False,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    ignore: Sequence[str] = (),
    progress: Progress = silent,
) -> Checked:
    """Check a training before hours are spent: eight steps, each with its numbers and a verdict.

    Everything given is afterwards as it was, bit for bit: weights, buffers, optimizer, random streams, loader.

    Args:
        subject: A network, with loss, loader and optimizer beside it; a script (a .py file); or a Recipe, its file, or
            data as `fit` takes it.
        loss: Of (outputs, targets); None where the network gives its loss itself.
        loader: Of training batches: (inputs, targets), or a mapping.
        optimizer: An optimizer, or a function that makes one from parameters.
        validation: Loader of the validation rows, to look for rows that are in both.
        scheduler: The scheduler of the learning rate; it is restored, and the rate is kept constant.
        step: The loss of a batch, in place of `loss`: `step(network, batch)`.
        target: Of data: the column to learn.
        settings: Of data and recipes: changes to the recipe, as `path=value`.
        only: Names of the steps to do: data, wiring, init, initial-loss, regularisation, overfit-tiny, rate-range,
            short-training.
        skip: Names of steps to leave out.
        arguments: Of a script: its own arguments.
        module: Whether the subject is the name of a module to run, as in `python -m`.
        unprotected: Of a script: let its rehearsals write to your files, where the system cannot keep them away.
        network: Of a script: let its rehearsals reach the network.
        seconds: Time limit in seconds; 60, for a script 90.
        steps: Steps of the watched training, at most; 200. A script is watched to its end where there is time.
        seed: Seed of every rehearsal.
        ignore: Findings to ignore, by name.
        progress: Receives progress events.

    Returns:
        The answer: print it, look at `.verdict`, `.reasons`, `.findings` and `.steps`, or call `.raise_if_sick()`.
        `.ok` is True only for `sound`. With `only` or `skip` the verdict is that of the steps that were asked for.

    Raises:
        InputError: The subject cannot be checked, or an argument does not fit it.

    Example:
        >>> import torch
        >>> batches = [(torch.randn(32, 4), torch.randint(0, 3, (32,))) for _ in range(4)]
        >>> net = nn.Linear(4, 3)
        >>> optimizer = torch.optim.Adam(net.parameters())
        >>> checked = check(net, nn.CrossEntropyLoss(), batches, optimizer, only=["wiring", "initial-loss"])
        >>> checked.ok, checked.steps["initial-loss"].verdict
        (True, 'pass')

    Source: CS231n, lecture 6 ("Babysitting the learning process").
    """
    made = subject_of(
        subject,
        loss,
        loader,
        optimizer,
        validation,
        scheduler,
        step,
        target,
        settings,
        arguments,
        module,
        unprotected=unprotected,
        network=network,
    )
    if seconds is None:
        seconds = made.check_seconds
    if steps is None:
        steps = TO_THE_END if made.own_end else WATCHED_STEPS
    with made, shown(progress) as seen:
        kept = TracesKept(seen)
        found = pre_flight(
            made, only=only, skip=skip, seconds=seconds, steps=steps, seed=seed, ignore=ignore, progress=kept
        )
        findings = made.located(found.findings, tried_remedies(found.findings))
    return Checked(dataclasses.replace(found, findings=findings, notes=made.notes()), kept.before)
