"""Secrets of the environment and of a script's arguments, kept out of what is stored, printed as JSON, or shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HIDDEN = "***"
# Last words of names whose values are secrets, and words before them that mean a piece of text instead.
_SECRET = re.compile(
    r"(?i)(^|[-_.])((?<!eos.)(?<!bos.)(?<!pad.)(?<!unk.)(?<!sep.)(?<!cls.)(?<!mask.)token|secret|passw(or)?d|passphrase|"
    r"credentials?|auth|(api|access|private|secret)[-_.]?key)$"
)
# Keys of services that are known by their beginnings.
_FORMS = r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16})"
SHORTEST, SHORTEST_WORD = 6, 8  # signs; a shorter value, or a shorter one without digits, is no secret worth the name
_of_arguments: set[str] = set()


def hide_arguments(arguments: Sequence[str]) -> list[str]:
    """A script's arguments without the values of its secrets, which are remembered, and hidden wherever they show.

    Example:
        >>> hide_arguments(["--lr", "0.1", "--api-key", "abc123", "db.password=hunter22"])
        ['--lr', '0.1', '--api-key', '***', 'db.password=***']
    """
    shown: list[str] = []
    follows = False
    for one in arguments:
        name, equals, value = one.partition("=")
        if follows and not one.startswith("--"):
            _of_arguments.add(one)
            shown.append(HIDDEN)
        elif equals and _SECRET.search(name):
            _of_arguments.add(value)
            shown.append(f"{name}={HIDDEN}")
        else:
            shown.append(one)
        follows = one.startswith("-") and not equals and _SECRET.search(one) is not None
    return shown


def without_secrets(value: Any) -> Any:
    """A text, or plain JSON values with all the texts in them, where each secret is three stars."""
    return _hidden(value, secret_texts())


def secret_texts() -> re.Pattern[str]:
    """What finds secrets in a text."""
    found = {value for name, value in os.environ.items() if _SECRET.search(name)} | _of_arguments
    worth = {one for one in found if len(one) >= (SHORTEST if re.search(r"\d", one) else SHORTEST_WORD)}
    return re.compile("|".join([*_escaped(worth), _FORMS]))


def _escaped(texts: Iterable[str]) -> list[str]:
    return [re.escape(one) for one in sorted(texts, key=len, reverse=True)]


def _hidden(value: Any, secrets: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return secrets.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {_hidden(name, secrets): _hidden(inner, secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner, secrets) for inner in value]
    return value
