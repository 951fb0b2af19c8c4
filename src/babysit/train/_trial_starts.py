"""Where trials begin: rows, preprocessing, loss and first weights, made once for all trials that share them.

A search makes hundreds of trials that differ in a rate or a penalty. What `assemble` does for one of them (a pass over
the training rows, drawing and measuring the weights) is the same for most, and is kept here by what it depends on.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from babysit.data import Prepared, Preprocessing, TargetStandardise
from babysit.record import InputError, RecipeError, Trial
from babysit.train._assemble import assemble_around, examples_of, fit_steps, loss_of
from babysit.train._batches import Examples
from babysit.train._model import TrainedModel

KEPT_WEIGHTS = 32  # first weights of so many kinds are kept; trials that search the first weights come one by one

Kept = TypeVar("Kept")
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]  # rows to train on, rows held out


@dataclass(frozen=True)
class Start:
    """A trial before its first step.

    Attributes:
        model: Around a network of the right shape; its weights are nobody's, and it is not to be trained in place.
        weights: The network's first parameters and buffers by name, not to be changed.
        examples: The rows.
        loss: On the device.
    """

    model: TrainedModel
    weights: dict[str, Tensor]
    examples: Examples
    loss: nn.Module

    def fresh_network(self, dropout: float) -> nn.Module:
        """A copy of the network that may be trained; its weights are nobody's."""
        network = copy.deepcopy(self.model.network)
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
        return network


class Starts:
    """The beginnings of trials on one set of rows.

    Args:
        prepared: The data.
        folds: Pairs (train, held out) of row numbers, for trials that name a fold.
        device: Where networks and rows are.
    """

    def __init__(self, prepared: Prepared, folds: Sequence[Fold] = (), device: torch.device | None = None) -> None:
        self.prepared = prepared
        self.device = device or torch.device("cpu")
        self._folds = tuple(folds)
        self._steps: dict[Hashable, tuple[Preprocessing, TargetStandardise | None]] = {}
        self._models: dict[Hashable, TrainedModel] = {}
        self._weights: OrderedDict[Hashable, dict[str, Tensor]] = OrderedDict()
        self._examples: dict[Hashable, Examples] = {}
        self._losses: dict[Hashable, nn.Module] = {}

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
        """Where the trial begins.

        Raises:
            InputError: A choice of its recipe does not fit the data, or is missing.
        """
        recipe, fold = trial.recipe, trial.fold
        if None in (recipe.optimizer.lr, recipe.budget.epochs, recipe.budget.batch_size, recipe.model.widths):
            raise RecipeError(
                f"the recipe of trial {trial.number} leaves decisions open",
                legal="a recipe with rate, epochs, batch size and widths",
                write="recipe, _ = babysit.train.decide(recipe, prepared)",
            )
        prepared = self.rows_of(fold)
        of_rows = (fold, recipe.preprocessing, recipe.loss.name)
        section = recipe.model
        # Dropout draws nothing before the first step: only whether it is there shapes the network.
        shape = (of_rows, section.model_copy(update={"dropout": 0.5 if section.dropout else 0.0}))
        drawn = (shape, recipe.initialisation, recipe.seed)
        steps = _kept(self._steps, of_rows, lambda: fit_steps(recipe, prepared))
        if drawn not in self._weights or shape not in self._models:
            # Steps on another device would not take the sample any more.
            own = steps if self.device.type == "cpu" else copy.deepcopy(steps)
            model, _ = assemble_around(*own, recipe, prepared)
            model.to(self.device)
            self._weights[drawn] = {name: value.clone() for name, value in model.network.state_dict().items()}
            self._models.setdefault(shape, model)
            if len(self._weights) > KEPT_WEIGHTS:
                self._weights.popitem(last=False)
        self._weights.move_to_end(drawn)
        model = self._models[shape]
        return Start(
            model=model,
            weights=self._weights[drawn],
            examples=_kept(self._examples, of_rows, lambda: examples_of(model, prepared, recipe, self.device)),
            loss=_kept(self._losses, (fold, recipe.loss), lambda: loss_of(prepared, recipe, self.device)),
        )


def _kept(shelf: dict[Hashable, Kept], key: Hashable, make: Callable[[], Kept]) -> Kept:
    if key not in shelf:
        shelf[key] = make()
    return shelf[key]
