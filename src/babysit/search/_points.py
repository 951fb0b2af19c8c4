"""Points of a space as unit coordinates: random, quasi-random (Sobol), and a grid for comparison.

Many points at once are also encoded here: as a model of the scores sees them, and as a box is made of them.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from babysit.record import InputError
from babysit.search._parameter import Choice, Range
from babysit.search._space import Space

Units = npt.NDArray[np.float64]  # [points, parameters]
PointKind = Literal["sobol", "random", "grid"]
POINT_KINDS: tuple[PointKind, ...] = ("sobol", "random", "grid")
LARGEST_GRID = 1_000_000
_RANDOM, _SOBOL = 1, 2  # streams of one seed


def random_points(space: Space, count: int, seed: int) -> Units:
    """Independent uniform points: the first n of more points are the n points.

    Example:
        >>> space = Space({"lr": "1e-6:1e-1:log"})
        >>> bool((random_points(space, 3, 0) == random_points(space, 9, 0)[:3]).all())
        True
    """
    return np.random.default_rng([seed, _RANDOM]).random((count, len(space)))


def sobol_points(space: Space, count: int, seed: int) -> Units:
    """Scrambled Sobol points (Owen 1998): spread more evenly than random ones, in every direction at once.

    The first n of more points are the n points.
    """
    if len(space) > torch.quasirandom.SobolEngine.MAXDIM:
        return random_points(space, count, seed)
    # The engine draws its scrambling from torch's own stream, which must stay where it is.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(np.random.default_rng([seed, _SOBOL]).integers(2**62))
        scramble = int(torch.randint(2**31, ()).item())
        engine = torch.quasirandom.SobolEngine(len(space), scramble=True, seed=scramble)
        points: Units = engine.draw(count, dtype=torch.float64).numpy()
    return points


def grid_points(space: Space, count: int) -> Units:
    """A full grid of about so many points: as many levels for each range as fit, every option of a choice.

    A level stands in the middle of its part, as a grid that samples a box evenly has it.

    Raises:
        InputError: The options alone make more than a million points.

    Example:
        >>> len(grid_points(Space({"lr": "1e-6:1e-1:log", "l2": "1e-5:1:log"}), 30))
        30
    """
    options = [len(parameter.options) for parameter in space if isinstance(parameter, Choice)]
    combinations = int(np.prod(options, dtype=np.float64)) if options else 1
    if combinations > LARGEST_GRID:
        raise InputError(
            f"a grid over these choices has {combinations:,} points",
            legal=f"at most {LARGEST_GRID:,}",
            write="--points sobol",
        )
    ranges = [parameter for parameter in space if isinstance(parameter, Range)]
    levels = {parameter.path: 1 for parameter in ranges}
    # One more level at a time, first parameters first, while the grid stays within the count.
    while ranges:
        grown = False
        for parameter in ranges:
            most = int(parameter.high - parameter.low + 1) if parameter.whole else count
            more = levels | {parameter.path: levels[parameter.path] + 1}
            if more[parameter.path] <= most and combinations * np.prod(list(more.values())) <= count:
                levels, grown = more, True
        if not grown:
            break
    parts = [len(parameter.options) if isinstance(parameter, Choice) else levels[parameter.path] for parameter in space]
    axes = [[(level + 0.5) / part for level in range(part)] for part in parts]
    return np.array(list(itertools.product(*axes)), dtype=np.float64).reshape(-1, len(space))


def points_of(kind: PointKind, space: Space, count: int, seed: int) -> Units:
    """Points of that kind."""
    if kind == "grid":
        return grid_points(space, count)
    return sobol_points(space, count, seed) if kind == "sobol" else random_points(space, count, seed)


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
