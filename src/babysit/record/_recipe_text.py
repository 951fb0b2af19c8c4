"""Recipe to TOML and back: a comment on each line out, every mistake at once in."""

from __future__ import annotations

import difflib
import functools
import importlib.resources
import json
import pathlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tomli_w
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from babysit.record._errors import RecipeError
from babysit.record._reading import read_text
from babysit.record._recipe import Recipe, Section

PARTS, MOST_PARTS = re.compile(r"\.[\w\"']"), 5000  # names with dots on a line: TOML's reader is quadratic in them
ARGUMENTS = "model.arguments."  # of a function that makes the network: their names are not known beforehand


def recipe_to_toml(recipe: Recipe) -> str:
    """The recipe as TOML with a comment on each line: what, unit, when to change it. Unset lines are commented out.

    Example:
        >>> parse_recipe(recipe_to_toml(Recipe())) == Recipe()
        True
    """
    lines = [
        "# A babysit recipe. Lines that begin with # are unset: babysit decides them from the data and reports that.",
        "",
    ]
    sections: list[str] = []
    for name, field in Recipe.model_fields.items():
        value = getattr(recipe, name)
        if isinstance(value, Section):
            sections += ["", f"[{name}]  # {(type(value).__doc__ or '').strip()}"]
            for key, inner in type(value).model_fields.items():
                sections.append(_line(key, getattr(value, key), inner))
        else:
            lines.append(_line(field.alias or name, value, field))
    return "\n".join(lines + sections) + "\n"


def _line(key: str, value: Any, field: FieldInfo) -> str:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit, when = extra.get("unit"), extra.get("when")
    comment = f"{field.description}{f' [{unit}]' if unit else ''}{f'; change when: {when}' if when else ''}"
    if value is None:
        return f"# {key} =   # {comment}"
    return f"{key} = {_toml_value(value)}  # {comment}"


def _toml_value(value: Any) -> str:
    """One value in TOML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def parse_recipe(text: str, *, where: str = "the recipe") -> Recipe:
    """A Recipe from TOML text.

    Raises:
        RecipeError: The text is not TOML, or settings are wrong; every mistake is listed with its path.
    """
    deep = RecipeError(f"{where} nests too deeply", legal="sections with settings, one level deep")
    if any(len(PARTS.findall(line)) > MOST_PARTS for line in text.splitlines()):
        raise deep
    try:
        content = tomllib.loads(text)
    except ValueError as error:  # among them numbers of more digits than Python reads
        raise RecipeError(
            f"{where} is not TOML: {error}",
            legal="lines like: lr = 0.001, under a section like: [optimizer]",
            cause="a quote or bracket that is not closed, or a text without quotes",
            write="babysit recipe > recipe.toml, and change that",
        ) from None
    except RecursionError:
        raise deep from None
    return recipe_from_dict(content, where=where)


def load_recipe(name: str | pathlib.Path) -> Recipe:
    """A Recipe from a TOML file, or one of babysit's own by name (see `recipe_names`).

    Raises:
        RecipeError: There is no such file or recipe, it cannot be read, or it has mistakes.
    """
    if str(name) in recipe_names():
        file = importlib.resources.files("babysit.record") / "recipes" / f"{name}.toml"
        return parse_recipe(file.read_text(encoding="utf-8"), where=f"recipe '{name}'")
    path = pathlib.Path(name)
    try:
        text = read_text(path, RecipeError)
    except (FileNotFoundError, NotADirectoryError):
        near = difflib.get_close_matches(str(name), recipe_names(), n=1)
        raise RecipeError(
            f"there is no recipe '{name}'",
            legal=f"a TOML file, or one of: {', '.join(recipe_names())}",
            write=f"--recipe {near[0]}" if near else "babysit recipe > recipe.toml",
        ) from None
    return parse_recipe(text, where=str(path))


def recipe_names() -> list[str]:
    """Names of the recipes that come with babysit."""
    folder = importlib.resources.files("babysit.record") / "recipes"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def recipe_from_dict(content: Mapping[str, Any], *, where: str = "the recipe") -> Recipe:
    """A Recipe from nested dictionaries.

    Raises:
        RecipeError: Settings are wrong; every mistake is listed with its path.
    """
    try:
        # Strict by way of JSON: a quoted number is a mistake, a list is a legal tuple.
        return Recipe.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        mistakes = list(_mistakes(error))
    except (TypeError, RecursionError, ValueError) as error:
        mistakes = [str(error)]
    count = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    raise RecipeError(f"{where} has {count}:\n" + "\n".join(f"    {mistake}" for mistake in mistakes))


def _mistakes(error: ValidationError) -> Iterator[str]:
    seen: set[str] = set()
    for item in error.errors(include_url=False):
        path = [str(part) for part in item["loc"]]
        # A union repeats a mistake once for each of its members, with the member's name at the end of the path.
        known = [part for index, part in enumerate(path) if index < 2 or part.isdigit()]
        place = ".".join(known)
        if item["type"] == "extra_forbidden":
            text = f"{place}: there is no such setting{_nearest(known)}"
        elif item["type"] == "value_error":
            text = f"{place}: {item['ctx']['error']}" if place else str(item["ctx"]["error"])
        else:
            given = json.dumps(item["input"], default=str, ensure_ascii=False)
            text = f"{place}: {item['msg'][0].lower()}{item['msg'][1:]}, not {given[:80]}"
        if text not in seen:
            seen.add(text)
            yield text


def _nearest(path: list[str]) -> str:
    *parents, name = path
    legal = _legal_names(parents)
    near = difflib.get_close_matches(name, legal, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {'.'.join([*parents, near[0]])}?"
    elsewhere = [full for full in setting_paths() if full.rpartition(".")[2] == name]
    if elsewhere:
        return f"; did you mean {elsewhere[0]}?"
    return f"; legal are: {', '.join(legal)}" if legal else ""


def _legal_names(parents: list[str]) -> list[str]:
    if not parents:
        return [field.alias or name for name, field in Recipe.model_fields.items()]
    section = Recipe.model_fields.get(parents[0])
    kind = section.annotation if section is not None else None
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, Section) else []


@functools.cache
def setting_paths() -> tuple[str, ...]:
    """Every setting's path, such as `optimizer.lr`."""
    paths: list[str] = []
    for name in _legal_names([]):
        inner = _legal_names([name])
        paths += [f"{name}.{key}" for key in inner] if inner else [name]
    return tuple(paths)


