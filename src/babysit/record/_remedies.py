"""What remedies do, in a line each, for reports, which import nothing that computes.

The remedies are classes of the package `remedies`. When that is imported it says here what each of them does.
"""

from __future__ import annotations

from collections.abc import Mapping

_SUMMARIES: dict[str, str] = {}


def describe_remedies(summaries: Mapping[str, str]) -> None:
    """Make known what remedies do, by name."""
    _SUMMARIES.update(summaries)


def remedy_summary(name: str, default: str = "") -> str:
    """What a remedy does, in a line, behind a colon an example; `default` where nobody has said it."""
    return _SUMMARIES.get(name, default)
