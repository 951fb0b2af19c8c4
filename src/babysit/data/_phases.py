"""A source that came as one part a phase, put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from babysit.data._found import PHASES, Arrays, Found, Table
from babysit.data._given_files import join_arrays, join_tables
from babysit.data._roles import phase_of
from babysit.record import DataError


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
            raise DataError(f"{name}: the {phase} part is of another kind than the training part, or too large")
    return dataclasses.replace(found, name=name)
