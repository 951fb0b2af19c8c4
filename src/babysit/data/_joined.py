"""Training, validation and test rows that came as separate sources, put one behind the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import polars as pl
import torch

from babysit.data._cells import TEXT, as_text, stack
from babysit.data._found import PHASES, Arrays, Found, LargeTable, Table
from babysit.data._named_arrays import phase_of
from babysit.data._wording import nearest, several
from babysit.record import DataError, SplitSection

Reader = Callable[[object], Found]


def with_given_files(found: Found, section: SplitSection, read: Reader) -> Found:
    """The source with the rows of the recipe's validation and test files behind its own.

    Args:
        found: The source that trains.
        section: Names the files.
        read: How a file is read.

    Raises:
        DataError: A file does not fit to the source.
    """
    files = {"validation": section.validation_source, "test": section.test_source}
    for phase, path in files.items():
        if path is None:
            continue
        other = read(path)
        if isinstance(found, LargeTable) or isinstance(other, LargeTable):
            raise DataError(
                f"{found.name} and {path}: rows of other files cannot be added to a table that is read in pieces",
                write="all rows in one Parquet file, and split.time or split.group to split them",
            )
        if phase in found.given:
            raise DataError(f"{found.name} holds {phase} rows already, and {path} was given as their file")
        if isinstance(found, Table) and isinstance(other, Table):
            found = join_tables(found, other, phase)
        elif isinstance(found, Arrays) and isinstance(other, Arrays):
            found = join_arrays(found, other, phase)
        else:
            raise DataError(f"{found.name} and {path} are of different kinds: a table and arrays")
    return found


def join_tables(table: Table, other: Table, phase: str) -> Table:
    """Rows of another table as those of a phase; test after validation after training."""
    frame, notes = _renamed(table, other)
    both = pl.concat([_relaxed(table.frame, frame), _relaxed(frame, table.frame)], how="vertical_relaxed")
    given = dict(table.given) or {"train": table.frame.height}
    inserted = given | {phase: frame.height}
    if phase == "validation" and "test" in given:
        raise DataError(f"{table.name} holds test rows already; validation rows cannot be added to it")
    return dataclasses.replace(table, frame=both, given=inserted, notes=(*table.notes, *other.notes, *notes))


def _relaxed(frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Columns of which one frame holds texts and the other does not, as texts in both."""
    mixed = [name for name in frame.columns if (frame.schema[name] in TEXT) != (other.schema[name] in TEXT)]
    return frame.with_columns(as_text(frame[name]) for name in mixed)


def _renamed(table: Table, other: Table) -> tuple[pl.DataFrame, tuple[str, ...]]:
    names, frame = table.frame.columns, other.frame
    if set(names) == set(frame.columns):
        return frame.select(names), ()
    if frame.width == len(names) and not (table.named and other.named):
        note = f"columns of {other.name} were matched to those of {table.name} by position"
        return frame.rename(dict(zip(frame.columns, names, strict=True))), (note,)
    missing = [name for name in names if name not in frame.columns]
    surplus = [name for name in frame.columns if name not in names]
    said = [
        f"{what}: {several(map(repr, some))}" for what, some in (("missing", missing), ("surplus", surplus)) if some
    ]
    alike = [f"{name!r} for {close!r}" for name in surplus if (close := nearest(name, missing))]
    raise DataError(
        f"the columns of {other.name} are not those of {table.name}; {'; '.join(said)}",
        legal=several(names, most=30),
        cause=f"renamed: {several(alike)}" if alike else None,
    )


def join_arrays(found: Arrays, other: Arrays, phase: str) -> Arrays:
    """Rows of other arrays as those of a phase."""
    if found.tensor.shape[1:] != other.tensor.shape[1:]:
        raise DataError(
            f"a row of {other.name} has shape {tuple(other.inputs.shape[1:])}, a row of {found.name} "
            f"{tuple(found.inputs.shape[1:])}"
        )
    kind = torch.promote_types(found.tensor.dtype, other.tensor.dtype)
    inputs = torch.cat([found.tensor.to(kind), other.tensor.to(kind)])
    targets = stack([found.targets, other.targets.alias(found.targets.name)])
    given = (dict(found.given) or {"train": len(found.inputs)}) | {phase: len(other.inputs)}
    return dataclasses.replace(found, inputs=inputs, targets=targets, given=given, notes=(*found.notes, *other.notes))


def are_phases(source: Mapping[object, object]) -> bool:
    """Whether the keys are train, validation and test, in one of their spellings, and train is among them."""
    phases = [phase_of(key) if isinstance(key, str) else None for key in source]
    return "train" in phases and None not in phases and len(set(phases)) == len(phases)


def join_phases(parts: Mapping[str, Found], name: str) -> Found:
    """Parts by phase, one behind the other.

    Args:
        parts: By the phase's name in any spelling.
        name: Of the whole source.

    Raises:
        DataError: They are of different kinds or columns.
    """
    by_phase = {phase_of(key): part for key, part in parts.items()}
    found = by_phase["train"]
    for phase in PHASES[1:]:
        other = by_phase.get(phase)
        if other is None:
            continue
        if isinstance(found, Table) and isinstance(other, Table):
            found = join_tables(found, other, phase)
        elif isinstance(found, Arrays) and isinstance(other, Arrays):
            found = join_arrays(found, other, phase)
        else:
            raise DataError(
                f"{name}: the {phase} part and the training part are of different kinds, or one is too large to join"
            )
    return dataclasses.replace(found, name=name)
