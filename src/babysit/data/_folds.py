"""k folds: every row is held out once. What belongs together stays together, what comes later is held out."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from babysit.data._prepared import Prepared
from babysit.data._rows import Indices
from babysit.data._splits import Keys, method_of
from babysit.data._wording import counted
from babysit.record import DataError, SplitSection

Fold = tuple[Indices, Indices]
FoldKind = Literal["auto", "random", "stratified", "grouped", "time"]


def k_folds(
    targets: npt.ArrayLike | Tensor,
    folds: int,
    seed: int,
    groups: npt.ArrayLike | None = None,
    kind: FoldKind = "auto",
) -> list[Fold]:
    """Row numbers to train on and row numbers held out, `folds` times.

    Args:
        targets: [N] class numbers or texts, or values.
        folds: How many, 2 at least.
        seed: Of the draw.
        groups: [N]; rows of equal group are held out together.
        kind: "stratified" holds out equally many rows of each class, to one row; "random" any rows; "grouped" whole
            groups, the folds as equal as these allow; "time" takes rows as ordered, trains on what came before and
            holds out what came next (folds + 1 blocks, so that the first fold has something to learn from). "auto" is
            grouped when groups are given, stratified for whole numbers and texts, random for others.

    Returns:
        Pairs (train, held out) of sorted row numbers. But for "time", held-out parts are disjoint and cover all rows.

    Raises:
        DataError: Fewer rows or groups than folds.

    Example:
        >>> [held.tolist() for _, held in k_folds([0, 0, 1, 1], folds=2, seed=0)]
        [[1, 2], [0, 3]]
    """
    labels = targets.numpy() if isinstance(targets, Tensor) else np.asarray(targets)
    if kind == "auto":
        kind = "grouped" if groups is not None else "random" if labels.dtype.kind == "f" else "stratified"
    if kind == "grouped" and groups is None:
        raise DataError("folds by group need the groups", write="k_folds(..., groups=...)")
    codes = _codes(labels, groups if kind == "grouped" else None, kind)
    units = len(np.unique(codes)) if kind == "grouped" else len(codes) - (kind == "time")
    if folds < 2 or folds > units:
        what = "group" if kind == "grouped" else "row"
        raise DataError(
            f"{counted(folds, 'fold')} cannot be made of {counted(units, what)}", legal=f"2 to {units} folds"
        )
    random = np.random.default_rng([seed, 2])
    if kind == "time":
        blocks = np.array_split(np.arange(len(labels)), folds + 1)
        return [(np.concatenate(blocks[: fold + 1]), blocks[fold + 1]) for fold in range(folds)]
    of_row = _group_folds(codes, folds, random) if kind == "grouped" else _class_folds(codes, folds, random)
    return [(np.flatnonzero(of_row != fold), np.flatnonzero(of_row == fold)) for fold in range(folds)]


def _codes(labels: npt.NDArray[np.generic], groups: npt.ArrayLike | None, kind: str) -> Indices:
    if kind in ("random", "time"):
        return np.zeros(len(labels), dtype=np.int64)
    keys = labels if groups is None else np.asarray(groups)
    if len(keys) != len(labels):
        raise DataError(
            f"{counted(len(keys), 'group')} for {counted(len(labels), 'row')}", legal="one group for each row"
        )
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def _class_folds(codes: Indices, folds: int, random: np.random.Generator) -> Indices:
    """The fold of each row: shuffled within its class and assigned to the folds in turns, from class to class."""
    shuffled = random.permutation(len(codes))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    turns = random.permutation(folds)
    of_row = np.empty(len(codes), dtype=np.int64)
    of_row[by_class] = turns[np.arange(len(codes)) % folds]
    return of_row


def _group_folds(codes: Indices, folds: int, random: np.random.Generator) -> Indices:
    """The fold of each row: groups from the largest to the smallest, each to the fold with fewest rows."""
    sizes = np.bincount(codes)
    order = random.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(folds, dtype=np.int64)
    of_group = np.empty(len(sizes), dtype=np.int64)
    for group in order:
        fold = int(np.argmin(filled))
        of_group[group] = fold
        filled[fold] += sizes[group]
    return np.asarray(of_group[codes], dtype=np.int64)


def folds_of_prepared(prepared: Prepared, section: SplitSection, folds: int, seed: int) -> list[Fold]:
    """Folds of all rows but the test rows.

    Rows of equal group are held out together. Where rows have an order of time, each fold trains on what came before
    the rows that it holds out, so that the folds differ in size; rows of one time are never on both sides.

    Args:
        prepared: The rows.
        section: How they are split.
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
                f"{counted(folds, 'fold')} cannot be made of rows with {counted(len(times), 'distinct time')}",
                legal="at least 2 folds, and more distinct times than folds: the earliest is for training only",
                cause="many rows have the same time" if folds < len(times) else None,
            )
        return [(rows[block[codes] <= fold], rows[block[codes] == fold + 1]) for fold in range(folds)]
    groups = keys.groups if method == "grouped" else None
    targets = prepared.targets.numpy()[rows]
    return [(rows[train], rows[held]) for train, held in k_folds(targets, folds, seed, groups)]
