"""A Recipe as a Subject: built anew for each rehearsal, from data that is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from babysit.data import Prepared, prepare
from babysit.record import Decision, NotAppliedError, Recipe, RecipeError, RegularisationSection, Remedy, Trace
from babysit.rehearsal._experiments import EXPERIMENTS, KINDS
from babysit.rehearsal._live_objects import LiveObjects
from babysit.rehearsal._subject import LiveParts, Probes, Subject
from babysit.remedies import Batch, kind_of
from babysit.training import (
    Examples,
    TrainedModel,
    assemble,
    build_optimizer,
    choose_device,
    decide,
    epoch_batches,
    examples_of,
    loss_of,
)

EVALUATION_ROWS = 1024


class RecipeSubject(Subject):
    """A Recipe and its data.

    Args:
        recipe: What to train; what it leaves open is decided from the data.
        source: The data, where the recipe does not name it.

    Raises:
        InputError: Data or recipe cannot be used.

    Example:
        >>> from babysit.record import load_recipe, with_settings
        >>> recipe = with_settings(load_recipe("default"), ["data.source=iris"])
        >>> subject = RecipeSubject(recipe)
        >>> len(subject.rehearse(3).series("loss").values)
        3
    """

    def __init__(self, recipe: Recipe, source: object = None) -> None:
        self.prepared: Prepared = prepare(recipe, source)
        self.recipe, self.decisions = self._decided(recipe)
        self._as_it_is: LiveObjects | None = None
        self._model: TrainedModel | None = None

    @property
    def name(self) -> str:
        """The data's name."""
        return self.prepared.summary.source

    @property
    def model(self) -> TrainedModel:
        """The model before its first step, with its preprocessing."""
        if self._model is None:
            self._model, _ = assemble(self.recipe, self.prepared)
            self._model.to(choose_device(self.recipe.device))
        return self._model

    def rehearse(
        self,
        steps: int,
        remedies: Sequence[Remedy] = (),
        *,
        seed: int = 0,
        probes: Probes = "all",
        seconds: float | None = None,
    ) -> Trace:
        """Train for some steps, and be afterwards as before; see `Subject`.

        Remedies that are settings of a recipe are set; the others act on what it builds.
        """
        recipe, others = self.recipe, []
        for remedy in remedies:
            kind = kind_of(remedy, KINDS)
            if kind.unseen:
                raise NotAppliedError.of([(str(remedy), kind.unseen)])
            changed = None if kind.keeps_network or remedy.name in EXPERIMENTS else kind.recipe(remedy, recipe)
            if changed is None:
                others.append(remedy)
            else:
                recipe = changed
        objects = self.live() if recipe is self.recipe else self._built_with(remedies, recipe)
        return objects.rehearse(steps, others, seed=seed, probes=probes, seconds=seconds)

    def notes(self) -> tuple[str, ...]:
        """What is doubtful in the data, each with what to type to decide it otherwise."""
        doubts = [decision for decision in self.prepared.decisions if decision.change]
        return tuple(f"look at: {one.value}: {one.why}; otherwise {one.change}" for one in doubts)

    def live_parts(self) -> LiveParts:
        """The live parts of the recipe as it is."""
        return self.live().live_parts()

    def live(self) -> LiveObjects:
        """The recipe as it is, built."""
        if self._as_it_is is None:
            self._as_it_is = self._objects(self.recipe, self.model)
        return self._as_it_is

    def _decided(self, recipe: Recipe) -> tuple[Recipe, tuple[Decision, ...]]:
        return decide(recipe, self.prepared)

    def _built_with(self, remedies: Sequence[Remedy], recipe: Recipe) -> LiveObjects:
        try:
            return self._built(recipe)[1]
        except RecipeError as error:
            raise NotAppliedError.of([(" ".join(map(str, remedies)), error.given)]) from error

    def _built(self, recipe: Recipe) -> tuple[TrainedModel, LiveObjects]:
        model, _ = assemble(recipe, self.prepared)
        model.to(choose_device(recipe.device))
        return model, self._objects(recipe, model)

    def _objects(self, recipe: Recipe, model: TrainedModel) -> LiveObjects:
        device = choose_device(recipe.device)
        examples = examples_of(model, self.prepared, recipe, device)
        criterion = loss_of(self.prepared, recipe, device)
        regularisation = recipe.regularisation
        l2 = (regularisation.l2 or 0.0) if regularisation.l2_mode == "loss" else 0.0

        def step(network: nn.Module, batch: Batch) -> Tensor:
            loss: Tensor = criterion(network(batch[0]), batch[1])
            for weight in network.parameters():
                if weight.ndim >= 2 and (l2 or regularisation.l1):
                    loss = loss + 0.5 * l2 * weight.square().sum() + regularisation.l1 * weight.abs().sum()
            return loss

        def optimizer(parameters: Iterable[nn.Parameter]) -> Optimizer:
            return _optimizer(recipe, [*parameters])

        batch_size = recipe.budget.batch_size
        assert batch_size is not None, "decided above"
        validation = _InOrder(examples) if len(examples.validation) else None
        loader = _Epochs(examples, batch_size)
        return LiveObjects(
            model.network,
            None,
            loader,
            optimizer,
            step=step,
            validation=validation,
            regularisation=_beside_the_loss(recipe),
            name=self.prepared.summary.source,
        )


def _beside_the_loss(recipe: Recipe) -> RegularisationSection:
    """Clipping, the longest norm, and the decoupled decay that PyTorch's optimizer of that name does not do itself."""
    regularisation = recipe.regularisation
    built_in = regularisation.l2_mode == "loss" or recipe.optimizer.name in ("adam", "adamw")
    return regularisation.model_copy(update={"l1": 0.0, "l2": 0.0 if built_in else regularisation.l2})


def _optimizer(recipe: Recipe, parameters: list[nn.Parameter]) -> Optimizer:
    """The recipe's optimizer with decoupled decay built in, where PyTorch has one that does it."""
    section, regularisation = recipe.optimizer, recipe.regularisation
    holder = nn.ParameterList(parameters)
    decay = (regularisation.l2 or 0.0) if regularisation.l2_mode == "decoupled" else 0.0
    assert section.lr is not None, "decided before"
    if decay and section.name in ("adam", "adamw"):
        groups = [
            {"params": [one for one in parameters if one.ndim >= 2], "weight_decay": decay},
            {"params": [one for one in parameters if one.ndim < 2], "weight_decay": 0.0},
        ]
        return AdamW(
            [group for group in groups if group["params"]], lr=section.lr, betas=(section.beta1, section.beta2)
        )
    if section.name == "sgd":
        return SGD(parameters, lr=section.lr, momentum=section.momentum, nesterov=section.nesterov)
    return build_optimizer(section, holder)


class _Epochs:
    """Shuffled batches of a recipe's training rows; every time through is another epoch."""

    def __init__(self, examples: Examples, batch_size: int) -> None:
        self._examples = examples
        self._batch_size = batch_size

    def __len__(self) -> int:
        return len(epoch_batches(self._examples.train, self._batch_size, 0, 0))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # The order follows from the random stream, which whoever reads begins anew: so does a DataLoader's.
        seed = int(torch.randint(2**31, ()))
        for rows in epoch_batches(self._examples.train, self._batch_size, seed, 0):
            yield self._examples.cut(rows)


class _InOrder:
    """Validation rows in their order."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in torch.split(self._examples.validation, EVALUATION_ROWS):
            yield self._examples.cut(rows)