def with_settings(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """The recipe with `path=value` settings applied; the path may be shortened to its last word where that is clear.

    Example:
        >>> with_settings(Recipe(), ["lr=0.1", "model.widths=[64, 64]"]).optimizer.lr
        0.1

    Raises:
        RecipeError: A setting does not have the form `path=value`, does not exist, or has an illegal value.
    """
    content: dict[str, Any] = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
    for text in settings:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise RecipeError(f"setting '{text}' is not of the form key=value", write="--set optimizer.lr=0.01")
        full = setting_path(path.strip())
        section, _, key = full.rpartition(".")
        place = content
        for name in section.split(".") if section else ():
            place = place.setdefault(name, {})
        place[key] = _value(value.strip())
        if place[key] is None:
            del place[key]
    return recipe_from_dict(content, where="the recipe with its settings")


def setting_path(path: str, *, option: str = "--set") -> str:
    """A setting's full path from its path or, where that is clear, its last word.

    Args:
        path: Such as `lr`.
        option: Of the command line, for what to write instead.

    Raises:
        RecipeError: There is no such setting, or there are several.

    Example:
        >>> setting_path("lr")
        'optimizer.lr'
    """
    paths = setting_paths()
    if path in paths or (path.startswith(ARGUMENTS) and path.removeprefix(ARGUMENTS).isidentifier()):
        return path
    short = [full for full in paths if full.rpartition(".")[2] == path]
    if len(short) == 1:
        return short[0]
    if short:
        raise RecipeError(
            f"there are several settings '{path}'", legal=", ".join(short), write=f"{option} {short[0]}=..."
        )
    last_words = {full.rpartition(".")[2]: full for full in paths}
    near = difflib.get_close_matches(path, paths, n=3) or [
        last_words[word] for word in difflib.get_close_matches(path.rpartition(".")[2], last_words, n=3)
    ]
    raise RecipeError(
        f"there is no setting '{path}'",
        legal=", ".join(near) if near else "what `babysit recipe` prints",
        write=f"{option} {near[0]}=..." if near else None,
    )


def _value(text: str) -> Any:
    """A TOML value, or else the text itself; `unset` unsets."""
    return None if text == "unset" else toml_value(text)


def toml_value(text: str) -> Any:
    """A TOML value, or else the text itself, so that names need no quotes.

    Example:
        >>> toml_value("[64, 64]"), toml_value("relu")
        ([64, 64], 'relu')
    """
    try:
        # ValueError: no TOML, or a number of more digits than Python reads.
        return tomllib.loads(f"x = {text}")["x"] if "\n" not in text else text
    except (ValueError, RecursionError):
        return text
