"""What is searched, as text: `lr=1e-6:1e-1:log`, `activation=relu,tanh`, `momentum=0.5:0.99 if optimizer.name=sgd`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from babysit.record import InputError, toml_value
from babysit.search._parameter import Choice, Condition, Parameter, Range, Scale, Value

FORMS = "NAME=LOW:HIGH, NAME=LOW:HIGH:log, NAME=LOW:HIGH:integer, NAME=LOW:HIGH:log-integer, NAME=ONE,TWO,..."
EXAMPLE = "--space lr=1e-6:1e-1:log dropout=0:0.5 activation=relu,tanh"
KINDS: dict[str, tuple[Scale, bool]] = {
    "": ("linear", False),
    "linear": ("linear", False),
    "uniform": ("linear", False),
    "log": ("log", False),
    "integer": ("linear", True),
    "log-integer": ("log", True),
}


def parameter_from_text(text: str) -> Parameter:
    """One parameter from its text form.

    Raises:
        InputError: The text has none of the legal forms.

    Example:
        >>> parameter_from_text("lr=1e-6:1e-1:log").scale
        'log'
        >>> parameter_from_text("widths=[64],[128,128]").options
        ((64,), (128, 128))
    """
    stated, _, condition = text.partition(" if ")
    path, equals, rest = stated.partition("=")
    path, rest = path.strip(), rest.strip()
    if not equals or not path or not rest:
        raise InputError(f"'{text}' says nothing to search", legal=FORMS, write=EXAMPLE)
    when = condition_from_text(condition) if condition.strip() else None
    options = split_options(rest)
    if len(options) == 1 and ":" in rest:
        return range_from_parts(path, rest.split(":"), when)
    return Choice(path, tuple(value_from_text(option) for option in options), when)


def range_from_parts(path: str, parts: Sequence[str], when: Condition | None) -> Range:
    """A range from LOW, HIGH and perhaps its kind."""
    given = f"'{path}={':'.join(parts)}'"
    if len(parts) not in (2, 3):
        raise InputError(f"{given} is not a range", legal=FORMS, write=f"{path}=1e-6:1e-1:log")
    kind = parts[2].strip() if len(parts) == 3 else ""
    if kind not in KINDS:
        raise InputError(
            f"{given} has an unknown kind '{kind}'",
            legal=", ".join(name for name in KINDS if name),
            write=f"{path}={parts[0]}:{parts[1]}:log",
        )
    try:
        low, high = float(parts[0]), float(parts[1])
    except ValueError:
        raise InputError(
            f"{given} has an end that is not a number",
            legal=FORMS,
            cause="options are separated by commas, ends by a colon",
            write=f"{path}={','.join(part for part in parts if part)}",
        ) from None
    scale, whole = KINDS[kind]
    return Range(path, low, high, scale, whole, when=when)


def condition_from_text(text: str) -> Condition:
    """What follows `if`: `optimizer.name=sgd,rmsprop`."""
    path, equals, rest = text.partition("=")
    if not equals or not path.strip() or not rest.strip():
        raise InputError(
            f"'if {text.strip()}' is not a condition",
            legal="if NAME=ONE,TWO,...",
            write="momentum=0.5:0.99 if optimizer.name=sgd",
        )
    return Condition(path.strip(), tuple(value_from_text(option) for option in split_options(rest)))


def split_options(text: str) -> list[str]:
    """Options between commas; commas within brackets belong to an option.

    Example:
        >>> split_options("[64],[128,64],wide")
        ['[64]', '[128,64]', 'wide']
    """
    options, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign == "[") - (sign == "]")
        if sign == "," and depth == 0:
            options.append(text[start:place])
            start = place + 1
    return [option.strip() for option in (*options, text[start:])]


def value_from_text(text: str) -> Value:
    """A TOML value, or else the text itself, so that names need no quotes."""
    return value_from_plain(toml_value(text), text)


def value_from_plain(value: Any, given: str) -> Value:
    """A value of TOML or JSON as a parameter holds it.

    Raises:
        InputError: It is a table or another thing that is not the value of a setting.
    """
    if isinstance(value, list | tuple) and all(isinstance(item, int) and not isinstance(item, bool) for item in value):
        return tuple(value)
    if isinstance(value, bool | int | float | str):
        return value
    raise InputError(
        f"'{given}' cannot be searched",
        legal="a number, a name, true, false, or whole numbers in brackets",
        write=EXAMPLE,
    )


def parameter_from_plain(path: str, given: Any) -> Parameter:
    """One parameter from a TOML value: text as after `=`, a list of options, or a table with low and high.

    Raises:
        InputError: It has another form.

    Example:
        >>> parameter_from_plain("lr", {"low": 1e-6, "high": 0.1, "kind": "log"}).high
        0.1
        >>> parameter_from_plain("activation", ["relu", "tanh"]).options
        ('relu', 'tanh')
    """
    if isinstance(given, str):
        return parameter_from_text(f"{path}={given}")
    if isinstance(given, list | tuple):
        return Choice(path, tuple(value_from_plain(item, str(item)) for item in given))
    if not isinstance(given, Mapping):
        raise InputError(
            f"{path} = {given!r} is one value",
            cause="what is fixed belongs into the recipe",
            write=f"--set {path}={given}",
        )
    unknown = sorted(set(given) - {"low", "high", "kind", "options", "if"})
    if unknown or ("options" in given) == ("low" in given or "high" in given):
        raise InputError(
            f"{path} has {', '.join(map(str, given)) or 'nothing'}",
            legal="low, high and perhaps kind; or options; and perhaps if",
            write=f'{path} = {{low = 1e-6, high = 1e-1, kind = "log"}}',
        )
    when = condition_from_text(str(given["if"])) if "if" in given else None
    if "options" in given:
        return Choice(path, tuple(value_from_plain(item, str(item)) for item in given["options"]), when)
    return range_from_parts(
        path, [str(given.get("low", "")), str(given.get("high", "")), str(given.get("kind", ""))], when
    )
