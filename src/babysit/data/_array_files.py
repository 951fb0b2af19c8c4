""".npz and .npy files as sources."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np
import polars as pl

from babysit.data._arrays import AnyArray, from_arrays, target_series
from babysit.data._cells import stack
from babysit.data._decode import decode_images, open_bytes
from babysit.data._found import Arrays, Found, Table
from babysit.data._npy import read_npy, read_npz
from babysit.data._roles import Part, find_roles
from babysit.data._wording import counted
from babysit.record import DataError, DataSection, Decision


def read_npz_file(path: pathlib.Path, data: DataSection) -> Found:
    """A .npz file: its arrays by their names.

    Raises:
        DataError: It cannot be read, or its names do not say what is what.
    """
    return from_named_arrays(read_npz(path), str(path), data)


def read_npy_file(path: pathlib.Path) -> Found:
    """A .npy file: a table of numbers [N, D] whose last column is the target unless another is named.

    Raises:
        DataError: It cannot be read or is no table.
    """
    return from_matrix(read_npy(path), str(path))


def from_matrix(array: AnyArray, name: str) -> Found:
    """A table of numbers or texts without names."""
    if array.ndim != 2 or array.dtype.kind not in "biufUS":
        raise DataError(
            f"{name} holds one array of shape {array.shape} and no targets",
            legal="a table [N, D] with the target among its columns, or inputs and targets in one .npz",
            write="np.savez(path, x=inputs, y=targets)",
        )
    if array.dtype.kind == "S":
        array = np.char.decode(array.astype(np.bytes_), "utf-8", "replace")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    columns = {f"column_{place + 1}": np.ascontiguousarray(array[:, place]) for place in range(array.shape[1])}
    return Table(name, pl.DataFrame(columns), named=False)


def from_named_arrays(arrays: Mapping[str, AnyArray], name: str, data: DataSection) -> Found:
    """Arrays whose names say what they are; several phases are put one behind the other.

    Args:
        arrays: By name.
        name: Of the source.
        data: Names the target, if need be.

    Raises:
        DataError: The names do not say what is what, or lengths do not fit.
    """
    if len(arrays) == 1:
        ((key, only),) = arrays.items()
        return from_matrix(only, f"{name}: array '{key}'")
    parts = find_roles(arrays, name, data.target)
    inputs: list[AnyArray] = []
    targets: list[pl.Series] = []
    given: dict[str, int] = {}
    decisions: list[Decision] = []
    notes: list[str] = []
    for phase, part in parts.items():
        if "inputs" in part.roles:
            own, labels = arrays[part.roles["inputs"]], arrays[part.roles["targets"]]
        else:
            own, labels, said, noted = _decode_part(arrays, part, name, data)
            decisions += said if not inputs else []
            notes += noted
        if inputs and inputs[0].shape[1:] != own.shape[1:]:
            raise DataError(f"{name}: a row of the {phase} inputs has shape {own.shape[1:]}, not {inputs[0].shape[1:]}")
        if len(own) != len(labels):
            raise DataError(
                f"{name}: {counted(len(own), 'row')} in '{part.roles.get('inputs', 'images')}' and "
                f"{counted(len(labels), 'target')} in '{part.roles['targets']}'",
                legal="as many targets as rows",
            )
        inputs.append(own)
        targets.append(target_series(labels, name, part.roles["targets"]))
        given[phase or "train"] = len(own)
    first = next(iter(parts.values()))
    why = f"the names of its arrays say so: {', '.join(first.roles.values())}" + (
        f"; {', '.join(parts)}" if len(parts) > 1 else ""
    )
    decisions.append(Decision(setting="data.target", value=first.roles["targets"], why=why))
    target = targets[0].name
    if len(parts) > 1:
        target = next((word for word in ("label", "target", "y") if word in target.lower()), target)
    found = from_arrays(
        inputs[0] if len(inputs) == 1 else np.concatenate(inputs),
        stack([own.alias(target) for own in targets]),
        name=name,
        target=target,
        given=given if len(parts) > 1 else {},
    )
    return _with(found, decisions, notes)


def _with(found: Arrays | Table, decisions: list[Decision], notes: list[str]) -> Found:
    return dataclasses.replace(found, decisions=(*decisions, *found.decisions), notes=(*notes, *found.notes))


def _decode_part(
    arrays: Mapping[str, AnyArray], part: Part, name: str, data: DataSection
) -> tuple[AnyArray, AnyArray, list[Decision], list[str]]:
    """Images that lie encoded one behind the other, decoded."""
    key, lengths_key = part.roles["encoded"], part.roles["lengths"]
    encoded, lengths = arrays[key], arrays[lengths_key]
    labels = arrays[part.roles["targets"]]
    if encoded.dtype != np.uint8 or lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise DataError(
            f"{name}: '{key}' and '{lengths_key}' are no bytes and lengths", legal="uint8 and whole numbers"
        )
    sizes = lengths.astype(np.int64)
    ends = np.cumsum(sizes)
    if not len(ends) or bool((sizes < 0).any()) or int(ends[-1]) != len(encoded):
        total = int(ends[-1]) if len(ends) else 0
        raise DataError(
            f"{name}: the lengths in '{lengths_key}' add up to {total:,}, and '{key}' has {len(encoded):,} bytes",
            cause="arrays that do not belong together",
        )
    if len(lengths) != len(labels):
        raise DataError(f"{name}: {counted(len(lengths), 'image')} and {counted(len(labels), 'target')}")
    view = np.ascontiguousarray(encoded.astype(np.uint8)).data
    openers = [
        open_bytes(view[end - length : end]) for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
    ]
    names = [f"image {place + 1}" for place in range(len(openers))]
    decoded = decode_images(openers, names, f"{name}: '{key}'", data.image_size)
    kept = np.asarray(decoded.kept, dtype=np.int64)
    return decoded.pixels.numpy(), labels[kept], list(decoded.decisions), list(decoded.notes)
