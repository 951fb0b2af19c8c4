"""Arrays by name, from .npz and .npy files or dictionaries: which are inputs, which targets, of which phase."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from babysit.data._arrays import AnyArray, from_arrays, said_of_one_hot, target_series
from babysit.data._cells import stack
from babysit.data._decode import decode_images, open_bytes
from babysit.data._found import PHASES, Arrays, Found, Table
from babysit.data._npy import read_npy, read_npz
from babysit.data._wording import counted, nearest
from babysit.record import DataError, DataSection, Decision

Role = Literal["inputs", "targets", "encoded", "lengths"]
INPUTS = ("x", "data", "images", "inputs", "features", "image")
TARGETS = ("y", "target", "targets", "label", "labels", "class", "classes")
ENCODED = ("jpeg", "jpg", "png")
LENGTHS = ("len", "lens", "length", "lengths")
PHASE_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass
class PhaseArrays:
    """The arrays of one phase, by role; the values are names."""

    roles: dict[Role, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether there is something to learn from and something to learn."""
        return "targets" in self.roles and ("inputs" in self.roles or {"encoded", "lengths"} <= set(self.roles))


def phase_of(word: str) -> str | None:
    """The phase a word means.

    Example:
        >>> phase_of("Val"), phase_of("x")
        ('validation', None)
    """
    return PHASE_WORDS.get(word.lower())


def phase_in(name: str) -> str | None:
    """The one phase that a word of a name means.

    Example:
        >>> phase_in("training_set"), phase_in("seg_train"), phase_in("train_test"), phase_in("cats")
        ('train', 'train', None, None)
    """
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    phases = {PHASE_WORDS[word] for word in words if word in PHASE_WORDS}
    return phases.pop() if len(phases) == 1 else None


def find_roles(arrays: Mapping[str, AnyArray], name: str, target: str | None) -> dict[str, PhaseArrays]:
    """Which arrays are inputs and targets of which phase; phase "" when no name says one.

    Args:
        arrays: By name.
        name: Of the source, for errors.
        target: The array that the user names as target.

    Raises:
        DataError: It is not clear which arrays are the inputs and which the targets.
    """
    if target is not None and target not in arrays:
        alike = nearest(target, arrays)
        raise DataError(f"{name} has no array '{target}'", legal=_shapes(arrays), write=f"--target {alike or 'NAME'}")
    parts: dict[str, PhaseArrays] = {}
    unknown = []
    for key in arrays:
        words = [word for word in re.split(r"[^a-z0-9]+", key.lower()) if word]
        phases = [PHASE_WORDS[word] for word in words if word in PHASE_WORDS]
        role = _role(words, arrays[key]) if target is None or key != target else "targets"
        if role == "targets" and target is not None and key != target and not phases:
            role = None
        if role is None or len(phases) > 1:
            unknown.append(key)
            continue
        part = parts.setdefault(phases[0] if phases else "", PhaseArrays())
        part.roles.setdefault(role, key)
    complete = {phase: part for phase, part in parts.items() if part.complete}
    if "train" in complete:
        return {phase: complete[phase] for phase in PHASES if phase in complete}
    if "" in complete:
        return {"": complete[""]}
    guessed = _guess(arrays, target)
    if guessed is not None:
        return {"": guessed}
    raise DataError(
        f"{name} does not say which array is the inputs and which the targets: {_shapes(arrays)}",
        legal="x and y; x_train, y_train, x_test, y_test; or train_jpeg, train_len, train_label",
        write="np.savez(path, x=inputs, y=targets)",
    )


def _role(words: list[str], array: AnyArray) -> Role | None:
    for word in reversed(words):
        if word in TARGETS:
            return "targets"
        if word in LENGTHS:
            return "lengths"
        if word in ENCODED and array.ndim == 1:
            return "encoded"
        if word in INPUTS:
            return "inputs"
    return None


def _guess(arrays: Mapping[str, AnyArray], target: str | None) -> PhaseArrays | None:
    """Of two arrays of equal length, the one with one value a row is the target."""
    if len(arrays) != 2:
        return None
    names = list(arrays)
    if arrays[names[0]].shape[:1] != arrays[names[1]].shape[:1]:
        return None
    if target is None:
        flat = [name for name in names if arrays[name].size == len(arrays[name])]
        if len(flat) != 1:
            return None
        target = flat[0]
    inputs = names[1 - names.index(target)]
    return PhaseArrays({"inputs": inputs, "targets": target})


def _shapes(arrays: Mapping[str, AnyArray]) -> str:
    shown = [f"{key} {array.shape}" for key, array in list(arrays.items())[:12]]
    return ", ".join(shown) + (f" and {len(arrays) - 12} more" if len(arrays) > 12 else "")


def read_npz_file(path: pathlib.Path, data: DataSection) -> Found:
    """A .npz file: its arrays by their names.

    Raises:
        DataError: It cannot be read, or its names do not say what is what.
    """
    return from_named_arrays(read_npz(path), str(path), data)


def read_npy_file(path: pathlib.Path) -> Found:
    """A .npy file: a table of numbers [N, D] whose last column is the target unless another is named.

    Raises:
        DataError: It cannot be read or is not a table.
    """
    return from_matrix(read_npy(path), str(path))


def from_matrix(array: AnyArray, name: str) -> Found:
    """A table of numbers or texts without names."""
    if array.ndim != 2 or array.dtype.kind not in "biufUS":
        raise DataError(
            f"{name} holds one array of shape {array.shape} and no targets",
            legal="a table [N, D] with the target as one of its columns, or inputs and targets in one .npz file",
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
                legal="one target for each row",
            )
        inputs.append(own)
        decisions += said_of_one_hot(labels, part.roles["targets"]) if len(inputs) == 1 else ()
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
    arrays: Mapping[str, AnyArray], part: PhaseArrays, name: str, data: DataSection
) -> tuple[AnyArray, AnyArray, list[Decision], list[str]]:
    """Encoded images that are stored one after the other, decoded."""
    key, lengths_key = part.roles["encoded"], part.roles["lengths"]
    encoded, lengths = arrays[key], arrays[lengths_key]
    labels = arrays[part.roles["targets"]]
    if encoded.dtype != np.uint8 or lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise DataError(
            f"{name}: '{key}' and '{lengths_key}' are not bytes and their lengths", legal="uint8 and whole numbers"
        )
    sizes = lengths.astype(np.int64)
    ends = np.cumsum(sizes)
    if not len(ends) or bool((sizes < 0).any()) or int(ends[-1]) != len(encoded):
        total = int(ends[-1]) if len(ends) else 0
        raise DataError(
            f"{name}: the lengths in '{lengths_key}' add up to {total:,}, and '{key}' has {len(encoded):,} bytes",
            cause="the arrays do not belong together",
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
