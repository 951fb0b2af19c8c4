"""Space: what a search may choose, and how a point of it becomes a recipe.

Names are recipe paths and may be shortened as `--set` does. Two names are not settings of a recipe, but stand for the
shape of the network: `depth` (hidden layers, stages of convolutions) and `width` (units of each, channels of the first
stage), which together make `model.widths`.
"""

from __future__ import annotations

import functools
import math
import pathlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from babysit.record import InputError, Recipe, StudyParameter, read_text, setting_path, setting_paths, with_settings
from babysit.search._parameter import WIDEN, Choice, Parameter, Range, Value, text_of
from babysit.search._space_text import EXAMPLE, parameter_from_plain, parameter_from_text

Point = Mapping[str, Value]  # values by path; what does not count is left out
SHAPE = {"depth": "model.depth", "width": "model.width"}
LONGEST_SHAPE = {"model.depth": 64, "model.width": 65536}
USUAL_WIDTHS = (128, 128)  # of a network of which only depth or only width is searched
USUAL_CHANNELS = (32, 64)
DOUBLING = ("convolutional", "residual")  # whose stages have twice the channels of the one before
MOST_CHANNELS = 512  # to which they double (Simonyan and Zisserman 2015)
# Settings that say what is learned and judged, not how: two trials that differ in them cannot be compared.
NOT_SEARCHED = ("schema", "data.", "split.", "watch.", "device", "budget.seconds", "loss.name", "model.factory")
ARGUMENTS = "model.arguments."


class Space(Sequence[Parameter]):
    """What a search may choose.

    Args:
        parameters: By name: a `log_uniform`, `uniform`, `integer` or `choice`; a list of options; a text as it stands
            after `--space NAME=`; or Parameters with their paths.
        free_names: Names are a script's arguments, not a recipe's settings.
        arguments: Names that are arguments of a function that makes the network.

    Raises:
        InputError: A name is not a setting, a range is not legal, or a condition names a value that is not searched.

    Example:
        >>> space = Space({"lr": "1e-6:1e-1:log", "activation": ["relu", "tanh"]})
        >>> [parameter.path for parameter in space]
        ['optimizer.lr', 'model.activation']
        >>> space.point([0.5, 0.9])["model.activation"]
        'tanh'
    """

    def __init__(
        self,
        parameters: Mapping[str, Any] | Iterable[Parameter] | Iterable[str],
        *,
        free_names: bool = False,
        arguments: Iterable[str] = (),
    ) -> None:
        listed: list[Parameter] = []
        if isinstance(parameters, Mapping):
            for name, given in parameters.items():
                listed.append(
                    replace(given, path=str(name))
                    if isinstance(given, Range | Choice)
                    else parameter_from_plain(str(name), given)
                )
        else:
            listed += [parameter_from_text(given) if isinstance(given, str) else given for given in parameters]
        full = _same if free_names else functools.partial(_full, arguments=frozenset(arguments))
        self._parameters = tuple(_with_full_names(parameter, full) for parameter in listed)
        self.free_names = free_names
        self._check()

    @classmethod
    def parse(cls, texts: Iterable[str], *, free_names: bool = False, arguments: Iterable[str] = ()) -> Self:
        """A Space from `--space`: text forms, or names of TOML files with them.

        Raises:
            InputError: As the constructor, or a file cannot be read.

        Example:
            >>> len(Space.parse(["lr=1e-6:1e-1:log", "dropout=0:0.5"]))
            2
        """
        parameters: list[Parameter] = []
        for text in texts:
            if text.endswith(".toml") and "=" not in text:
                parameters += parameters_of_file(pathlib.Path(text))
            else:
                parameters.append(parameter_from_text(text))
        return cls(parameters, free_names=free_names, arguments=arguments)

    def __len__(self) -> int:
        return len(self._parameters)

    def __getitem__(self, place: Any) -> Any:
        return self._parameters[place]

    def __repr__(self) -> str:
        return f"Space({', '.join(repr(parameter.text()) for parameter in self)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and other._parameters == self._parameters

    def __hash__(self) -> int:
        return hash(self._parameters)

    @functools.cached_property
    def by_path(self) -> dict[str, Parameter]:
        """Parameters by path."""
        return {parameter.path: parameter for parameter in self}

    def counts(self, parameter: Parameter, chosen: Mapping[str, Value]) -> bool:
        """Whether a parameter counts beside what was chosen; what it depends on must count, too."""
        if parameter.when is None:
            return True
        return parameter.when.path in chosen and chosen[parameter.when.path] in parameter.when.values

    def point(self, units: Sequence[float]) -> dict[str, Value]:
        """The values at unit coordinates, one for each parameter; what does not count is left out."""
        values = {parameter.path: parameter.value(unit) for parameter, unit in zip(self, units, strict=True)}
        chosen: dict[str, Value] = {}
        for parameter in self.in_order:
            if self.counts(parameter, chosen):
                chosen[parameter.path] = values[parameter.path]
        return {parameter.path: chosen[parameter.path] for parameter in self if parameter.path in chosen}

    def units(self, point: Point) -> list[float]:
        """Unit coordinates of a point; in the middle for what does not count."""
        return [parameter.unit(point[parameter.path]) if parameter.path in point else 0.5 for parameter in self]

    def place(self, point: Point) -> list[float]:
        """Coordinates between which distances mean something: options of a choice are equally far apart."""
        place: list[float] = []
        for parameter in self:
            if parameter.path in point:
                place += parameter.place(point[parameter.path])
            else:
                # Points that differ in nothing that counts are at the same place.
                place += [0.5] if parameter.width == 1 else [0.0] * parameter.width
        return place

    def apply(self, recipe: Recipe, point: Point) -> Recipe:
        """The recipe with a point's values.

        Raises:
            RecipeError: The values are not legal together.
        """
        return with_settings(recipe, settings_of(recipe, point))

    def checked_against(self, recipe: Recipe) -> Space:
        """The same space, with how far each range may be widened: as far as values stay legal in the recipe.

        Raises:
            RecipeError: An end or an option is not legal.
        """
        return Space([_limited(parameter, recipe) for parameter in self])

    def fixed(self) -> Space:
        """The same space, never widened."""
        kept = [replace(one, lowest=None, highest=None) if isinstance(one, Range) else one for one in self]
        return Space(kept, free_names=self.free_names)

    @functools.cached_property
    def in_order(self) -> list[Parameter]:
        """Parameters after those that their conditions name."""
        known: list[Parameter] = []
        waiting = list(self._parameters)
        while waiting:
            ready = [item for item in waiting if item.when is None or item.when.path in {one.path for one in known}]
            if not ready:
                raise InputError(
                    f"the condition of {waiting[0].path} depends on itself", legal="conditions that form no circle"
                )
            known += ready
            waiting = [item for item in waiting if item not in ready]
        return known

    def _check(self) -> None:
        if not self._parameters:
            raise InputError("nothing is to be searched", write=EXAMPLE)
        paths = [parameter.path for parameter in self]
        twice = sorted({path for path in paths if paths.count(path) > 1})
        if twice:
            raise InputError(f"{twice[0]} stands in the space twice", legal="each name once")
        for parameter in self:
            when = parameter.when
            if when is None:
                continue
            if when.path not in paths:
                raise InputError(
                    f"{parameter.path} is searched only if {when.path} has a value, and {when.path} is not searched",
                    legal="a condition on a choice of the same space",
                    write=f"{when.path}={','.join(map(text_of, when.values))},... beside it",
                )
            other = self.by_path[when.path]
            missing = [value for value in when.values if isinstance(other, Choice) and value not in other.options]
            if missing or not isinstance(other, Choice):
                raise InputError(
                    f"{parameter.path} is searched only if {when.path}={text_of(when.values[0])}, which never happens",
                    legal=", ".join(map(text_of, other.options))
                    if isinstance(other, Choice)
                    else "a condition on a choice",
                )
        _ = self.in_order


