"""Many points at once as coordinates: what a model of the scores sees, and what a box is made of."""

from __future__ import annotations

import numpy as np

from babysit.search._parameter import Choice, Range
from babysit.search._points import Units
from babysit.search._space import Space


def snapped(space: Space, units: Units) -> Units:
    """Unit coordinates [N, P] within their limits, whole numbers and options at the middle of their parts."""
    result = np.empty_like(units)
    for column, parameter in enumerate(space):
        low, high = parameter.unit_limits
        inside = np.clip(units[:, column], low, high)
        if isinstance(parameter, Choice):
            count = len(parameter.options)
            result[:, column] = (np.clip(np.floor(inside * count), 0, count - 1) + 0.5) / count
        elif parameter.whole:
            result[:, column] = _whole(parameter, inside)
        else:
            result[:, column] = inside
    return result


def _whole(parameter: Range, units: Units) -> Units:
    """`unit(value(unit))` of a range of whole numbers, for many at once."""
    low, high = parameter.scaled_ends
    scaled = low + units * (high - low)
    bottom = parameter.low if parameter.lowest is None else parameter.lowest
    top = parameter.high if parameter.highest is None else parameter.highest
    values = np.clip(np.rint(np.exp(scaled) if parameter.scale == "log" else scaled), bottom, top)
    again: Units = ((np.log(values) if parameter.scale == "log" else values) - low) / (high - low)
    return again


def places(space: Space, units: Units) -> Units:
    """Coordinates in which distances mean something, as `Space.place` gives them for one point. [N, P] to [N, Q]."""
    units = snapped(space, units)
    counted = counts(space, units)
    columns: list[Units] = []
    for column, parameter in enumerate(space):
        here = units[:, column : column + 1]
        if isinstance(parameter, Range):
            columns.append(np.where(counted[:, column : column + 1], here, 0.5))
            continue
        chosen = np.floor(here * len(parameter.options)).astype(int)
        one_hot = 0.5 * (chosen == np.arange(len(parameter.options)))
        columns.append(np.where(counted[:, column : column + 1], one_hot, 0.0))
    return np.concatenate(columns, axis=1)


def counts(space: Space, units: Units) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which parameters count at which point. [N, P]."""
    counted = np.ones(units.shape, dtype=bool)
    place = {parameter.path: column for column, parameter in enumerate(space)}
    for parameter in space.in_order:
        when = parameter.when
        if when is None:
            continue
        other = space.by_path[when.path]
        assert isinstance(other, Choice)
        column = place[when.path]
        chosen = np.clip(np.floor(units[:, column] * len(other.options)), 0, len(other.options) - 1)
        wanted = [other.options.index(value) for value in when.values]
        counted[:, place[parameter.path]] = np.isin(chosen, wanted) & counted[:, column]
    return counted
