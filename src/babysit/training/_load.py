"""load: the model of a Run, or those of a Study's winners as one, from what is on disk."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from babysit.data import Columns, Preprocessing, TargetStandardise, Task
from babysit.nn import MakeNetwork, maker_of
from babysit.record import Recipe, Run, RunFolderError, Study, refuse_irregular
from babysit.training._checkpoint import best_weights
from babysit.training._model import Ensemble, TrainedModel, build_model


def load(run: str | pathlib.Path | Run | Study, model: Callable[..., nn.Module] | None = None) -> TrainedModel:
    """The model of a Run, in evaluation mode on the CPU, with its best weights so far; of a Study, its `Ensemble`.

    Args:
        run: A Run folder, or that of a finished Study: the models of its winners then answer together.
        model: The function that makes the network, where one of the user's did.

    Raises:
        InputError: The network is made by a function that was not given.
        RunFolderError: The folder is not a Run, its files do not fit together, or the Study has no winners yet.

    Example:
        >>> model = load("runs/digits")  # doctest: +SKIP
        >>> model(images).softmax(dim=1)  # doctest: +SKIP
    """
    folder = folder_of(run)
    make = maker_of(model)
    if isinstance(folder, Run):
        return _load(folder, make)
    result = folder.result
    kept = [winner.run for winner in result.winners if winner.run] if result is not None else []
    if not kept:
        raise RunFolderError(
            f"{folder.path} has no models: its search is {folder.info.status}",
            legal="a finished search over data or a recipe, whose winners' models are kept",
            write=f"babysit resume {folder.path}" if folder.info.status != "finished" else None,
        )
    return Ensemble([_load(Run(folder.path / name), make) for name in kept]).eval()


def folder_of(run: str | pathlib.Path | Run | Study) -> Run | Study:
    """The Run or the Study at a path.

    Raises:
        RunFolderError: It is neither.
    """
    if isinstance(run, Run | Study):
        return run
    return Study(run) if (pathlib.Path(run) / "study.json").exists() else Run(run)


def _load(folder: Run, make: MakeNetwork) -> TrainedModel:
    settings = folder.model
    weights = folder.path / "weights.safetensors"
    if weights.exists():
        refuse_irregular(weights, RunFolderError)
    try:
        rebuilt = _rebuild(folder.recipe, settings, make)
        rebuilt.load_state_dict(safetensors.torch.load(weights.read_bytes()))
        if folder.info.status == "begun":  # killed, or under way: the best weights are in the checkpoint
            rebuilt.network.load_state_dict(best_weights(folder.path) or rebuilt.network.state_dict())
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"the model of {folder.path} cannot be rebuilt: {error}",
            cause="a file of the Run was damaged or edited",
        ) from None
    return rebuilt.eval()


def _rebuild(recipe: Recipe, settings: Mapping[str, Any], make: MakeNetwork) -> TrainedModel:
    task = Task.from_dict(settings["task"])
    columns = None if settings["columns"] is None else Columns.from_json(settings["columns"])
    preprocessing = Preprocessing.from_settings(settings["preprocessing"])
    scaling = TargetStandardise() if settings["targets"] == "standardised" else None
    return build_model(recipe, task, preprocessing, columns, scaling, make)
