"""Where trials begin: rows, preprocessing, loss and first weights, made once for all trials that share them.

A search makes hundreds of trials that differ in a rate or a penalty. What `assemble` does for one of them (a pass over
the training rows, drawing and measuring the weights) is the same for most, and is kept here by what it depends on.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from babysit.data import Prepared, Preprocessing, TargetStandardise, TensorRows
from babysit.nn import MakeNetwork, build
from babysit.record import InputError, Recipe, RecipeError, Trial
from babysit.training._assemble import examples_of, fit_steps, loss_of, model_alone, sample_of, summarise_layers
from babysit.training._batches import Examples
from babysit.training._loss import outputs_needed
from babysit.training._model import TrainedModel
from babysit.training._stacked_network import signature, without_rule

ON_GPU = 0.25  # of a GPU's memory that raw rows may take
# First weights and models of so many kinds are kept; trials that search the first weights, or an argument of a user's
# function, are each a kind of its own.
KEPT = 32

Kept = TypeVar("Kept")
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]  # rows to train on, rows held out


@dataclass(frozen=True)
class Start:
    """What a trial shares with others of its kind.

    Attributes:
        model: Around a network of the right shape. Its weights belong to no trial; it must not be trained in place.
        examples: The rows.
        loss: On the device.
        outputs: Numbers the network gives for one row.
        activations: Numbers all its layers together give for one row.
        kind: What the network computes: one text for all that may be members of one stack.
        no_rule: What of the network has no stacked rule written out; empty where all has.
    """

    model: TrainedModel
    examples: Examples
    loss: nn.Module
    outputs: int
    activations: int
    kind: str
    no_rule: str

    def fresh_network(self, recipe: Recipe) -> nn.Module:
        """A copy of the network that may be trained; its weights belong to no trial."""
        network = copy.deepcopy(self.model.network)
        if recipe.model.dropout is not None or recipe.model.factory is None:
            for module in network.modules():
                if isinstance(module, nn.Dropout):
                    module.p = recipe.model.dropout or 0.0
        return network

    def dropout(self, recipe: Recipe) -> float:
        """Share that all layers of dropout drop: the recipe's, or what a user's function gave them."""
        if recipe.model.dropout is not None or recipe.model.factory is None:
            return recipe.model.dropout or 0.0
        return next((module.p for module in self.model.network.modules() if isinstance(module, nn.Dropout)), 0.0)


class Starts:
    """The beginnings of trials on one set of rows.

    Args:
        prepared: The data.
        folds: Pairs (train, held out) of row numbers, for trials that name a fold.
        device: Where networks and rows are.
        make: Makes networks.
    """

    def __init__(
        self,
        prepared: Prepared,
        folds: Sequence[Fold] = (),
        device: torch.device | None = None,
        make: MakeNetwork = build,
    ) -> None:
        self.prepared = prepared
        self._make = make
        self.device = device or torch.device("cpu")
        self._folds = tuple(folds)
        self._steps: dict[Hashable, tuple[Preprocessing, TargetStandardise | None]] = {}
        self._samples: dict[Hashable, Tensor] = {}
        self._shapes: OrderedDict[Hashable, _Shape] = OrderedDict()
        self._activations: dict[str, int] = {}  # by kind
        self._weights: OrderedDict[Hashable, dict[str, Tensor]] = OrderedDict()
        self._examples: dict[Hashable, Examples] = {}
        self._losses: dict[Hashable, nn.Module] = {}
        self._found: dict[int, tuple[Trial, Start]] = {}

    def rows_of(self, fold: int | None) -> Prepared:
        """The data as a trial sees it: of a fold, its rows train and those held out validate.

        Raises:
            InputError: There is no such fold, or there are no rows to validate on.
        """
        if fold is None:
            if not len(self.prepared.split["validation"]):
                raise InputError(
                    "the split has no validation rows, and a search chooses by them",
                    write="--set split.validation=0.15, or folds",
                )
            return self.prepared
        if not 0 <= fold < len(self._folds):
            legal = f"0 to {len(self._folds) - 1}" if self._folds else "none: the engine was given no folds"
            raise InputError(f"there is no fold {fold}", legal=legal)
        train, held_out = self._folds[fold]
        return dataclasses.replace(self.prepared, split={**self.prepared.split, "train": train, "validation": held_out})

    def of(self, trial: Trial) -> Start:
        """Where the trial begins, its first weights left out.

        Raises:
            InputError: A choice of its recipe does not fit the data, or is missing.
        """
        known = self._found.get(trial.number)
        if known is not None and known[0] is trial:
            return known[1]
        recipe, fold = trial.recipe, trial.fold
        open_widths = recipe.model.widths is None and recipe.model.factory is None
        if open_widths or None in (recipe.optimizer.lr, recipe.budget.epochs, recipe.budget.batch_size):
            raise RecipeError(
                f"the recipe of trial {trial.number} leaves decisions open",
                legal="a recipe with rate, epochs, batch size and widths",
                write="recipe, _ = babysit.training.decide(recipe, prepared)",
            )
        prepared, of_rows, of_shape = self.rows_of(fold), _of_rows(trial), _of_shape(trial)
        if of_shape not in self._shapes:
            self._draw(trial)
        self._shapes.move_to_end(of_shape)
        shape = self._shapes[of_shape]
        start = Start(
            model=shape.model,
            examples=_kept(
                self._examples, of_rows, lambda: _near(examples_of(shape.model, prepared, recipe, self.device))
            ),
            loss=_kept(self._losses, (fold, recipe.loss), lambda: loss_of(prepared, recipe, self.device)),
            outputs=outputs_needed(recipe.loss, prepared.task),
            activations=shape.activations,
            kind=shape.kind,
            no_rule=shape.no_rule,
        )
        self._found[trial.number] = trial, start
        return start

    def first_weights(self, trial: Trial) -> dict[str, Tensor]:
        """The network's first parameters and buffers by name; shared, and not to be changed."""
        key = (_of_shape(trial), trial.recipe.initialisation, trial.recipe.seed)
        if key not in self._weights:
            self._draw(trial)
        self._weights.move_to_end(key)
        return self._weights[key]

    def forget(self, number: int) -> None:
        """A trial that is dropped."""
        self._found.pop(number, None)

    def _draw(self, trial: Trial) -> None:
        recipe, prepared = trial.recipe, self.rows_of(trial.fold)
        steps = _kept(self._steps, _of_rows(trial), lambda: fit_steps(recipe, prepared))
        # Steps on another device would not take the sample any more.
        own = steps if self.device.type == "cpu" else copy.deepcopy(steps)
        sample = _kept(self._samples, _of_rows(trial), lambda: sample_of(own[0], prepared))
        model = model_alone(*own, recipe, prepared, sample, self._make)
        weights = {name: value.to(self.device, copy=True) for name, value in model.network.state_dict().items()}
        self._weights[_of_shape(trial), recipe.initialisation, recipe.seed] = weights
        if len(self._weights) > KEPT:
            self._weights.popitem(last=False)
        if _of_shape(trial) not in self._shapes:
            kind, no_rule = signature(model.network), without_rule(model.network)
            if no_rule:  # such a network may compute anything, so only networks made in the same way are of one kind
                kind = f"{kind}\n{_of_shape(trial)[-1]}"
            activations = self._activations.get(kind)
            if activations is None:
                layers = summarise_layers(model.network, sample, {})
                activations = sum(math.prod(layer.output) for layer in layers if layer.output)
                self._activations[kind] = activations
            self._shapes[_of_shape(trial)] = _Shape(model, activations, kind, no_rule)
            if len(self._shapes) > KEPT:
                self._shapes.popitem(last=False)
            model.to(self.device)


