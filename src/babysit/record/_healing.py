"""Healing: remedies that were tried on a sick training, and what the recommended ones did."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from pydantic import Field, PlainSerializer, computed_field

from babysit.record._finding import Finding, RemedyText
from babysit.record._stored import Seconds, Share, Values, stored

HEALING_SCHEMA = 1


@stored
class Tried:
    """A remedy, or several together, that was rehearsed.

    Attributes:
        remedies: What was applied.
        gain: Share of the gap to a perfect score (or to a loss of 0) that it closed; below 0 it made things worse.
        outcome: What the rehearsal came to, by name.
        because: The finding that recommends it; empty for what is tried on every training.
        refused: Why it could not be applied to the subject; empty when it could.
        share: Of the training's steps that were rehearsed.
    """

    remedies: tuple[RemedyText, ...]
    gain: Share
    outcome: Values = field(default_factory=dict)
    because: str = ""
    refused: str = ""
    share: Annotated[Seconds, Field(alias="share of the steps")] = 1.0


@stored
class Effect:
    """What the recommended remedies did, seed by seed, compared with the baseline.

    Attributes:
        before: Outcomes of the baseline, the training as it is; one for each seed.
        after: Outcomes with the remedies, of the same seeds.
        gain: Median over the seeds of the share of the gap that was closed.
    """

    before: tuple[Values, ...]
    after: tuple[Values, ...]
    gain: Share

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seeds(self) -> int:
        """How many there were."""
        return len(self.before)


@stored
class NoEffect:
    """What stands in JSON for the effect where there is none: {}."""


def _or_none(effect: Effect | None) -> Effect | NoEffect:
    return NoEffect() if effect is None else effect


MaybeEffect = Annotated[Effect | None, PlainSerializer(_or_none, return_type=Effect | NoEffect, when_used="json")]


@stored
class Healing:
    """What healing came to.

    Attributes:
        subject: The training that was healed.
        findings: What is wrong, causes first.
        remedies: The fewest remedies that work; empty when none was found.
        effect: What they did; None without remedies.
        tried: Everything rehearsed, the best first.
        advice: What to write in the source, a line for each remedy.
        seconds: How long it took.
        runs: Number of rehearsals.
        steps: Optimizer steps of all rehearsals together.
        notes: What the reader should know, such as files written outside the scratch folder.
        interrupted: Whether the user stopped it; what was known by then is here.
        mended: Remedies of faults that were found and that the score does without; each was tried and does no harm.
        left: What is still wrong under the remedies, causes first.
        unjudged: Why nothing can be said of a training in which nothing was found: it was not seen to learn.
        seconds_wanted: The time limit in seconds that would do for all that the findings ask for; 0 where all of it
            was tried.
        patched: Path of the patched copy, where one was asked for and there was something to write.
        diff: The remedies as changes of the script's text, and of modules in its folder: a unified diff.
    """

    schema: int = field(default=HEALING_SCHEMA, kw_only=True)
    subject: str
    findings: tuple[Finding, ...]
    remedies: tuple[RemedyText, ...]
    effect: MaybeEffect
    tried: tuple[Tried, ...]
    advice: tuple[str, ...] = ()
    seconds: Seconds = 0.0
    runs: int = 0
    steps: int = 0
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    mended: tuple[RemedyText, ...] = ()
    left: tuple[Finding, ...] = ()
    unjudged: str = ""
    seconds_wanted: Seconds = 0.0
    patched: str = ""
    diff: str = Field(default="", repr=False)
