"""The one table of what can be written into a script's text, and the writing of several remedies after each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from babysit.record import Remedy
from babysit.scripts._code import Code, Edit, edited
from babysit.scripts._layer_code import write_insert_activation, write_insert_batch_norm, write_move_batch_norm
from babysit.scripts._loader_code import LOADERS, write_batch_size, write_match_shapes, write_shuffle
from babysit.scripts._loop_code import (
    write_call_step,
    write_clear_gradients,
    write_clip_norm,
    write_constant_schedule,
    write_epochs,
    write_evaluation_mode,
    write_flip_sign,
    write_train_mode,
)
from babysit.scripts._network_code import (
    write_activation,
    write_dropout,
    write_linear_output,
    write_loss,
    write_remove_sigmoid,
    write_remove_softmax,
    write_sigmoid_output,
    write_softmax_axis,
)
from babysit.scripts._optimizer_code import (
    Wanted,
    write_all_parameters,
    write_lr,
    write_optimizer,
    write_unfreeze,
    write_weight_decay,
)
from babysit.scripts._training_code import losses, module_classes, module_name, optimizer_calls

Writer = Callable[[Code, str, Wanted], list[Edit] | None]

# In the order in which they are written. Each answers with edits, or with None where it is not sure.
WRITERS: dict[str, Writer] = {
    "unfreeze": write_unfreeze,
    "optimise-all-parameters": write_all_parameters,
    "call-step": write_call_step,
    "optimizer": write_optimizer,
    "lr": write_lr,
    "weight-decay": write_weight_decay,
    "clear-gradients": write_clear_gradients,
    "clip-norm": write_clip_norm,
    "flip-sign": write_flip_sign,
    "constant-schedule": write_constant_schedule,
    "epochs": write_epochs,
    "batch-size": write_batch_size,
    "shuffle": write_shuffle,
    "dropout": write_dropout,
    "activation": write_activation,
    "softmax-axis": write_softmax_axis,
    "sigmoid-output": write_sigmoid_output,
    "linear-output": write_linear_output,
    "remove-softmax": write_remove_softmax,
    "remove-sigmoid": write_remove_sigmoid,
    "loss": write_loss,
    "insert-activation": write_insert_activation,
    "insert-batch-norm": write_insert_batch_norm,
    "move-batch-norm": write_move_batch_norm,
    "match-shapes": write_match_shapes,
    "train-mode": write_train_mode,
    "evaluation-mode": write_evaluation_mode,
}

# What means something else where another one of them is not written beside it: all of them are, or none.
TOGETHER = (
    frozenset({"call-step", "clear-gradients", "lr", "optimizer"}),
    frozenset({"class-weights", "loss", "match-shapes", "remove-sigmoid", "remove-softmax", "standardise-targets"}),
    frozenset({"activation", "insert-activation", "insert-batch-norm", "linear-output", "move-batch-norm",
               "sigmoid-output", "softmax-axis"}),
    frozenset({"optimise-all-parameters", "unfreeze"}),
)  # fmt: skip
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
    (frozenset({"call-step", "lr", "optimise-all-parameters", "optimizer", "unfreeze", "weight-decay"}),
     lambda code: bool(optimizer_calls(code))),
    (frozenset({"call-step", "clear-gradients", "clip-norm", "evaluation-mode", "flip-sign", "loss", "match-shapes",
                "remove-sigmoid", "remove-softmax", "train-mode"}),
     lambda code: bool(code.methods("backward") or losses(code))),
    (frozenset({"batch-size", "shuffle"}), lambda code: bool(code.calls_of(LOADERS))),
    (frozenset({"constant-schedule"}), lambda code: any("lr_scheduler" in one for one in code.imported.values())),
    (frozenset({"activation", "dropout", "insert-activation", "insert-batch-norm", "linear-output", "move-batch-norm",
                "remove-sigmoid", "remove-softmax", "sigmoid-output", "softmax-axis", "unfreeze"}),
     lambda code: bool(module_classes(code) or any(module_name(code, call) for call in code.calls()))),
)  # fmt: skip

# The patcher's own values where a remedy has none.
WITHOUT_VALUE = {"activation": "relu", "insert-activation": "relu"}


@dataclass(frozen=True)
class Change:
    """A remedy written into the text.

    Attributes:
        remedy: Which.
        at: Characters of the written text where it can be seen.
    """

    remedy: Remedy
    at: tuple[int, ...] = field(repr=False)


def edits_for(code: Code, remedy: Remedy, wanted: Wanted) -> list[Edit] | None:
    """What must be edited for one remedy; None where that is not sure."""
    writer = WRITERS.get(remedy.name)
    value = remedy.value or WITHOUT_VALUE.get(remedy.name, "")
    if writer is None or (remedy.name in NUMBERS and not NUMBER.fullmatch(value)):
        return None
    edits = writer(code, value, wanted)
    if not edits:
        return None
    try:
        Code(edited(code.text, edits)[0])
    except (SyntaxError, ValueError):
        return None
    return edits


def write_all(
    text: str, remedies: Sequence[Remedy], arguments: Sequence[str], others: Sequence[Code] = ()
) -> tuple[str, list[Change]]:
    """The text with all remedies in it that can be written surely, each into what the ones before have left.

    Args:
        text: The script's.
        remedies: What to write.
        arguments: Of the command line.
        others: Modules beside the script that it imports: what they may hold, too, is not sure.

    Returns:
        The text and what was written into it.
    """
    wanted = {remedy.name: remedy.value for remedy in remedies}
    left = [
        remedy for remedy in remedies
        if not any(len(group & wanted.keys()) > 1 for group in APART if remedy.name in group)
        and not any(holds(code) for code in others for names, holds in HELD if remedy.name in names)
    ]  # fmt: skip
    while True:
        result, changes = _written(text, left, wanted, arguments)
        done = {change.remedy.name for change in changes}
        undone = {name for group in TOGETHER for name in group & wanted.keys() if not group & wanted.keys() <= done}
        keep = [remedy for remedy in left if remedy.name in done - undone]
        if len(keep) == len(changes):
            return result, changes
        left = keep


def _written(
    text: str, remedies: Sequence[Remedy], wanted: Wanted, arguments: Sequence[str]
) -> tuple[str, list[Change]]:
    changes: list[Change] = []
    order = list(WRITERS)
    for remedy in sorted(remedies, key=lambda one: order.index(one.name) if one.name in order else -1):
        edits = edits_for(Code(text, arguments), remedy, wanted)
        if edits is None:
            continue
        text, marks = edited(text, edits)
        changes = [Change(one.remedy, tuple(moved(at, edits) for at in one.at)) for one in changes]
        changes.append(Change(remedy, tuple(mark + _leading(edit) for mark, edit in zip(marks, edits, strict=True))))
    return text, changes


def moved(at: int, edits: Sequence[Edit]) -> int:
    """Where a character is after edits."""
    return at + sum(len(edit.text) - (edit.end - edit.start) for edit in edits if edit.start <= at)


def _leading(edit: Edit) -> int:
    """Line ends and commas that an edit begins with: what it is about stands behind them."""
    return len(edit.text) - len(edit.text.lstrip(",; \t\r\n"))
