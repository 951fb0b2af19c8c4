"""resume: go on with a training or a search that was interrupted or killed."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import overload

import numpy as np
from torch import nn

from babysit.api._carry_out import Tuned
from babysit.api._fit import Fitted, fit_recipe, train_and_score
from babysit.api._folders import search_folder
from babysit.api._search_first import SEARCH_SECONDS
from babysit.api._search_set_up import options_of
from babysit.api._tune import resume_search
from babysit.data import prepare
from babysit.record import InputError, Progress, Run, RunFolderError, Study, silent
from babysit.training import choose_device, load


@overload
def resume(folder: Run, data: object = None, *, progress: Progress = silent) -> Fitted: ...


@overload
def resume(
    folder: Study,
    data: object = None,
    *,
    model: Callable[..., nn.Module] | None = None,
    ray: str | None = None,
    progress: Progress = silent,
) -> Tuned: ...


@overload
def resume(
    folder: str | pathlib.Path,
    data: object = None,
    *,
    model: Callable[..., nn.Module] | None = None,
    ray: str | None = None,
    progress: Progress = silent,
) -> Fitted | Tuned: ...


def resume(
    folder: str | pathlib.Path | Run | Study,
    data: object = None,
    *,
    model: Callable[..., nn.Module] | None = None,
    ray: str | None = None,
    progress: Progress = silent,
) -> Fitted | Tuned:
    """Go on with a training or a search that was interrupted or killed; it ends as if it had never stopped.

    Args:
        folder: A Run or a Study, or its folder.
        data: The data, when it was given as an object rather than a path.
        model: Of a search: the function that makes the network, where the search was given one.
        ray: Of a search: the address of a Ray cluster that trains, as in `tune`.
        progress: Receives progress events.

    Returns:
        What `fit` or `tune` answers.

    Raises:
        InputError: The folder is neither a Run nor a Study, another process writes to it, or the data has changed.

    Example:
        >>> resume("runs/digits-1")  # doctest: +SKIP
        >>> resume("studies/digits-1")  # doctest: +SKIP
    """
    if isinstance(folder, Study) or (not isinstance(folder, Run) and _is_study(pathlib.Path(folder))):
        study = folder if isinstance(folder, Study) else Study(pathlib.Path(str(folder)))
        return resume_search(study, data, model=model, ray=ray, progress=progress)
    if model is not None or ray is not None:
        raise InputError("a Run takes neither a model nor a Ray cluster to go on", legal="both belong to a Study")
    path = folder.path if isinstance(folder, Run) else pathlib.Path(folder)
    before = search_folder(path)
    if not (path / Run.info_file()).exists() and _is_study(before):
        # The training was stopped while the search before it was under way.
        study = Study(before)
        seconds = options_of(study).seconds or SEARCH_SECONDS
        return fit_recipe(path, study.recipe, data, seconds, progress)
    return _resume_training(folder if isinstance(folder, Run) else Run(path), data, progress)


def _is_study(path: pathlib.Path) -> bool:
    return (path / Study.info_file()).exists()


def _resume_training(run: Run, data: object, progress: Progress) -> Fitted:
    recipe = run.recipe
    prepared = prepare(recipe, data)
    split = run.split
    same_split = split.keys() == prepared.split.keys() and all(
        np.array_equal(split[phase], rows) for phase, rows in prepared.split.items()
    )
    if prepared.fingerprint != run.info.fingerprint or not same_split:
        raise RunFolderError(
            f"the data of {run.path} has changed since the training began",
            cause="the file was edited or replaced",
            write="babysit fit again, into another --out",
        )
    return train_and_score(run, load(run), prepared, choose_device(recipe.device), progress)
