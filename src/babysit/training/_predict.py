"""predict: answers of a Run for new rows, as a table."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence

import polars as pl
import torch
from torch import nn

from babysit.data import read_new_rows
from babysit.record import DataError, Run, Study, silent
from babysit.training._evaluate import answers
from babysit.training._load import folder_of, load
from babysit.training._model import answer_columns


def predict(
    run: str | pathlib.Path | Run | Study,
    data: object,
    *,
    keep: Sequence[str] = (),
    model: Callable[..., nn.Module] | None = None,
    tell: Callable[[str], object] = silent,
) -> pl.DataFrame:
    """Answers of a Run for new rows.

    Args:
        run: A Run folder, or that of a finished Study: its winners then answer together.
        data: A file or an object as `fit` takes it, with or without the target; for images also a folder without
            classes, or one image.
        keep: Columns of the table to put beside the answers.
        model: The function that makes the network, where one of the user's did.
        tell: Receives what there is to know of the rows, such as columns that were ignored, a sentence each.

    Returns:
        A row for each row of the data: `row` (its number, from 0) or `file`; the kept columns; `prediction`; for
        classes also `confidence` and `probability_CLASS` for each class. The probabilities of a network trained with
        the hinge loss order classes well but are not calibrated.

    Raises:
        InputError: The Run cannot be used, or the data has other columns or shapes than the training's.

    Example:
        >>> predict("runs/houses-1", "unsold.csv").head()  # doctest: +SKIP
    """
    folder = folder_of(run)
    trained = load(folder, model)
    new = read_new_rows(
        data, folder.recipe.data, trained.columns, trained.preprocessing.layout, trained.task, scored=False
    )
    for note in new.notes:
        tell(note)
    found: dict[str, pl.Series] = {}
    if new.names:
        found["file"] = pl.Series("file", new.names)
    else:
        found["row"] = pl.Series("row", range(len(new.inputs)), dtype=pl.Int64)
    for name in keep:
        if new.frame is None or name not in new.frame.columns:
            legal = ", ".join(new.frame.columns[:30]) if new.frame is not None else "none: the data is not a table"
            raise DataError(f"there is no column '{name}' to keep", legal=legal)
        found[f"data_{name}" if name in ("row", "prediction", "confidence") else name] = new.frame[name]
    given = answers(trained, new.inputs, torch.arange(len(new.inputs)), torch.device("cpu"))
    return pl.DataFrame({**found, **answer_columns(trained, given)})
