"""What arrays are for, by their names: x_train, labels, test_jpeg."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from babysit.data._arrays import AnyArray
from babysit.data._found import PHASES
from babysit.data._wording import nearest
from babysit.record import DataError

Role = Literal["inputs", "targets", "encoded", "lengths"]
INPUTS = ("x", "data", "images", "inputs", "features", "image")
TARGETS = ("y", "target", "targets", "label", "labels", "class", "classes")
ENCODED = ("jpeg", "jpg", "png")
LENGTHS = ("len", "lens", "length", "lengths")
PHASE_WORDS = {
    "train": "train", "training": "train", "validation": "validation", "val": "validation", "valid": "validation",
    "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip


@dataclass
class Part:
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


def find_roles(arrays: Mapping[str, AnyArray], name: str, target: str | None) -> dict[str, Part]:
    """Which arrays are inputs and targets of which phase; phase "" when no name says one.

    Args:
        arrays: By name.
        name: Of the source, for errors.
        target: The array that the user names as target.

    Raises:
        DataError: Inputs or targets cannot be told.
    """
    if target is not None and target not in arrays:
        alike = nearest(target, arrays)
        raise DataError(f"{name} has no array '{target}'", legal=_shapes(arrays), write=f"--target {alike or 'NAME'}")
    parts: dict[str, Part] = {}
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
        part = parts.setdefault(phases[0] if phases else "", Part())
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
        f"{name} does not say which array is what: {_shapes(arrays)}",
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


def _guess(arrays: Mapping[str, AnyArray], target: str | None) -> Part | None:
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
    return Part({"inputs": inputs, "targets": target})


def _shapes(arrays: Mapping[str, AnyArray]) -> str:
    shown = [f"{key} {array.shape}" for key, array in list(arrays.items())[:12]]
    return ", ".join(shown) + (f" and {len(arrays) - 12} more" if len(arrays) > 12 else "")
