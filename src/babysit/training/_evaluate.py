"""evaluate: scores of a model on rows that it was not trained on."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from babysit.data import Prepared, Rows, prepare, read_new_rows
from babysit.record import DataError, Evaluation, Run, RunFolderError, Study
from babysit.training._batches import as_rows, in_order
from babysit.training._load import folder_of, load
from babysit.training._model import TrainedModel
from babysit.training._scores import score_classes, score_numbers


@torch.no_grad()
def answers(model: TrainedModel, inputs: Rows, rows: Tensor, device: torch.device) -> Tensor:
    """Scores [n, C] or values [n] of a model for rows int64 [n] of raw inputs, on the CPU; in evaluation mode."""
    was_training = model.training
    model.eval()
    try:
        return torch.cat([model(inputs[part].to(device)).cpu() for part in in_order(rows)])
    finally:
        model.train(was_training)


def evaluate_phase(model: TrainedModel, prepared: Prepared, phase: str, device: torch.device, seed: int) -> Evaluation:
    """Scores on the rows of a phase.

    Args:
        model: On `device`.
        prepared: The data.
        phase: train, validation or test.
        device: Where the model is.
        seed: Of the bootstrap.
    """
    rows = as_rows(prepared.split[phase])
    return score(model, answers(model, prepared.inputs, rows, device), prepared.targets[rows], phase, seed)


def score(model: TrainedModel, given: Tensor, wanted: Tensor, phase: str, seed: int) -> Evaluation:
    """Scores of a model's answers, [n, C] or [n], against targets [n]."""
    if model.task.kind == "classification":
        probabilities = given.double().softmax(dim=1).numpy()
        return score_classes(wanted.numpy(), probabilities, model.task.classes, phase=phase, seed=seed)
    return score_numbers(wanted.numpy().astype(np.float64), given.double().numpy(), phase=phase, seed=seed)


def evaluate(
    run: str | pathlib.Path | Run | Study,
    data: object = None,
    *,
    phase: str = "test",
    source: object = None,
    model: Callable[..., nn.Module] | None = None,
) -> Evaluation:
    """Score a Run.

    Args:
        run: A Run folder, or that of a finished Study: its winners then answer together.
        data: New rows with their targets: a file or an object as `fit` takes it. None scores the Run's own rows of
            `phase`, and keeps the scores in the Run.
        phase: Which of the Run's own rows: train, validation or test.
        source: The data that the Run was fitted on, when it was given as an object rather than a path.
        model: The function that makes the network, where one of the user's did.

    Returns:
        Scores with 95 % intervals: Wilson's for shares of rows, of a bootstrap for other scores. `notes` give the score
        of a constant answer, and say where the training has not ended.

    Raises:
        InputError: The Run or the data cannot be used, the data of the Run has changed, or the phase has no rows.

    Example:
        >>> evaluate("runs/digits-1").score("accuracy")  # doctest: +SKIP
    """
    folder = folder_of(run)
    trained, recipe = load(folder, model), folder.recipe
    if data is not None:
        new = read_new_rows(data, recipe.data, trained.columns, trained.preprocessing.layout, trained.task)
        if new.targets is None:
            raise DataError(
                f"the data has no column '{trained.task.target}' to score against",
                write=f"babysit predict {folder.path} DATA for rows without it",
            )
        name = pathlib.Path(data).name if isinstance(data, str | pathlib.Path) else "given data"
        rows = torch.arange(len(new.inputs)) if new.scored is None else as_rows(new.scored)
        given = answers(trained, new.inputs, rows, torch.device("cpu"))
        return _told(score(trained, given, new.targets, name, recipe.seed), folder, new.notes)
    prepared = prepare(recipe, source)
    if prepared.fingerprint != folder.info.fingerprint:
        raise RunFolderError(
            f"the data of {folder.path} has changed since the training began",
            write=f"babysit evaluate {folder.path} --data FILE to score it on other rows",
        )
    if not len(prepared.split.get(phase, ())):
        legal = [name for name, rows in prepared.split.items() if len(rows)]
        raise DataError(f"the Run has no rows of phase '{phase}'", legal=", ".join(legal))
    evaluation = _told(evaluate_phase(trained, prepared, phase, torch.device("cpu"), recipe.seed), folder)
    if isinstance(folder, Run) and folder.info.status == "finished":
        with folder.writing():
            folder.write_evaluation(evaluation)
    return evaluation


def _told(evaluation: Evaluation, folder: Run | Study, notes: tuple[str, ...] = ()) -> Evaluation:
    if folder.info.status != "finished":
        notes = (*notes, f"the training is {folder.info.status}, not finished: these are its best weights so far")
    return evaluation.model_copy(update={"notes": (*evaluation.notes, *notes)})
