"""What makes a score too good to be true, looked for before anything is trained.

A column that alone gives the target; rows that stand twice, on both sides of the split; rows of one person on both
sides; an order of time that a random split ignores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from babysit.data._cells import as_days, as_text
from babysit.data._column_kinds import CategoryColumn, DroppedColumn
from babysit.data._column_types import FoundType
from babysit.data._columns import Columns
from babysit.data._rows import Indices
from babysit.data._target import Task
from babysit.data._wording import counted, several, share
from babysit.record import Decision, SplitSection

Floats = npt.NDArray[np.float64]
LEAST_ROWS = 40  # fewer rows show nothing
MOST_ROWS = 50_000  # are looked at, drawn evenly
# A one-column model must leave no more than this of what a constant answer leaves: of iris, the best single column
# leaves .06; of breast cancer .17; of the adult census .85; copies and codes of the target leave nothing.
LEFT = 0.005
LEFT_OF_NUMBERS = 1e-4  # of the variance: a copy in another unit, rounded to four digits, leaves less
SAME_ORDER = 0.9999  # correlation of ranks
MOST_SHARE_OF_LEVELS = 0.5  # of the rows: more levels than this learn each row by heart
BEYOND_CHANCE = 0.05  # share of rows on both sides that is more than columns shuffled one by one would give
GROUP_NAME = re.compile(
    r"(?:^|[_\W])(?:(?:patient|subject|person|user|customer|client|session|participant|speaker|household|player|driver|"
    r"student)s?(?:[_\W]?(?:id|no|nr|num|number|key|code|name))?|(?:device|machine|engine|unit|account|member|family|"
    r"author|group|sample|recording|scene|animal|farm|site)[_\W]?(?:id|no|nr|num|number|key|code))$",
    re.IGNORECASE,
)
ALIKE = 0.5  # share of the target's variance that lies between groups, from which rows of a group are alike
REMEMBERS = 0.5  # correlation of neighbouring targets, from which rows have an order of time


@dataclass(frozen=True)
class TwiceFound:
    """Rows that stand on both sides of a split.

    Attributes:
        shares: Of the rows of each held-out phase, that stand among the training rows, too.
        chance: The same for columns shuffled one by one.
        groups: [N] a number for each distinct row.
    """

    shares: Mapping[str, float]
    chance: float
    groups: Indices

    @property
    def is_leak(self) -> bool:
        """Whether there are more than columns of few values give by chance."""
        return max(self.shares.values(), default=0.0) > self.chance + BEYOND_CHANCE


def leaking_columns(rows: Floats, targets: Floats, columns: Columns, task: Task, seed: int) -> list[tuple[str, str]]:
    """Columns of which one alone gives the target on rows that it was not learned from, and how well.

    Args:
        rows: [N, D] as encoded.
        targets: [N] class numbers or values.
        columns: What the features are.
        task: What is learned.
        seed: Of the halves.
    """
    learned = [column for column in columns.columns if not isinstance(column, DroppedColumn)]
    if len(targets) < LEAST_ROWS or len(learned) < 2:
        return []
    random = np.random.default_rng([seed, 3])
    chosen = random.permutation(len(targets))[:MOST_ROWS]
    half = len(chosen) // 2
    halves = ((chosen[:half], chosen[half:]), (chosen[half:], chosen[:half]))
    places = {name: place for place, name in enumerate(columns.features)}
    found = []
    for column in learned:
        if column.kind == "text":
            continue
        values = rows[:, places[column.name if column.kind == "category" else column.features[0]]]
        is_levels = isinstance(column, CategoryColumn) or column.kind == "boolean"
        if task.kind == "classification":
            wrong = sum(_wrong(values[a], targets[a], values[b], targets[b], is_levels) for a, b in halves)
            constant = len(chosen) - int(np.bincount(targets[chosen].astype(np.int64)).max())
            if constant and (wrong + 1) <= LEFT * constant:
                found.append((column.name, f"{share(len(chosen) - wrong, len(chosen))} of the rows right"))
            elif constant and wrong == 0 and constant >= LEAST_ROWS:
                found.append((column.name, "all rows right"))
        else:
            left = sum(_left(values[a], targets[a], values[b], targets[b], is_levels) for a, b in halves)
            spread = float(((targets[chosen] - targets[chosen].mean()) ** 2).sum())
            if spread > 0 and left <= LEFT_OF_NUMBERS * spread:
                found.append((column.name, f"R2 {1 - left / spread:.5f}"))
            elif not is_levels and _in_one_order(values[chosen], targets[chosen]):
                found.append((column.name, "both stand in the same order"))
    return found


def _wrong(known: Floats, classes: Floats, asked: Floats, wanted: Floats, levels: bool) -> int:
    """Wrong answers of the classes of the nearest known value; of levels, of the commonest class of the level."""
    kinds, counts = np.unique(classes, return_counts=True)
    commonest = kinds[counts.argmax()]
    answers = np.full(len(asked), commonest)
    for missing in (True, False):
        own, here = np.isnan(known) == missing, np.isnan(asked) == missing
        if not own.any() or not here.any():
            continue
        if missing:
            values, places = np.zeros(1), np.zeros(int(own.sum()), dtype=np.int64)
        else:
            values, places = np.unique(known[own], return_inverse=True)
        if levels and len(values) > MOST_SHARE_OF_LEVELS * len(known):
            return len(asked)
        table = np.zeros((len(values), len(kinds)))
        np.add.at(table, (places, np.searchsorted(kinds, classes[own])), 1)
        best = kinds[table.argmax(1)]
        answers[here] = best[np.zeros(int(here.sum()), dtype=np.int64) if missing else _nearest(values, asked[here])]
    return int((answers != wanted).sum())


def _left(known: Floats, numbers: Floats, asked: Floats, wanted: Floats, levels: bool) -> float:
    """Squares that the line through the known values leaves; of levels, that the mean of the level leaves."""
    answers = np.full(len(asked), numbers.mean())
    own, here = ~np.isnan(known), ~np.isnan(asked)
    if (~own).any():
        answers[~here] = numbers[~own].mean()
    if own.any() and here.any():
        values, places = np.unique(known[own], return_inverse=True)
        if levels and len(values) > MOST_SHARE_OF_LEVELS * len(known):
            return float("inf")
        means = np.bincount(places, weights=numbers[own]) / np.bincount(places)
        exact = means[_nearest(values, asked[here])]
        answers[here] = exact if levels else np.interp(asked[here], values, means)
    return float(((answers - wanted) ** 2).sum())


def _in_one_order(values: Floats, targets: Floats) -> bool:
    """Whether the order of a column is that of the target, as of its logarithm."""
    known = ~np.isnan(values)
    if known.sum() < max(LEAST_ROWS, len(values) / 2) or len(np.unique(targets)) < len(targets) / 2:
        return False
    ranks = [pl.Series(one[known]).rank().to_numpy() for one in (values, targets)]
    return bool(ranks[0].std() > 0) and abs(float(np.corrcoef(ranks[0], ranks[1])[0, 1])) >= SAME_ORDER


def _nearest(values: Floats, asked: Floats) -> Indices:
    right = np.clip(np.searchsorted(values, asked), 0, len(values) - 1)
    left = np.clip(right - 1, 0, len(values) - 1)
    nearer = np.abs(values[left] - asked) < np.abs(values[right] - asked)
    return np.where(nearer, left, right).astype(np.int64)


def rows_twice(rows: Floats, targets: Floats, split: Mapping[str, Indices], seed: int) -> TwiceFound:
    """Rows with all their inputs and their target on both sides of a split.

    Args:
        rows: [N, D] as encoded.
        targets: [N].
        split: Row numbers by phase.
        seed: Of the shuffled columns.
    """
    whole = np.column_stack([rows, targets])
    groups = _numbered(whole)
    shares = _shares(groups, split)
    chance = 0.0
    if max(shares.values(), default=0.0) > BEYOND_CHANCE:
        random = np.random.default_rng([seed, 4])
        shuffled = np.column_stack([random.permutation(whole[:, place]) for place in range(whole.shape[1])])
        chance = max(_shares(_numbered(shuffled), split).values())
    return TwiceFound(shares, chance, groups)


def _numbered(rows: Floats) -> Indices:
    frame = pl.DataFrame({str(place): rows[:, place] + 0.0 for place in range(rows.shape[1])})
    return np.unique(frame.hash_rows(seed=0).to_numpy(), return_inverse=True)[1].astype(np.int64)


def _shares(groups: Indices, split: Mapping[str, Indices]) -> dict[str, float]:
    trained = np.unique(groups[split["train"]])
    return {
        phase: float(np.isin(groups[split[phase]], trained).mean())
        for phase in ("validation", "test")
        if len(split.get(phase, ()))
    }


def said_of_columns(found: list[tuple[str, str]], task: Task) -> tuple[Decision, ...]:
    """Decisions, in doubt, on columns that alone give the target."""
    decisions = []
    for name, how in found:
        why = (
            f"a model of this column alone, on rows that it was not made from: {how}. It may be a copy or a code of "
            f"'{task.target}', or known only afterwards; then every score is too good to be true"
        )
        change = f"""--set 'data.types={{"{name}" = "drop"}}'"""
        decisions.append(
            Decision(setting="leak", value=f"'{name}' alone gives '{task.target}'", why=why, change=change)
        )
    return tuple(decisions)


def said_of_groups(frame: pl.DataFrame, targets: Floats, section: SplitSection) -> tuple[Decision, ...]:
    """A split by group proposed, where a column names persons, machines and the like, and their rows are alike."""
    if section.method != "auto" or section.group is not None:
        return ()
    decisions = []
    for name in frame.columns:
        if not GROUP_NAME.search(name) or frame.schema[name].is_nested() or frame.schema[name].is_float():
            continue
        cells = as_text(frame[name])
        distinct = cells.n_unique()
        if not 5 <= distinct <= frame.height / 2 or cells.null_count() > frame.height / 10:
            continue
        codes = cells.fill_null("").rank("dense").to_numpy().astype(np.int64) - 1
        constant = [
            other
            for other in frame.columns
            if other != name and _is_constant_within(frame, name, other) and frame[other].n_unique() > 1
        ]
        between = _between(codes, targets)
        if between < ALIKE and not constant:
            continue
        alike = f"{between:.0%} of the target's variance lies between them"
        if constant:
            alike = f"'{constant[0]}' is the same in all rows of one"
        why = (
            f"{counted(frame.height, 'row')} belong to {distinct:,} of them, and {alike}: with rows of one on both"
            " sides of the split, scores tell how well they are remembered, not how well new ones are answered for"
        )
        value = f"rows of one '{name}' are on both sides"
        decisions.append(Decision(setting="split.group", value=value, why=why, change=f"--set 'split.group={name}'"))
    return tuple(decisions[:1])


def _is_constant_within(frame: pl.DataFrame, group: str, other: str) -> bool:
    if frame.schema[other].is_nested():
        return False
    counts = frame.group_by(pl.col(group)).agg(pl.col(other).n_unique().alias("__values"), pl.len().alias("__rows"))
    several_rows = counts.filter(pl.col("__rows") > 1)
    return several_rows.height >= 5 and bool((several_rows["__values"] == 1).all())


def _between(codes: Indices, targets: Floats) -> float:
    """Share of the targets' variance between groups beyond what as many random groups would have."""
    sizes = np.bincount(codes)
    means = np.bincount(codes, weights=targets) / np.maximum(sizes, 1)
    total = float(((targets - targets.mean()) ** 2).sum())
    if total == 0:
        return 0.0
    between = float((sizes * (means - targets.mean()) ** 2).sum()) / total
    chance = (int((sizes > 0).sum()) - 1) / max(1, len(targets) - 1)
    return max(0.0, (between - chance) / max(1e-9, 1 - chance))


