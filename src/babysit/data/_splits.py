"""How rows are split into training, validation and test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babysit.data._rows import Indices
from babysit.data._target import Task
from babysit.data._wording import counted, several
from babysit.record import DataError, Decision, SplitSection

Shares = Mapping[str, float]
Labels = npt.NDArray[np.generic]
HELD = ("validation", "test")
FEW = 10  # rows of which a split can hardly leave two values to train on
NAMES = {"train": "training", "validation": "validation", "test": "test"}


def split_random(rows: int, shares: Shares, seed: int) -> dict[str, Indices]:
    """Rows split at random.

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
    """Rows split at random within each class, so that each class has the same share in every part.

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


@dataclass(frozen=True)
class Keys:
    """By what rows are split.

    Attributes:
        classes: [N] class numbers, for a classification.
        groups: [N], when rows belong together.
        times: [N], when rows have an order.
    """

    classes: Labels | None = None
    groups: Labels | None = None
    times: Labels | None = None

    def of(self, rows: Indices) -> Keys:
        """The keys of those rows."""
        cut = (None if keys is None else keys[rows] for keys in (self.classes, self.groups, self.times))
        return Keys(*cut)

    def spread(self, rows: Indices, count: int) -> Keys:
        """These keys as those of some rows among more, which the others then have none of."""

        def over(keys: Labels | None) -> Labels | None:
            if keys is None:
                return None
            every = np.zeros(count, dtype=keys.dtype)
            every[rows] = keys
            return every

        return Keys(over(self.classes), over(self.groups), over(self.times))


def deal(
    rows: int, section: SplitSection, seed: int, keys: Keys, given: Mapping[str, int] | None = None
) -> tuple[dict[str, Indices], Decision]:
    """Row numbers of train, validation and test.

    Args:
        rows: How many there are.
        section: How they are to be split.
        seed: Of the draw.
        keys: By what they are split.
        given: Numbers of rows of a source that comes already split, in the order train, validation, test.

    Raises:
        DataError: Too few rows or groups.
    """
    given = {phase: count for phase, count in (given or {}).items() if count}
    if not given:
        return _deal_freely(rows, section, seed, keys, _shares(section))
    starts = dict(zip(given, np.cumsum([0, *given.values()]), strict=False))
    fixed = {phase: np.arange(start, start + given[phase]) for phase, start in starts.items()}
    train = fixed.pop("train", np.empty(0, dtype=np.int64))
    if not len(train):
        raise DataError("the source holds validation or test rows but no training rows")
    shares = {phase: share for phase, share in _shares(section).items() if phase not in fixed}
    said = f"{_listed({phase: len(own) for phase, own in fixed.items()})} were given in files or parts of their own"
    if set(fixed) == {"test"} and shares.get("validation"):
        split, decision = _deal_freely(len(train), section, seed, keys.of(train), {"validation": section.validation})
        split = {phase: train[own] for phase, own in split.items()} | fixed
        why = f"{said}; validation rows are taken from the training rows: {decision.why}"
        return split, Decision(setting="split.method", value="given", why=why)
    if set(fixed) == {"validation"}:
        said += "; no test rows were given, so the validation scores are slightly too good"
    none = np.empty(0, dtype=np.int64)
    split = {"train": train, "validation": none, "test": none} | fixed
    return split, Decision(setting="split.method", value="given", why=said)


def method_of(section: SplitSection, keys: Keys) -> tuple[str, str]:
    """How rows are split (random, stratified, grouped, time), and why."""
    if section.method != "auto":
        return section.method, "the recipe says so"
    if keys.times is not None:
        return "time", f"rows are ordered by '{section.time}'"
    if keys.groups is not None:
        same = f"rows with the same '{section.group}'" if section.group else "equal rows"
        return "grouped", f"{same} stay together"
    if keys.classes is not None:
        return "stratified", "each class has the same share in every part"
    return "random", "the target is a number"


def _shares(section: SplitSection) -> dict[str, float]:
    return {"validation": section.validation, "test": section.test}


def _listed(counts: Mapping[str, int]) -> str:
    parts = [counted(count, f"{NAMES[phase]} row") for phase, count in counts.items() if count]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _deal_freely(
    rows: int, section: SplitSection, seed: int, keys: Keys, shares: dict[str, float]
) -> tuple[dict[str, Indices], Decision]:
    if rows < 2:
        raise DataError(
            "there is one row, and a model needs rows to train on and other rows to test it on",
            legal="at least two rows; a hundred or more to learn anything useful",
        )
    method, why = method_of(section, keys)
    if method == "stratified" and keys.classes is None:
        raise DataError(
            "a stratified split needs classes, and the target is a number",
            legal="random, grouped, time",
            write="--set split.method=random",
        )
    if method == "time" and keys.times is not None:
        split = split_by_time(keys.times, shares)
        why += "; the earliest are for training, the latest for testing"
    elif method == "grouped" and keys.groups is not None:
        groups = len(np.unique(keys.groups))
        if groups < 1 + sum(share > 0 for share in shares.values()):
            named = f"'{section.group}'" if section.group else "the table"
            raise DataError(
                f"{named} has {counted(groups, 'group')}, too few to give each part of the split its own",
                cause="the wrong column",
                write="--set split.group=COLUMN",
            )
        split = split_grouped(keys.groups, shares, seed)
        why += f"; {groups:,} groups"
    elif method == "stratified" and keys.classes is not None:
        split = split_stratified(keys.classes, shares, seed)
    else:
        split = split_random(rows, shares, seed)
    sizes = _listed({phase: len(split[phase]) for phase in ("train", "validation", "test")})
    return split, Decision(setting="split.method", value=method, why=f"{why}: {sizes}")


def refuse_unlearned(task: Task, targets: Labels, split: Mapping[str, Indices]) -> tuple[str, ...]:
    """Notes on classes that some phase lacks.

    Raises:
        DataError: A class is among the validation or test rows but not among the training rows, or the training rows
            have only one class or value.
    """
    train = targets[split["train"]]
    if len(np.unique(train)) < 2:
        raise DataError(
            f"{counted(len(train), 'training row')} have only one value of '{task.target}'",
            cause="too few rows" if len(targets) < FEW else "the split follows the order or the groups of the target",
            write=None if len(targets) < FEW else "--set split.method=random",
        )
    if task.kind == "regression":
        return ()
    notes = []
    learned = set(np.unique(train).tolist())
    for phase in ("validation", "test"):
        present = set(np.unique(targets[split[phase]]).tolist())
        if unknown := sorted(present - learned):
            names = several(f"'{task.classes[code]}'" for code in unknown)
            raise DataError(
                f"{names} of '{task.target}' is in the {phase} rows and not in the training rows",
                cause="files that do not belong together, or a split by group or time that keeps the class out",
            )
        lacking = sorted(learned - present)
        if lacking and len(split[phase]):
            names = several(f"'{task.classes[code]}'" for code in lacking)
            notes.append(f"no {phase} row has {names} of '{task.target}': its scores say nothing about it")
    return tuple(notes)
