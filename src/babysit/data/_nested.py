"""Columns whose cells hold several values: lists of one length become columns, records become theirs."""

from __future__ import annotations

import polars as pl

MOST_WIDE = 10_000  # numbers of one list
INDEX = r"^__index_level_\d+__$"


def flat_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with records as columns, and lists of numbers of one length, embeddings for example, as columns.

    Example:
        >>> flat_frame(pl.DataFrame({"e": [[1.0, 2.0], [3.0, 4.0]], "y": [0, 1]})).columns
        ['e_1', 'e_2', 'y']
    """
    for _ in range(3):  # records of records of records; what is deeper stays as it is
        records = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Struct)]
        if not records:
            break
        for name in records:
            inner = [f"{name}.{field.name}" for field in frame.schema[name].fields]  # type: ignore[attr-defined]
            if not inner or set(inner) & set(frame.columns):
                continue
            frame = frame.with_columns(pl.col(name).struct.rename_fields(inner)).unnest(name)
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Array) and len(kind.shape) == 1:
            frame = frame.with_columns(pl.col(name).arr.to_list())
            kind = frame.schema[name]
        if (
            isinstance(kind, pl.List)
            and kind.inner is not None
            and (kind.inner.is_numeric() or kind.inner == pl.Boolean)
        ):
            frame = _spread(frame, name)
    return frame


def _spread(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    lengths = frame[name].list.len().drop_nulls().unique()
    if len(lengths) != 1 or not 1 <= lengths[0] <= MOST_WIDE:
        return frame
    new = [f"{name}_{place + 1}" for place in range(lengths[0])]
    if set(new) & set(frame.columns):
        return frame
    own = frame.select(pl.col(name).list.get(place, null_on_oob=True).alias(one) for place, one in enumerate(new))
    place = frame.columns.index(name)
    before, after = frame.columns[:place], frame.columns[place + 1 :]
    return pl.concat([frame.select(before), own, frame.select(after)], how="horizontal")
