"""check: the pre-flight on a Recipe, on data, or on live objects."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, RenderableType
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from babysit.api._subjects import subject_of
from babysit.record import Finding, PreFlight, PreFlightStep, Progress, Recipe, SickError, silent, to_json
from babysit.rehearsal import TO_THE_END, WATCHED_STEPS, OptimizerLike, Subject, pre_flight
from babysit.reports import check_page_part, check_renderable, finding_line

REPORT_WIDTH = 120


@dataclass(frozen=True)
class Report:
    """What `check` gives: it prints well in a terminal and in a notebook.

    Attributes:
        pre_flight: Everything that was found.
    """

    pre_flight: PreFlight

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, causes first."""
        return list(self.pre_flight.findings)

    @property
    def steps(self) -> dict[str, PreFlightStep]:
        """The steps by name."""
        return {step.name: step for step in self.pre_flight.steps}

    @property
    def ok(self) -> bool:
        """Whether nothing sick was found."""
        return self.pre_flight.ok

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        content: dict[str, Any] = to_json(self.pre_flight)
        return content

    def to_json(self) -> str:
        """As JSON: schema, subject, ok, findings, steps."""
        return json.dumps(self.to_dict(), indent=2)

    def raise_if_sick(self) -> None:
        """An error when something sick was found, for tests and scripts.

        Raises:
            SickError: With the first of the findings that are sick.
        """
        sick = [finding for finding in self.findings if finding.severity == "sick"]
        if sick:
            more = f", and {len(sick) - 1} more" if len(sick) > 1 else ""
            raise SickError(f"{finding_line(sick[0]).plain}{more}", cause=sick[0].why)

    def __rich__(self) -> RenderableType:
        return check_renderable(self.pre_flight)

    def __str__(self) -> str:
        console = Console(width=REPORT_WIDTH, color_system=None)
        with console.capture() as capture:
            console.print(self)
        return capture.get().rstrip()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return check_page_part(self.pre_flight)


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
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    ignore: Sequence[str] = (),
    progress: Progress = silent,
) -> Report:
    """Check a training before hours are spent: eight steps, each with its numbers and a verdict.

    Everything given is afterwards as it was, bit for bit: weights, buffers, optimizer, random streams, loader.

    Args:
        subject: A network, with loss, loader and optimizer beside it; a script (a .py file); or a Recipe, its file, or
            data as `fit` takes it.
        loss: Of (outputs, targets); None where the network gives its loss itself.
        loader: Of training batches: (inputs, targets), or a mapping.
        optimizer: As it is, or a function that makes one from parameters.
        validation: Loader of the validation rows, to look for rows that are in both.
        scheduler: Of the rate; it is restored, and the rate kept constant.
        step: The loss of a batch, in place of `loss`: `step(network, batch)`.
        target: Of data: the column to learn.
        settings: Of a Recipe or data: changes, as `path=value`.
        only: Names of the steps to do: data, wiring, init, initial-loss, regularisation, overfit-tiny, rate-range,
            short-training.
        skip: Names of steps not to do.
        arguments: Of a script: its own.
        module: Whether the subject is the name of a module to run, as in `python -m`.
        seconds: That may be spent; 60, for a script 90.
        steps: Of the watched training, at most; 200, a script is watched to its end where there is time.
        seed: Of every rehearsal.
        ignore: Names of findings not to report.
        progress: Receives progress events.

    Returns:
        The report: `print` it, look at `.findings` and `.ok`, `.to_json()`, `.raise_if_sick()`.

    Raises:
        InputError: What was given cannot be checked.

    Example:
        >>> import torch
        >>> batches = [(torch.randn(32, 4), torch.randint(0, 3, (32,))) for _ in range(4)]
        >>> net = nn.Linear(4, 3)
        >>> optimizer = torch.optim.Adam(net.parameters())
        >>> report = check(net, nn.CrossEntropyLoss(), batches, optimizer, only=["wiring", "initial-loss"])
        >>> report.ok, report.steps["initial-loss"].verdict
        (True, 'pass')

    Source: CS231n, lecture 6 ("Babysitting the learning process").
    """
    made = subject_of(
        subject, loss, loader, optimizer, validation, scheduler, step, target, settings, arguments, module
    )
    if seconds is None:
        seconds = made.check_seconds
    if steps is None:
        steps = TO_THE_END if made.own_end else WATCHED_STEPS
    with made:
        found = pre_flight(
            made, only=only, skip=skip, seconds=seconds, steps=steps, seed=seed, ignore=ignore, progress=progress
        )
    return Report(dataclasses.replace(found, notes=made.notes()))
