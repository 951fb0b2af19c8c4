"""How rows are split into training, validation and test rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from babysit.data._prepared import Indices

Shares = Mapping[str, float]
Labels = npt.NDArray[np.generic]
HELD = ("validation", "test")


def split_random(rows: int, shares: Shares, seed: int) -> dict[str, Indices]:
    """Rows dealt by chance.

    Args:
        rows: How many there are.
        shares: Of "validation" and "test"; the rest trains. A phase with a share gets a row while there are any:
            test first, then validation; training always gets one.
        seed: Of the draw.

    Returns:
        Sorted row numbers of "train", "validation" and "test": disjoint, and all rows together.

    Example:
        >>> {phase: len(dealt) for phase, dealt in split_random(10, {"validation": 0.2, "test": 0.2}, 0).items()}
        {'train': 6, 'validation': 2, 'test': 2}
    """
    return split_stratified(np.zeros(rows, dtype=np.int64), shares, seed)


def split_stratified(classes: Labels, shares: Shares, seed: int) -> dict[str, Indices]:
    """Rows dealt by chance within each class, so that every phase has the classes in the same shares.

    Each class gives each phase its share of rows, to less than one row; within that, the totals are those of the
    whole set (largest remainders). A class of three rows or more is in every phase that has a share, one of two rows
    is trained and tested.

    Args:
        classes: [N] a class a row.
        shares: Of "validation" and "test"; the rest trains.
        seed: Of the draw.

    Returns:
        Sorted row numbers of "train", "validation" and "test".
    """
    random = np.random.default_rng([seed, 0])
    _, codes = np.unique(classes, return_inverse=True)
    sizes = np.bincount(codes)
    wanted = {phase: _apportion(sizes, shares.get(phase, 0.0)) for phase in HELD}
    dealt: dict[str, list[Indices]] = {"train": [], "validation": [], "test": []}
    for code, size in enumerate(sizes):
        counts = _at_least_one(int(size), {phase: int(wanted[phase][code]) for phase in HELD}, shares)
        own = random.permutation(np.flatnonzero(codes == code))
        ends = np.cumsum([counts["test"], counts["validation"]])
        for phase, piece in zip(("test", "validation", "train"), np.split(own, ends), strict=True):
            dealt[phase].append(piece)
    return _sorted(dealt)


def _apportion(sizes: Indices, share: float) -> Indices:
    """Whole rows of each class that come nearest to its share and add up to the share of all."""
    ideal = sizes * share
    counts: Indices = np.floor(ideal).astype(np.int64)
    remaining = round(float(ideal.sum())) - int(counts.sum())
    largest = np.argsort(-(ideal - counts), kind="stable")
    counts[largest[: max(0, remaining)]] += 1
    return counts


def _at_least_one(size: int, wanted: dict[str, int], shares: Shares) -> dict[str, int]:
    counts = dict(wanted)
    for phase in ("test", "validation"):
        if not shares.get(phase, 0.0):
            counts[phase] = 0
        elif not counts[phase] and sum(counts.values()) < size - 1:
            counts[phase] = 1
    while sum(counts.values()) >= size:  # training keeps a row
        counts["validation" if counts["validation"] else "test"] -= 1
    return counts


def split_grouped(groups: Labels, shares: Shares, seed: int) -> dict[str, Indices]:
    """Rows of equal group stay together; phases come as near to their shares as whole groups allow.

    Groups are taken from the largest to the smallest, equals in drawn order, and each goes to the phase that lacks
    most rows. Every phase with a share has a group when there are enough of them.

    Args:
        groups: [N] a group a row.
        shares: Of "validation" and "test"; the rest trains.
        seed: Of the draw.

    Returns:
        Sorted row numbers of "train", "validation" and "test".
    """
    random = np.random.default_rng([seed, 1])
    _, codes = np.unique(groups, return_inverse=True)
    sizes = np.bincount(codes)
    order = random.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    phases = ["train", *(phase for phase in ("test", "validation") if shares.get(phase, 0.0))]
    lacking = {phase: len(codes) * shares.get(phase, 0.0) for phase in HELD}
    lacking["train"] = len(codes) - sum(lacking.values())
    members: dict[str, list[int]] = {phase: [] for phase in ("train", "validation", "test")}
    for place, group in enumerate(order):
        empty = [phase for phase in phases if not members[phase]]
        left = len(order) - place
        phase = empty[0] if empty and left <= len(empty) else max(phases, key=lambda phase: lacking[phase])
        members[phase].append(int(group))
        lacking[phase] -= float(sizes[group])
    return {phase: np.flatnonzero(np.isin(codes, own)).astype(np.int64) for phase, own in members.items()}


def split_by_time(times: Labels, shares: Shares) -> dict[str, Indices]:
    """The earliest rows are for training, later ones for validation, the latest for testing.

    Rows of one time stay together.

    Args:
        times: [N] what orders the rows.
        shares: Of "validation" and "test"; the rest trains.

    Returns:
        Sorted row numbers of "train", "validation" and "test".
    """
    order = np.argsort(times, kind="stable")
    starts = np.flatnonzero(np.r_[True, times[order][1:] != times[order][:-1]])  # where a new time begins
    rows = len(order)
    counts = _at_least_one(rows, {phase: round(rows * shares.get(phase, 0.0)) for phase in HELD}, shares)
    test = _boundary(starts, rows - counts["test"], rows)
    validation = _boundary(starts, rows - counts["test"] - counts["validation"], test)
    pieces = np.split(order, [validation, test])
    return {phase: np.sort(piece) for phase, piece in zip(("train", "validation", "test"), pieces, strict=True)}


def _boundary(starts: Indices, wanted: int, end: int) -> int:
    """The change of time nearest to the wanted row, leaving rows before it; `end` when nothing is wanted after."""
    possible = starts[(starts > 0) & (starts < end)]
    if wanted >= end or not len(possible):
        return end
    return int(possible[np.argmin(np.abs(possible - wanted))])


def _sorted(dealt: Mapping[str, list[Indices]]) -> dict[str, Indices]:
    none = np.empty(0, dtype=np.int64)
    return {phase: np.sort(np.concatenate([none, *pieces])) for phase, pieces in dealt.items()}
