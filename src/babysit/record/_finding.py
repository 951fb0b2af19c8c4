"""Finding: a diagnosed disease with its evidence. Remedy: what is done about it, in its text form."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from babysit.record._errors import InputError
from babysit.record._stored import Values, stored

FINDING_SCHEMA = 1
Severity = Literal["sick", "warning", "note"]
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Remedy:
    """What is done about a Finding, in the text form `NAME` or `NAME=VALUE`.

    Example:
        >>> str(Remedy.parse("lr=0.01"))
        'lr=0.01'
    """

    name: str
    value: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"'{self.name}' is not the name of a remedy",
                legal="words in lower case joined by -, such as standardise-inputs",
            )

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"

    @classmethod
    def parse(cls, text: str) -> Remedy:
        """A Remedy from its text form.

        Raises:
            InputError: The name does not have the legal form.
        """
        name, equals, value = text.partition("=")
        return cls(name.strip(), value.strip() if equals else None)


def _parsed(value: Any) -> Any:
    return Remedy.parse(value) if isinstance(value, str) else value


RemedyText = Annotated[
    Remedy, BeforeValidator(_parsed), PlainSerializer(str, return_type=str, when_used="json")
]  # in its text form


@stored
class Finding:
    """A disease that was diagnosed in a Trace.

    Attributes:
        name: The disease, as the catalogue names it.
        severity: `sick` (training cannot go well), `warning` or `note`.
        where: The layer, feature or step.
        evidence: The numbers, by name.
        why: What it does to the training.
        remedies: What may help, the likeliest first.
        explained_by: The finding that causes this one, by name; empty where nothing found does.
        page: Address of its page.
        file: Of a script: the file to change, seen from the working directory; empty where it is not known.
        line: The line in it that the first remedy changes, or where a reader should begin to look; 0 where it is not
            known.
        fix: The remedy that was tried, as a unified diff that `git apply` takes; empty where none was tried.
        did: What that remedy did when it was tried.
    """

    name: str
    severity: Severity
    where: str = ""
    evidence: Values = field(default_factory=dict)
    why: str = ""
    remedies: tuple[RemedyText, ...] = ()
    explained_by: str = ""
    page: str = ""
    schema: int = FINDING_SCHEMA
    file: str = ""
    line: int = 0
    fix: str = Field(default="", repr=False)
    did: str = ""


@stored
class Diagnosis:
    """All that was found, causes first, as it is kept with a Run and printed by `babysit diagnose`.

    Attributes:
        findings: What is wrong.
        verdict: `sick`, `sound` or `not judged`; empty where it is kept with a Run, whose answer says it.
        reasons: Why, one a line.
        not_judged: Findings that could not be looked for, since nothing that shows them was measured.
    """

    findings: tuple[Finding, ...]
    schema: int = FINDING_SCHEMA
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    not_judged: tuple[str, ...] = ()
