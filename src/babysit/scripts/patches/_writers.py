"""Writing several remedies into a script: one after another, each into the text that the earlier ones changed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

import libcst as cst

from babysit.record import Remedy
from babysit.remedies import REMEDIES, Held, Number, kind_of
from babysit.remedies.source import (
    LOADERS,
    Code,
    Edited,
    Edits,
    Place,
    Wanted,
    losses,
    module_classes,
    module_name,
    optimizer_calls,
)

NUMBER = re.compile(r"[0-9]*\.?[0-9]+(e[+-]?[0-9]+)?")

# What a module may contain, too, so that the script is not certainly the only place for a remedy.
HOLDS: dict[Held, Callable[[Code], bool]] = {
    "loader": lambda code: bool(code.calls_of(LOADERS)),
    "network": lambda code: bool(module_classes(code) or any(_makes_layer(code, call) for call in code.calls())),
    "optimizer": lambda code: bool(optimizer_calls(code)),
    "schedule": lambda code: any("lr_scheduler" in one for one in code.imports.values()),
    "training": lambda code: bool(code.methods("backward") or losses(code)),
}


def _makes_layer(code: Code, call: cst.Call) -> bool:
    name = module_name(code, call)
    return bool(name) and not name.endswith("Loss")


@dataclasses.dataclass(frozen=True)
class Change:
    """A remedy that was written into a text.

    Attributes:
        remedy: The remedy.
        places: Its places in the text.
    """

    remedy: Remedy
    places: tuple[Place, ...]

    def after(self, edited: Edited) -> Change:
        """The same change, with its places in the text after more edits."""
        now = tuple(dataclasses.replace(one, now=edited.became.get(one.now, one.now)) for one in self.places)
        return dataclasses.replace(self, places=now)


def written(code: Code, remedy: Remedy, wanted: Wanted) -> Edited | None:
    """The text with one remedy; None if the right place is not certain."""
    kind = kind_of(remedy)
    if isinstance(kind.values, Number) and not NUMBER.fullmatch(kind.values.of(remedy)):
        return None
    edits = Edits(code, wanted)
    try:
        return edits.made() if kind.source(remedy, edits) and edits else None
    except SyntaxError:
        return None


def write_all(code: Code, remedies: Sequence[Remedy], others: Sequence[Code] = ()) -> tuple[Code, list[Change]]:
    """The text with all remedies whose places are certain.

    Args:
        code: The script's text.
        remedies: The remedies to write.
        others: Modules that the script imports from its folder. A remedy that may belong there is not written.

    Returns:
        The new text, and the changes in it.
    """
    wanted = {remedy.name: remedy.value for remedy in remedies}
    left = [remedy for remedy in remedies if not is_apart(remedy, wanted) and not _held(remedy, code, others)]
    while True:
        text, changes = code, list[Change]()
        order = list(REMEDIES)
        for remedy in sorted(left, key=lambda one: order.index(one.name)):
            edited = written(text, remedy, wanted)
            if edited is not None:
                text = edited.code
                changes = [*(one.after(edited) for one in changes), Change(remedy, edited.places)]
        done = {change.remedy.name for change in changes}
        undone = {one.name for one in remedies if any(other not in done for other in _beside(one, wanted))}
        keep = [remedy for remedy in left if remedy.name in done - undone]
        if len(keep) == len(changes):
            return text, changes
        left = keep


def is_apart(remedy: Remedy, wanted: Wanted) -> bool:
    """Whether a remedy cannot be written together with the other wanted ones."""
    return bool(kind_of(remedy).written_apart & wanted.keys())


def _beside(remedy: Remedy, wanted: Wanted) -> list[str]:
    """Names of the wanted remedies of the same group: all of them are written, or none."""
    group = kind_of(remedy).written_with
    return [name for name in wanted if group and REMEDIES[name].written_with == group]


def _held(remedy: Remedy, code: Code, others: Sequence[Code]) -> bool:
    """Whether it may belong into another file as well as into this one, or into another one alone."""
    places = kind_of(remedy).held_in
    mine = {place for place in places if HOLDS[place](code)}
    theirs = {place for other in others for place in places if HOLDS[place](other)}
    return bool(mine & theirs) or bool(theirs and not mine)
