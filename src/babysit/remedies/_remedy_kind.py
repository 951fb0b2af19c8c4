"""RemedyKind: all there is to know of one remedy. Each is a class in a file of its own, listed in the registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from torch import nn

from babysit.record import NotAppliedError, Recipe, Remedy, Trace, with_settings
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._state import RehearsalState
from babysit.remedies._values import NoValue, Values

if TYPE_CHECKING:
    from babysit.remedies.source import Edits

# Where in a script's text a reader begins to look, where the exact line is not certain.
Where = Literal["backward", "evaluation", "initialisation", "loader", "loop", "loss", "network", "optimizer", "step"]
# What of a script another module may hold, too, so that the script's own text is not the only place of a remedy.
Held = Literal["loader", "network", "optimizer", "schedule", "training"]
# Remedies that are written at one place together, and mean something else where one of them is left out.
Together = Literal["", "loss", "network", "parameters", "steps"]
# What a training has one of, so that of two remedies that set it only one can be applied.
Alike = Literal["", "input scaling", "mode", "output activation"]


class RemedyKind:
    """All there is to know of one remedy.

    Each way of applying it says how, or why it cannot be: `not_recipe`, `not_live`, `not_script` and `not_source` hold
    the reasons, and are empty where there is a way.

    Attributes:
        name: Its text form without a value.
        summary: What it does, in a line; behind a colon an example with a value.
        values: Legal values, and usual ones.
        advice: What to write into a script, {value} in the place of its value.
        place: Where to look in a script, where the line is not certain.
        settings: Of a recipe, {value} in the place of its value; empty where it is not a setting.
        keeps_network: Whether a recipe's network need not be built again for it.
        new_loss: Whether the loss is another function afterwards, so that losses cannot be compared.
        new_scale: Whether the loss is on another scale afterwards.
        too_strong: The disease of too much of it, where it is a regularisation; empty where it is none.
        off: The value that takes such a regularisation off.
        for_tiny_batch: Its place among the remedies that are tried where a network cannot overfit the tiny batch, and
            the value to try; None where it is not among them.
        searched: Whether a search may have it as a setting of a script.
        of_the_text: Whether a script is changed in its text before it is run, not while it runs.
        unseen: Why a rehearsal of a recipe cannot show it, though the recipe can have it.
        unmet: Why it was not applied to a training in which nothing met it.
        written_with: Remedies that are written all together or not at all, by the name of their group.
        written_apart: Names of remedies beside which it is not written: each would count layers of the other.
        alike: What of a training it sets, of which there is one; empty where nothing else sets it.
        behind_probes: Whether probes still measure what the script has, not what takes its place.
        held_in: What of a script holds the place where it is written.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    values: ClassVar[Values] = NoValue()
    advice: ClassVar[str] = ""
    place: ClassVar[Where] = "loop"
    settings: ClassVar[tuple[str, ...]] = ()
    keeps_network: ClassVar[bool] = False
    new_loss: ClassVar[bool] = False
    new_scale: ClassVar[bool] = False
    too_strong: ClassVar[str] = ""
    off: ClassVar[str] = "0"
    for_tiny_batch: ClassVar[tuple[int, str | None] | None] = None
    searched: ClassVar[bool] = False
    of_the_text: ClassVar[bool] = False
    unseen: ClassVar[str] = ""
    unmet: ClassVar[str] = "nothing in the training met it"
    written_with: ClassVar[Together] = ""
    written_apart: ClassVar[frozenset[str]] = frozenset()
    alike: ClassVar[Alike] = ""
    behind_probes: ClassVar[bool] = False
    held_in: ClassVar[frozenset[Held]] = frozenset()
    not_recipe: ClassVar[str] = ""
    not_live: ClassVar[str] = ""
    not_script: ClassVar[str] = ""
    not_source: ClassVar[str] = ""

    def told(self, value: str) -> str:
        """A value as a script has it: `torch.optim.Adam` for `adam`."""
        return value

    def advice_for(self, remedy: Remedy) -> str:
        """What to write into a script, in a line."""
        return (self.advice or self.summary).replace("{value}", self.told(self.values.of(remedy)))

    def worth_trying(self, remedy: Remedy, trace: Trace, finding: str) -> list[Remedy]:
        """The remedy with the values that are worth trying.

        Args:
            remedy: As a finding recommends it.
            trace: Of the training.
            finding: The finding's name.

        Returns:
            Empty where it changes nothing that a rehearsal could show.
        """
        if self.not_live and self.not_script and not self.settings:
            return []
        if remedy.value is None and self.values.usual and self.values.default is None:
            return [Remedy(self.name, value) for value in self.values.usual]
        return [remedy]

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """Values to try on every training, whatever was found: each with its place in the order of all remedies."""
        return ()

    def in_use(self, trace: Trace, network: nn.Module | None = None) -> bool:
        """Whether the training has what the remedy sets to a value.

        Args:
            trace: Of the training.
            network: Where it can be reached.
        """
        return True

    def suspects(self, trace: Trace) -> Iterable[tuple[int, str, str]]:
        """Diseases that a trace alone hardly shows, and that the remedy proves where it helps.

        Each has its place in the order in which suspicions are tried, the value to try, and the name of the disease.
        """
        return ((2, self.off, self.too_strong),) if self.too_strong and self.in_use(trace) else ()

    def recipe(self, remedy: Remedy, recipe: Recipe) -> Recipe | None:
        """The recipe with the remedy; None where it is not a setting and acts on what the recipe builds.

        Raises:
            InputError: The value is not legal.
            NotAppliedError: The recipe has it already, or cannot have it.
        """
        self.values.check(remedy)
        if self.not_recipe:
            raise NotAppliedError.of([(str(remedy), self.not_recipe)])
        if not self.settings:
            return None
        changed = with_settings(recipe, [text.format(value=self.values.of(remedy)) for text in self.settings])
        if changed == recipe:
            raise NotAppliedError.of([(str(remedy), "the recipe says so already")])
        return changed

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """Apply it to live objects, before the first step; by default as to a running script.

        Raises:
            InputError: The value is not legal.
            NotAppliedError: These objects cannot take it.
        """
        self.values.check(remedy)
        if self.not_live:
            application.fail(self.not_live)
        self.script(remedy, state.applied, application)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Apply it to a script, before its first line: say what is to be done when its training comes.

        Raises:
            InputError: The value is not legal.
            NotAppliedError: No script can take it.
        """
        application.fail(self.not_script or "nobody has written how")

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Write it into a script's text; whether the place was certain. By default no remedy is written."""
        return False
