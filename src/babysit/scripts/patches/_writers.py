"""Several remedies written into a script's text after each other, each into what the ones before have left."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

from babysit.record import Remedy
from babysit.remedies.source import (
    LOADERS,
    WRITERS,
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

# What means something else where another one of them is not written beside it: all of them are, or none.
TOGETHER = (
    frozenset({"call-step", "clear-gradients", "lr", "optimizer"}),
    frozenset("class-weights loss match-shapes remove-sigmoid remove-softmax standardise-targets".split()),
    frozenset(
        "activation insert-activation insert-batch-norm linear-output move-batch-norm sigmoid-output "
        "softmax-axis".split()
    ),
    frozenset({"optimise-all-parameters", "unfreeze"}),
)
# What is counted anew where another one of them is written, so that together they would not be what was tried.
APART = (
    frozenset({"activation", "insert-activation"}),
    frozenset({"insert-activation", "insert-batch-norm"}),
    frozenset({"insert-batch-norm", "move-batch-norm"}),
)

NUMBERS = frozenset({"batch-size", "clip-norm", "dropout", "epochs", "lr", "weight-decay"})
NUMBER = re.compile(r"[0-9]*\.?[0-9]+(e[+-]?[0-9]+)?")

# What another module may hold, too, so that the script is not the only place of a remedy.
HELD: tuple[tuple[frozenset[str], Callable[[Code], bool]], ...] = (
    (
        frozenset({"call-step", "lr", "optimise-all-parameters", "optimizer", "unfreeze", "weight-decay"}),
        lambda code: bool(optimizer_calls(code)),
    ),
    (
        frozenset(
            "call-step clear-gradients clip-norm evaluation-mode flip-sign loss match-shapes remove-sigmoid "
            "remove-softmax train-mode".split()
        ),
        lambda code: bool(code.methods("backward") or losses(code)),
    ),
    (frozenset({"batch-size", "shuffle"}), lambda code: bool(code.calls_of(LOADERS))),
    (frozenset({"constant-schedule"}), lambda code: any("lr_scheduler" in one for one in code.imports.values())),
    (
        frozenset(
            "activation dropout insert-activation insert-batch-norm linear-output move-batch-norm remove-sigmoid "
            "remove-softmax sigmoid-output softmax-axis unfreeze".split()
        ),
        lambda code: bool(module_classes(code) or any(module_name(code, call) for call in code.calls())),
    ),
)

# The patcher's own values where a remedy has none.
WITHOUT_VALUE = {"activation": "relu", "insert-activation": "relu"}


@dataclasses.dataclass(frozen=True)
class Change:
    """A remedy written into a text.

    Attributes:
        remedy: Which.
        places: Where in the text it is.
    """

    remedy: Remedy
    places: tuple[Place, ...]

    def after(self, edited: Edited) -> Change:
        """The same one in the text after more edits."""
        now = tuple(dataclasses.replace(one, now=edited.became.get(one.now, one.now)) for one in self.places)
        return dataclasses.replace(self, places=now)


def written(code: Code, remedy: Remedy, wanted: Wanted) -> Edited | None:
    """The text with a remedy; None where it is not sure how."""
    writer = WRITERS.get(remedy.name)
    value = remedy.value or WITHOUT_VALUE.get(remedy.name, "")
    if writer is None or (remedy.name in NUMBERS and not NUMBER.fullmatch(value)):
        return None
    edits = Edits(code)
    try:
        return edits.made() if writer(edits, value, wanted) and edits else None
    except SyntaxError:
        return None


def write_all(code: Code, remedies: Sequence[Remedy], others: Sequence[Code] = ()) -> tuple[Code, list[Change]]:
    """The text with all remedies in it that can be written surely.

    Args:
        code: The script's.
        remedies: What to write.
        others: Modules beside the script that it imports: what they may hold, too, is not sure.

    Returns:
        The text and what was written into it.
    """
    wanted = {remedy.name: remedy.value for remedy in remedies}
    left = [remedy for remedy in remedies if not is_apart(remedy, wanted) and not _held(remedy, others)]
    while True:
        text, changes = code, list[Change]()
        order = list(WRITERS)
        for remedy in sorted(left, key=lambda one: order.index(one.name) if one.name in order else -1):
            edited = written(text, remedy, wanted)
            if edited is not None:
                text = edited.code
                changes = [*(one.after(edited) for one in changes), Change(remedy, edited.places)]
        done = {change.remedy.name for change in changes}
        undone = {name for group in TOGETHER for name in group & wanted.keys() if not group & wanted.keys() <= done}
        keep = [remedy for remedy in left if remedy.name in done - undone]
        if len(keep) == len(changes):
            return text, changes
        left = keep


def is_apart(remedy: Remedy, wanted: Wanted) -> bool:
    """Whether a remedy cannot be written beside the others that are wanted."""
    return any(remedy.name in group and len(group & wanted.keys()) > 1 for group in APART)


def _held(remedy: Remedy, others: Sequence[Code]) -> bool:
    return any(remedy.name in names and holds(code) for code in others for names, holds in HELD)
