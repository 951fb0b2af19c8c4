"""Which column of a table is learned."""

from __future__ import annotations

from babysit.data._found import Table
from babysit.data._wording import nearest, several
from babysit.record import DataError, Decision

USUAL_NAMES = ("target", "label", "class", "y", "labels", "outcome", "response")


def find_target(table: Table, stated: str | None) -> tuple[str, tuple[Decision, ...]]:
    """The name of the target column, and how it was found.

    Args:
        table: The rows.
        stated: What the user says.

    Raises:
        DataError: No such column, or one column only.
    """
    names = table.frame.columns
    if len(names) < 2:
        raise DataError(
            f"{table.name} has one column, '{names[0]}'" if names else f"{table.name} has no columns",
            legal="a target and at least one column to learn it from",
            cause="another delimiter than the one found",
            write="--set data.delimiter=';'",
        )
    if stated is not None:
        if stated in names:
            return stated, ()
        alike = nearest(stated, names)
        raise DataError(
            f"{table.name} has no column '{stated}'",
            legal=several(names, most=30),
            cause=None if table.named else "the file has no header, so its columns are numbered",
            write=f"--target '{alike or names[-1]}'",
        )
    if table.target is not None:
        return table.target, ()
    usual = [name for name in names if name.strip().lower() in USUAL_NAMES]
    chosen = usual[-1] if usual else names[-1]
    why = "its name says so" if usual else "it is the last column, and no target was named"
    return chosen, (Decision(setting="data.target", value=chosen, why=why),)
