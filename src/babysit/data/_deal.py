"""The split a recipe asks for, said aloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from babysit.data._prepared import Indices, Task
from babysit.data._splits import Labels, split_by_time, split_grouped, split_random, split_stratified
from babysit.data._wording import counted, several
from babysit.record import DataError, Decision, SplitSection

FEW = 10  # rows of which a split can hardly leave two values to train on
NAMES = {"train": "training", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class Keys:
    """What rows are dealt by.

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


def deal(
    rows: int, section: SplitSection, seed: int, keys: Keys, given: Mapping[str, int] | None = None
) -> tuple[dict[str, Indices], Decision]:
    """Row numbers of train, validation and test.

    Args:
        rows: How many there are.
        section: How they are to be dealt.
        seed: Of the draw.
        keys: What they are dealt by.
        given: Rows of phases that the source has already dealt, in the order train, validation, test.

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
        raise DataError("the source holds validation or test rows but none to train on")
    shares = {phase: share for phase, share in _shares(section).items() if phase not in fixed}
    said = f"{_listed({phase: len(own) for phase, own in fixed.items()})} came as given"
    if set(fixed) == {"test"} and shares.get("validation"):
        split, decision = _deal_freely(len(train), section, seed, keys.of(train), {"validation": section.validation})
        split = {phase: train[own] for phase, own in split.items()} | fixed
        why = f"{said}; validation rows are taken from the training rows: {decision.why}"
        return split, Decision(setting="split.method", value="given", why=why)
    if set(fixed) == {"validation"}:
        said += "; none was given for a final test, so the validation scores are a little too good"
    none = np.empty(0, dtype=np.int64)
    split = {"train": train, "validation": none, "test": none} | fixed
    return split, Decision(setting="split.method", value="given", why=said)


def method_of(section: SplitSection, keys: Keys) -> tuple[str, str]:
    """How rows are dealt (random, stratified, grouped, time), and why so."""
    if section.method != "auto":
        return section.method, "the recipe says so"
    if keys.times is not None:
        return "time", f"rows are ordered by '{section.time}'"
    if keys.groups is not None:
        return "grouped", f"rows of equal '{section.group}' stay together"
    if keys.classes is not None:
        return "stratified", "every phase keeps the shares of the classes"
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
            "a stratified split deals classes, and the target is a number",
            legal="random, grouped, time",
            write="--set split.method=random",
        )
    if method == "time" and keys.times is not None:
        split = split_by_time(keys.times, shares)
        why += "; the earliest are for training, the latest for testing"
    elif method == "grouped" and keys.groups is not None:
        groups = len(np.unique(keys.groups))
        if groups < 1 + sum(share > 0 for share in shares.values()):
            raise DataError(
                f"'{section.group}' has {counted(groups, 'group')}, too few to give each phase its own",
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
            f"{counted(len(train), 'training row')} with one value of '{task.target}' only",
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
                f"{names} of '{task.target}' is among the {phase} rows and never among the training rows",
                cause="files that do not belong together, or a split by group or time that cuts the class off",
            )
        lacking = sorted(learned - present)
        if lacking and len(split[phase]):
            names = several(f"'{task.classes[code]}'" for code in lacking)
            notes.append(f"no {phase} row has {names} of '{task.target}': the scores there say nothing about it")
    return tuple(notes)