def settings_of(recipe: Recipe, point: Point) -> list[str]:
    """A point as settings of a recipe, in the form `path=value`; depth and width become widths.

    Of convolutions depth is the number of stages and width the channels of the first; each later one has twice as many,
    up to 512.

    Example:
        >>> settings_of(Recipe(), {"model.depth": 3, "model.width": 64})
        ['model.widths=[64,64,64]']
        >>> settings_of(Recipe(), {"model.depth": 3, "model.architecture": "convolutional"})
        ['model.architecture=convolutional', 'model.widths=[32,64,128]']
    """
    settings = [f"{path}={text_of(value)}" for path, value in point.items() if path not in SHAPE.values()]
    if SHAPE["depth"] in point or SHAPE["width"] in point:
        doubling = point.get("model.architecture", recipe.model.architecture) in DOUBLING
        given = recipe.model.widths or (USUAL_CHANNELS if doubling else USUAL_WIDTHS)
        depth, width = point.get(SHAPE["depth"], len(given)), point.get(SHAPE["width"], given[0])
        assert isinstance(depth, int)
        assert isinstance(width, int)
        most = max(width, MOST_CHANNELS) if doubling else width
        settings.append(f"model.widths={text_of(tuple(min(most, width * 2**stage) for stage in range(depth)))}")
    return settings


