"""The one way to declare a record that is stored or printed as JSON, to write it and to read it again.

A record is a pydantic dataclass: what it is made of is checked when it is made. JSON has no word for numbers that are
not finite, so they are written as the strings "NaN", "Infinity" and "-Infinity", and read back as numbers.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, Field, PlainSerializer, TypeAdapter
from pydantic.dataclasses import dataclass
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from babysit.record._secrets import without_secrets

Made = TypeVar("Made")
Seconds = Annotated[float, PlainSerializer(lambda value: round(value, 3), return_type=float, when_used="json")]
Share = Annotated[float, PlainSerializer(lambda value: round(value, 4), return_type=float, when_used="json")]
LONGEST_REPR = 300  # characters: what is printed where somebody types its name
Values = Mapping[str, Any]  # numbers and words by name


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, Field))
def stored(kind: type[Made]) -> type[Made]:
    """A class decorator: an immutable record with a way to JSON and back."""
    config = ConfigDict(extra="forbid", populate_by_name=True, defer_build=True, ser_json_inf_nan="strings")
    made = cast(type[Made], dataclass(frozen=True, config=config)(kind))
    whole = made.__repr__

    def shortened(self: Made) -> str:
        text = whole(self)
        return text if len(text) <= LONGEST_REPR else f"{text[: LONGEST_REPR - 5]} ...)"

    type.__setattr__(made, "__repr__", shortened)  # a record may hold thousands of numbers
    return made


def plain(value: Any) -> Any:
    """Values as JSON can hold them.

    Example:
        >>> plain({"loss": float("nan"), "shape": (2, 3)})
        {'loss': 'NaN', 'shape': [2, 3]}
    """
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def to_json(record: Any) -> Any:
    """A record as plain JSON values, without secrets.

    Args:
        record: Of a class declared by `stored`, or a pydantic model.
    """
    return without_secrets(plain(_adapter(cast(Any, type(record))).dump_python(record, mode="json", by_alias=True)))


def to_values(record: Any) -> Values:
    """A record as values by name, under the names that its JSON has; numbers that are not finite stay numbers.

    Args:
        record: Of a class declared by `stored`, or a pydantic model.
    """
    values: Values = _adapter(cast(Any, type(record))).dump_python(record, by_alias=True)
    return values


def from_json(kind: type[Made], content: Any) -> Made:
    """The record that `to_json` wrote.

    Raises:
        ValueError: The content is not that of such a record.
    """
    made: Made = _adapter(cast(Any, kind)).validate_json(json.dumps(content))
    return made


def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of what `to_json` makes of a record of that class."""
    return _adapter(kind).json_schema(mode="serialization", by_alias=True, schema_generator=_Schemas)


class _Schemas(GenerateJsonSchema):
    """A float may be a string where it is not finite."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"anyOf": [super().float_schema(schema), {"enum": ["NaN", "Infinity", "-Infinity"]}]}


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
