"""Folds of rows as their split deals them: what belongs together stays together, what comes later is held out."""

from __future__ import annotations

import numpy as np

from babysit.data._deal import Keys, method_of
from babysit.data._folds import Fold, k_folds
from babysit.data._prepared import Prepared
from babysit.data._wording import counted
from babysit.record import DataError, SplitSection


def folds_of_prepared(prepared: Prepared, section: SplitSection, folds: int, seed: int) -> list[Fold]:
    """Folds of all rows but the test rows.

    Rows of equal group are held out together. Where rows have an order of time, each fold trains on what came before
    the rows that it holds out, so that the folds differ in size; rows of one time are never on both sides.

    Args:
        prepared: The rows.
        section: How they are dealt.
        folds: How many, 2 at least.
        seed: Of the draw.

    Returns:
        Pairs (train, held out) of sorted row numbers.

    Raises:
        DataError: Fewer rows, groups or times than folds.

    Example:
        >>> from babysit.data import prepare
        >>> from babysit.record import Recipe
        >>> recipe = Recipe()
        >>> [len(held) for _, held in folds_of_prepared(prepare(recipe, "iris"), recipe.split, 4, seed=0)]
        [32, 32, 32, 32]
    """
    rows = np.sort(np.concatenate([prepared.split["train"], prepared.split["validation"]]))
    keys = (prepared.keys or Keys()).of(rows)
    method, _ = method_of(section, keys)
    if method == "time" and keys.times is not None:
        times, codes = np.unique(keys.times, return_inverse=True)
        # Blocks of times, not of rows; equally many rows in each, as far as whole times allow.
        of_time = np.cumsum(np.bincount(codes, minlength=len(times)))
        block = np.minimum((of_time - 1) * (folds + 1) // len(rows), folds)
        _, block = np.unique(block, return_inverse=True)
        if not 2 <= folds <= block[-1]:
            raise DataError(
                f"{counted(folds, 'fold')} of rows at {counted(len(times), 'time')}",
                legal="2 folds and more, each of which holds out a time of its own, and one before them to learn from",
                cause="many rows have the same time" if folds < len(times) else None,
            )
        return [(rows[block[codes] <= fold], rows[block[codes] == fold + 1]) for fold in range(folds)]
    groups = keys.groups if method == "grouped" else None
    targets = prepared.targets.numpy()[rows]
    return [(rows[train], rows[held]) for train, held in k_folds(targets, folds, seed, groups)]