def said_of_time(
    frame: pl.DataFrame, types: Mapping[str, FoundType], targets: Floats, section: SplitSection
) -> tuple[Decision, ...]:
    """A split by time proposed, where rows stand in the order of a date and neighbours have targets alike."""
    if section.method != "auto" or section.time is not None or section.group is not None or len(targets) < LEAST_ROWS:
        return ()
    for name, found in types.items():
        if found.type != "date" or name not in frame.columns:
            continue
        days = as_days(frame[name], found.form)
        if days.null_count() > len(days) / 20 or days.n_unique() < len(days) / 20 or days.n_unique() < 10:
            continue
        known = days.fill_null(strategy="forward").fill_null(strategy="backward").to_numpy()
        order = np.argsort(known, kind="stable")
        later = targets[order]
        a, b = later[:-1] - later[:-1].mean(), later[1:] - later[1:].mean()
        spread = float(np.sqrt((a**2).sum() * (b**2).sum()))
        remembers = float((a * b).sum()) / spread if spread else 0.0
        in_order = bool((np.diff(known) >= 0).all()) or bool((np.diff(known) <= 0).all())
        if not (in_order and days.n_unique() > len(days) / 2) and remembers < REMEMBERS:
            continue
        shown = "the rows stand in its order" if in_order else "rows that follow each other in it are alike"
        why = f"{shown} (targets of neighbours correlate by {remembers:.2f}), and a random split tests on days between"
        why += " days that were learned"
        value = f"rows of all times are on both sides, by '{name}'"
        return (Decision(setting="split.time", value=value, why=why, change=f"--set 'split.time={name}'"),)
    return ()


def said_of_twice(found: TwiceFound, taken: bool) -> tuple[Decision, ...]:
    """A decision on rows that stand on both sides, or would have."""
    shares = [f"{100 * part:.1f} % of the {phase} rows" for phase, part in found.shares.items()]
    distinct, rows = len(np.unique(found.groups)), len(found.groups)
    why = f"{several(shares)} {'would stand' if taken else 'stand'} among the training rows as well, with their targets"
    why += f"; {distinct:,} of {rows:,} rows are distinct"
    if taken:
        value = "equal rows stay together"
        return (Decision(setting="split.method", value=value, why=why, change="--set split.method=random"),)
    return (Decision(setting="leak", value="rows stand on both sides", why=why, change="remove repeated rows"),)
