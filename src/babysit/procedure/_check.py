"""check: the pre-flight on a Recipe, on data, or on live objects."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, RenderableType
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from babysit.record import (
    CheckListener,
    Finding,
    InputError,
    PreFlight,
    PreFlightStep,
    Recipe,
    SickError,
    load_recipe,
    with_settings,
)
from babysit.rehearse import SECONDS, WATCHED_STEPS, LiveObjects, OptimizerLike, RecipeSubject, Subject, pre_flight
from babysit.report import check_page_part, check_renderable, finding_line

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
        return self.pre_flight.to_dict()

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
    seconds: float = SECONDS,
    steps: int = WATCHED_STEPS,
    seed: int = 0,
    ignore: Sequence[str] = (),
    listener: CheckListener | None = None,
) -> Report:
    """Check a training before hours are spent: eight steps, each with its numbers and a verdict.

    Everything given is afterwards as it was, bit for bit: weights, buffers, optimizer, random streams, loader.

    Args:
        subject: A network, with loss, loader and optimizer beside it; or a Recipe, its file, or data as `fit` takes it.
        loss: Of (outputs, targets); None where the network gives its loss itself.
        loader: Of training batches: (inputs, targets), or a mapping.
        optimizer: As it is, or a function that makes one from parameters.
        validation: Loader of the rows that choose, to look for rows that stand in both.
        scheduler: Of the rate; it is restored, and the rate kept constant.
        step: The loss of a batch, in place of `loss`: `step(network, batch)`.
        target: Of data: the column to learn.
        settings: Of a Recipe or data: changes, as `path=value`.
        only: Names of the steps to do: data, wiring, init, initial-loss, regularisation, overfit-tiny, rate-range,
            short-training.
        skip: Names of steps not to do.
        seconds: That may be spent.
        steps: Of the watched training, at most.
        seed: Of every rehearsal.
        ignore: Names of findings not to report.
        listener: Who shows it while it runs.

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
    made = subject_of(subject, loss, loader, optimizer, validation, scheduler, step, target, settings)
    found = pre_flight(
        made, only=only, skip=skip, seconds=seconds, steps=steps, seed=seed, ignore=ignore, listener=listener
    )
    return Report(found)


def subject_of(
    subject: object,
    loss: Callable[..., Tensor] | None,
    loader: Iterable[Any] | None,
    optimizer: OptimizerLike | None,
    validation: Iterable[Any] | None,
    scheduler: LRScheduler | None,
    step: Callable[[nn.Module, Any], Tensor] | None,
    target: str | None,
    settings: Iterable[str],
) -> Subject:
    """What was given, as a Subject: a network with its loss, loader and optimizer; else a Recipe or data.

    Raises:
        InputError: It is neither, or something is missing.
    """
    if isinstance(subject, nn.Module):
        if loader is None or optimizer is None:
            missing = "a loader of training batches" if loader is None else "an optimizer"
            raise InputError(f"{missing} is missing", write="babysit.check(model, loss, loader, optimizer)")
        return LiveObjects(subject, loss, loader, optimizer, validation=validation, scheduler=scheduler, step=step)
    if isinstance(subject, LiveObjects | RecipeSubject):
        return subject
    if any(given is not None for given in (loss, loader, optimizer, validation, scheduler, step)):
        raise InputError(
            f"a {type(subject).__name__} is no network, and a Recipe or data brings its own loss, loader and optimizer",
            legal="a torch.nn.Module as the first argument",
            write="babysit.check(model, loss, loader, optimizer)",
        )
    return recipe_subject(subject, target, settings)


def recipe_subject(given: object, target: str | None = None, settings: Iterable[str] = ()) -> RecipeSubject:
    """A Recipe, its file, or data under the default recipe, as a Subject.

    Raises:
        InputError: Data or recipe cannot be used.
    """
    source = None
    recipe = given if isinstance(given, Recipe) else None
    if recipe is None and isinstance(given, str | pathlib.Path) and pathlib.Path(given).suffix == ".toml":
        recipe = load_recipe(given)
    if recipe is None:
        recipe = load_recipe("default")
        if isinstance(given, str | pathlib.Path):
            recipe = with_settings(recipe, [f"data.source={given}"])
        else:
            source = given
    if target is not None:
        recipe = with_settings(recipe, [f"data.target={target}"])
    return RecipeSubject(with_settings(recipe, [*settings]), source)