def _near(examples: Examples) -> Examples:
    """With the raw rows on the GPU where they take little of it: a batch is then cut there."""
    rows = examples.inputs
    if examples.device.type != "cuda" or not isinstance(rows, TensorRows):
        return examples
    if rows.tensor.nbytes > ON_GPU * torch.cuda.get_device_properties(examples.device).total_memory:
        return examples
    return dataclasses.replace(examples, inputs=rows.tensor.to(examples.device))


@dataclass(frozen=True)
class _Shape:
    model: TrainedModel
    activations: int
    kind: str
    no_rule: str


def _of_rows(trial: Trial) -> Hashable:
    """What preprocessing and examples depend on."""
    return trial.fold, trial.recipe.preprocessing, trial.recipe.loss.name


def _of_shape(trial: Trial) -> tuple[Hashable, str]:
    """What the model depends on. Dropout draws nothing before the first step: only whether it is there matters."""
    section = trial.recipe.model
    # As text, since the arguments of a user's function are a dictionary.
    return _of_rows(trial), section.model_copy(update={"dropout": 0.5 if section.dropout else 0.0}).model_dump_json()


def _kept(shelf: dict[Hashable, Kept], key: Hashable, make: Callable[[], Kept]) -> Kept:
    if key not in shelf:
        shelf[key] = make()
    return shelf[key]
