"""Finding: a disease diagnosed, with its evidence. Remedy: one typed change that treats it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from babysit.record._errors import InputError

FINDING_SCHEMA = 1
Severity = Literal["sick", "warning", "note"]
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Remedy:
    """One typed change that treats a Finding, in the text form `NAME` or `NAME=VALUE`.

    Example:
        >>> str(Remedy.parse("lr=0.01"))
        'lr=0.01'
    """

    name: str
    value: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"'{self.name}' is no remedy's name",
                legal="words of small letters joined by -, such as standardise-inputs",
            )

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"

    @classmethod
    def parse(cls, text: str) -> Remedy:
        """A Remedy from its text form.

        Raises:
            InputError: The name is not of the legal form.
        """
        name, equals, value = text.partition("=")
        return cls(name.strip(), value.strip() if equals else None)


@dataclass(frozen=True)
class Finding:
    """A disease diagnosed in a Trace.

    Attributes:
        name: The disease, as the catalogue names it.
        severity: `sick` (training cannot go well), `warning` or `note`.
        where: Layer, feature or step.
        evidence: The numbers, by name.
        why: What it does to the training.
        remedies: Changes that treat it, the likeliest first.
        explained_by: The finding that causes this one, by name; empty where nothing found does.
        page: Where its page is.
    """

    name: str
    severity: Severity
    where: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    remedies: tuple[Remedy, ...] = ()
    explained_by: str = ""
    page: str = ""
    schema: int = FINDING_SCHEMA

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; remedies in their text form, NaN and infinities as "NaN", "Infinity", "-Infinity"."""
        return {
            **asdict(self),
            "evidence": plain(dict(self.evidence)),
            "remedies": [str(remedy) for remedy in self.remedies],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Finding:
        """The inverse of `to_dict`."""
        remedies = tuple(Remedy.parse(text) for text in content.get("remedies", ()))
        return cls(**{**content, "remedies": remedies})


def plain(value: Any) -> Any:
    """Values as JSON can hold them. It has no word for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