def parameters_of_file(path: pathlib.Path) -> list[Parameter]:
    """Parameters of a TOML file, at its top or under [space].

    Raises:
        InputError: The file cannot be read, or is not a space.
    """
    try:
        content = tomllib.loads(read_text(path, InputError))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", write=EXAMPLE) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not TOML: {error}", write='lr = "1e-6:1e-1:log"') from None
    listed = content.get("space", content)
    if not isinstance(listed, Mapping):
        raise InputError(f"{path} has space = {listed!r}", legal="a table [space]", write='lr = "1e-6:1e-1:log"')
    return [parameter_from_plain(name, given) for name, given in _flat(listed).items()]


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """`[optimizer] lr = ...` reads like `"optimizer.lr" = ...`."""
    flat: dict[str, Any] = {}
    for name, given in table.items():
        path = f"{before}{name}"
        is_range = isinstance(given, Mapping) and {"low", "high", "options"} & set(given)
        flat |= _flat(given, f"{path}.") if isinstance(given, Mapping) and not is_range else {path: given}
    return flat


def _same(name: str) -> str:
    return name


def _full(name: str, arguments: frozenset[str] = frozenset()) -> str:
    if name in arguments:
        return ARGUMENTS + name
    path = SHAPE.get(name, name)
    if path in SHAPE.values():
        return path
    try:
        path = setting_path(path, option="--space")
    except InputError as error:
        if not arguments:
            raise
        raise InputError(
            f"'{name}' is neither a setting nor an argument of the function that makes the network",
            legal=f"{', '.join(sorted(arguments))}, and what `babysit recipe` prints",
        ) from error
    if path.startswith(NOT_SEARCHED):
        legal = [one for one in setting_paths() if not one.startswith(NOT_SEARCHED)]
        raise InputError(
            f"{path} cannot be searched: trials that differ in it cannot be compared", legal=", ".join(legal)
        )
    return path


def _with_full_names(parameter: Parameter, full: Any) -> Parameter:
    when = parameter.when
    if when is not None:
        when = replace(when, path=full(when.path))
    return replace(parameter, path=full(parameter.path), when=when)


def _limited(parameter: Parameter, recipe: Recipe) -> Parameter:
    """A parameter whose every end or option the recipe takes, with how far it may be widened."""
    if isinstance(parameter, Choice):
        for option in parameter.options:
            _refuse_shape(parameter, option)
            with_settings(recipe, settings_of(recipe, {parameter.path: option}))
        return parameter
    for end in (parameter.low, parameter.high):
        _try(parameter, end, recipe)
    if parameter.path.startswith(ARGUMENTS):
        return parameter  # a user's function may take any number or none beyond these: not widened
    half = WIDEN * (parameter.high - parameter.low) / 2
    beyond = 10**WIDEN if parameter.scale == "log" else half
    lowest = parameter.low / beyond if parameter.scale == "log" else parameter.low - beyond
    highest = parameter.high * beyond if parameter.scale == "log" else parameter.high + beyond
    return replace(
        parameter,
        lowest=_furthest(parameter, parameter.low, lowest, recipe),
        highest=_furthest(parameter, parameter.high, highest, recipe),
    )


def _refuse_shape(parameter: Parameter, value: Value) -> None:
    longest = LONGEST_SHAPE.get(parameter.path)
    if longest is not None and not (type(value) is int and 1 <= value <= longest):
        raise InputError(
            f"{parameter.text()} is not the shape of a network",
            legal=f"whole numbers from 1 to {longest}",
            write=f"{parameter.path}=1:4:integer",
        )


def _try(parameter: Range, value: float, recipe: Recipe) -> None:
    whole: Value = round(value) if parameter.whole else value
    if parameter.path in LONGEST_SHAPE:
        _refuse_shape(parameter, whole)
        return
    with_settings(recipe, settings_of(recipe, {parameter.path: whole}))


def _furthest(parameter: Range, end: float, wanted: float, recipe: Recipe) -> float:
    """The widest legal end between the one given and the one wanted: tried whole, in halves, then not at all."""
    for share in (1.0, 0.5, 0.25):
        value = end * (wanted / end) ** share if parameter.scale == "log" else end + share * (wanted - end)
        if parameter.whole:  # towards the end that was given, so that nothing is wider than it may be
            value = float(math.ceil(value) if wanted < end else math.floor(value))
        try:
            _try(parameter, value, recipe)
        except InputError:
            continue
        return value
    return end


def described(space: Space) -> tuple[StudyParameter, ...]:
    """The space as a Study keeps it."""
    found = []
    for parameter in space:
        if isinstance(parameter, Choice):
            options = tuple(map(text_of, parameter.options))
            found.append(StudyParameter(parameter.path, "choice", None, None, False, options, parameter.text()))
        else:
            log = parameter.scale == "log"
            found.append(
                StudyParameter(parameter.path, "range", parameter.low, parameter.high, log, (), parameter.text())
            )
    return tuple(found)
