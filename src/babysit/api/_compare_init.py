"""compare_init: the lecture's figure of initialisations for one's own network and data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from torch import Tensor, nn

from babysit.api._result import Result
from babysit.api._subjects import subject_of
from babysit.record import InitialisationComparison, SchemeResult
from babysit.rehearsal import COMPARED_SCHEMES, OptimizerLike, compare_initialisations
from babysit.reports import comparison_lesson, lesson_renderable, render_lessons_page


@dataclass(frozen=True, repr=False)
class Compared(Result):
    """What `compare_init` answers.

    Attributes:
        comparison: Layer by layer and scheme by scheme: histograms, spreads and losses.
    """

    comparison: InitialisationComparison

    @property
    def take(self) -> str:
        """The scheme to take."""
        return self.comparison.take

    @property
    def results(self) -> tuple[SchemeResult, ...]:
        """One for each scheme."""
        return self.comparison.results

    def result(self, scheme: str) -> SchemeResult:
        """The result of that scheme; KeyError when it was not tried."""
        return self.comparison.result(scheme)

    def _record(self) -> InitialisationComparison:
        return self.comparison

    def _title(self) -> str:
        return comparison_lesson(self.comparison).title

    def _page(self, command: str = "") -> str:
        return render_lessons_page([comparison_lesson(self.comparison)], self._title())

    def __rich__(self) -> RenderableType:
        return lesson_renderable(comparison_lesson(self.comparison))


def compare_init(
    subject: object,
    loss: Callable[..., Tensor] | None = None,
    loader: Iterable[Any] | None = None,
    optimizer: OptimizerLike | None = None,
    *,
    step: Callable[[nn.Module, Any], Tensor] | None = None,
    target: str | None = None,
    settings: Iterable[str] = (),
    schemes: Sequence[str] | None = None,
    steps: int = 60,
    seeds: int = 3,
) -> Compared:
    """Compare initialisations on your network and your data, and say which to take.

    Args:
        subject: A network, with loss, loader and optimizer beside it; or a Recipe, its file, or data as `fit` takes it.
        loss: Of (outputs, targets).
        loader: Of training batches.
        optimizer: An optimizer, or a function that makes one from parameters.
        step: The loss of a batch, in place of `loss`.
        target: Of data: the column to learn.
        settings: Of data and recipes: changes to the recipe, as `path=value`.
        schemes: `as given`, and names that `babysit.initialise` takes; None for the usual ones.
        steps: Steps of each short training.
        seeds: How many seeds of weights and order each scheme is trained with.

    Returns:
        Layer by layer and scheme by scheme: histograms, spreads, losses; and the scheme to take.

    Raises:
        InputError: What was given cannot be used.

    Example:
        >>> import torch
        >>> batches = [(torch.randn(32, 8), torch.randint(0, 3, (32,))) for _ in range(4)]
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> found = compare_init(net, nn.CrossEntropyLoss(), batches, torch.optim.Adam, schemes=["he", "zero"], steps=5)
        >>> [result.scheme for result in found.results]
        ['he', 'zero']
    """
    made = subject_of(subject, loss, loader, optimizer, None, None, step, target, settings)
    return Compared(compare_initialisations(made, schemes=schemes or COMPARED_SCHEMES, steps=steps, seeds=seeds))
