"""`epochs`: more epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from babysit.record import Remedy, Trace
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._values import Number

if TYPE_CHECKING:
    from babysit.remedies.source import Edits

MORE = 3  # times as many


class Epochs(RemedyKind):
    """More epochs."""

    name = "epochs"
    summary = "train for more epochs: epochs=50"
    values = Number("30", least=1, whole=True, of="a number of epochs")
    settings = ("budget.epochs={value}",)
    of_the_text = True
    advice = "in the loop over epochs: range({value})"
    place = "loop"
    unseen = "a rehearsal of a recipe takes a number of steps, however many epochs the recipe has"
    not_live = "a rehearsal of live objects takes a number of steps, and has no loop over epochs"
    not_script = "the number of epochs is changed in a script's text, before it is run"

    def worth_trying(self, remedy: Remedy, trace: Trace, finding: str) -> list[Remedy]:
        """Three times as many; none where it is not known how many there are."""
        more = self.more(trace)
        return [] if more is None else [more]

    def suspects(self, trace: Trace) -> Iterable[tuple[int, str, str]]:
        """That a longer training would be a better one."""
        more = self.more(trace)
        return () if more is None or more.value is None else ((3, more.value, "stopped-too-early"),)

    def more(self, trace: Trace) -> Remedy | None:
        """Three times as many epochs; None where it is not known how many there are."""
        epochs = trace.facts.get("epochs", "")
        return Remedy(self.name, str(MORE * int(epochs))) if epochs.isdecimal() and int(epochs) else None

    def number(self, remedies: Sequence[Remedy]) -> int | None:
        """How many epochs remedies ask for; None where none does.

        Raises:
            InputError: The value is not a number of epochs.
        """
        mine = [one for one in remedies if one.name == self.name]
        return int(self.values.number(mine[-1])) if mine and isinstance(self.values, Number) else None

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another number in the loop over epochs."""
        from babysit.remedies.source import write_epochs

        return write_epochs(edits, self.values.of(remedy))
