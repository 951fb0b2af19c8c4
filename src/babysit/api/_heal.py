"""heal: diagnose, rehearse the remedies, recommend the smallest combination that works and say what it did."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from babysit.api._result import Result, shown
from babysit.api._subjects import subject_of
from babysit.api._traces_kept import TracesKept
from babysit.record import Effect, Finding, Healing, InputError, Progress, Recipe, Remedy, Trace, Tried, silent
from babysit.rehearsal import (
    HEAL_SECONDS,
    TO_THE_END,
    OptimizerLike,
    PatchedCopy,
    Subject,
    pre_flight,
)
from babysit.rehearsal import heal as heal_subject
from babysit.reports import (
    account_of_healing,
    effect_text,
    healing_headline,
    healing_renderable,
    render_account,
    reproduction,
    svg_bars,
    tried_line,
)

STEPS = 300  # of a rehearsal of live objects or a recipe, which have no end of their own
CHECK_SHARE = 0.3  # of the time, for their pre-flight: it sees more than a watched training alone


@dataclass(frozen=True, repr=False)
class Healed(Result):
    """What `heal` answers.

    Attributes:
        healing: Everything that was found and tried.
        subject: What was healed.
        trace: What was measured of the training as it is.
        healed_trace: What was measured of it with the remedies; None where that was not measured.
    """

    healing: Healing
    subject: Subject
    trace: Trace = field(default_factory=Trace)
    healed_trace: Trace | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, causes first."""
        return self.healing.findings

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong: no finding beyond notes, and no remedy that does better."""
        well = not self.remedies and not self.healing.mended and self.judged
        return well and all(finding.severity == "note" for finding in self.findings)

    @property
    def judged(self) -> bool:
        """Whether it can be said that something or nothing is wrong: with nothing found, it has to be seen to learn."""
        return not self.healing.unjudged

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it; what was known by then is here."""
        return self.healing.interrupted

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """The smallest combination that works; empty when none was found."""
        return self.healing.remedies

    @property
    def effect(self) -> Effect | None:
        """What the remedies did, seed by seed, beside the baseline; None without remedies."""
        return self.healing.effect

    @property
    def tried(self) -> tuple[Tried, ...]:
        """Everything that was rehearsed, the best first."""
        return self.healing.tried

    @property
    def advice(self) -> tuple[str, ...]:
        """How to write the remedies, a line for each."""
        return self.healing.advice

    def apply(self, path: str | pathlib.Path) -> PatchedCopy:
        """Write the remedies into a copy of the script, never over the script itself, and rehearse the copy.

        Args:
            path: The copy: a new file, or an earlier copy.

        Raises:
            InputError: The subject is not a script, no remedy was found, or the path is the script's own or another
                file that is there; nothing is written then.
        """
        self.subject.check_copy(pathlib.Path(path))
        if not self.remedies and not self.healing.mended:
            raise InputError("there is no remedy to write into a copy", cause="heal found none that works")
        return self.subject.patched_copy((*self.remedies, *self.healing.mended), pathlib.Path(path))

    def _record(self) -> Healing:
        return self.healing

    def _title(self) -> str:
        return healing_headline(self.healing).plain

    def _reasons(self) -> Sequence[str]:
        told = [f"write: {line}" for line in self.advice]
        if self.effect is not None:
            told.append(f"effect: {effect_text(self.effect)}")
        still = [f"still wrong under the remedies: {', '.join(one.name for one in self.healing.left)}"]
        return [*told, *(still if self.healing.left else [])]

    def _page(self, command: str = "") -> str:
        made = reproduction(self.healing.subject, command, self.healing.seconds)
        return render_account(account_of_healing(self.healing, self.trace, self.healed_trace, made))

    def _picture(self) -> str:
        done = [one for one in self.tried if not one.refused and one.share == 1]
        return svg_bars([(" ".join(map(str, one.remedies)), one.gain) for one in done])

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [healing_renderable(self.healing)]
        if self.healing.patched:
            parts.append(Text(f"\npatched copy: {self.healing.patched}"))
        return Group(*parts)


def heal(
    subject: nn.Module | Recipe | Subject | str | pathlib.Path | object,
    loss: Callable[..., Tensor] | None = None,
    loader: Iterable[Any] | None = None,
    optimizer: OptimizerLike | None = None,
    *,
    validation: Iterable[Any] | None = None,
    scheduler: LRScheduler | None = None,
    step: Callable[[nn.Module, Any], Tensor] | None = None,
    target: str | None = None,
    settings: Iterable[str] = (),
    arguments: Sequence[str] = (),
    module: bool = False,
    unprotected: bool = False,
    network: bool = False,
    seconds: float = HEAL_SECONDS,
    steps: int | None = None,
    seeds: int = 3,
    seed: int = 0,
    ignore: Sequence[str] = (),
    apply: str | pathlib.Path | None = None,
    progress: Progress = silent,
) -> Healed:
    """Find the smallest combination of remedies that heals a training, and measure what it does.

    The training as it is, the baseline, is watched. Remedies that its findings recommend, then those that any training
    may need, are rehearsed on the same rows, order and first weights. The best are combined, what is not needed is left
    out, and what remains is compared with the baseline on further seeds. Nothing of yours is changed: live objects are
    afterwards as they were, and a script runs in processes of its own, in a scratch folder.

    Args:
        subject: A network, with loss, loader and optimizer beside it; a script (a .py file); or a Recipe, its file, or
            data as `fit` takes it.
        loss: Of (outputs, targets); None where the network gives its loss itself.
        loader: Of training batches: (inputs, targets), or a mapping.
        optimizer: An optimizer, or a function that makes one from parameters.
        validation: Loader of the validation rows.
        scheduler: The scheduler of the learning rate; it is restored, and the rate is kept constant.
        step: The loss of a batch, in place of `loss`: `step(network, batch)`.
        target: Of data: the column to learn.
        settings: Of data and recipes: changes to the recipe, as `path=value`.
        arguments: Of a script: its own arguments.
        module: Whether the subject is the name of a module to run, as in `python -m`.
        unprotected: Of a script: let its rehearsals write to your files, where the system cannot keep them away.
        network: Of a script: let its rehearsals reach the network.
        seconds: Time limit in seconds.
        steps: Steps of each rehearsal; 300. A script runs to its own end.
        seeds: How many seeds the recommended remedies are compared with the baseline on.
        seed: The first of them.
        ignore: Findings to ignore, by name.
        apply: Where to write a patched copy of the script; never over the script itself.
        progress: Receives progress events.

    Returns:
        `.remedies`, `.effect` (what they did, seed by seed), `.findings`, `.tried`, `.advice`.

    Raises:
        InputError: The subject cannot be healed, or an argument does not fit it.

    Example:
        >>> import torch
        >>> inputs = torch.randn(64, 4)
        >>> batches = [(inputs, inputs @ torch.tensor([[1.0], [2.0], [0.0], [1.0]]))]
        >>> net = nn.Linear(4, 1)
        >>> found = heal(net, nn.MSELoss(), batches, torch.optim.SGD(net.parameters(), lr=1e-3), seconds=20, steps=60)
        >>> found.remedies[0].name in ("lr", "optimizer")
        True

    Source: the order of what to look at is CS231n's, lectures 6 and 7; rungs are successive halving (Jamieson and
    Talwalkar 2016).
    """
    made = subject_of(
        subject,
        loss,
        loader,
        optimizer,
        validation,
        scheduler,
        step,
        target,
        settings,
        arguments,
        module,
        unprotected=unprotected,
        network=network,
    )
    if apply is not None:
        made.check_copy(pathlib.Path(apply))
    wanted = steps if steps is not None else TO_THE_END if made.own_end else STEPS
    with made, shown(progress) as seen:
        kept = TracesKept(seen)
        known: Sequence[Finding] | None = None
        if made.has_live_parts:
            skip = ("rate-range",)  # rates are tried here as remedies
            checked = pre_flight(made, skip=skip, seconds=CHECK_SHARE * seconds, steps=STEPS, seed=seed, ignore=ignore)
            known = checked.findings
        found = heal_subject(
            made,
            seconds=seconds,
            steps=wanted,
            seeds=seeds,
            seed=seed,
            ignore=ignore,
            findings=known,
            progress=kept,
        )
    written = (*found.remedies, *found.mended)
    found = dataclasses.replace(
        found,
        findings=made.located(found.findings, _tried_for(found)),
        notes=made.notes(),
        advice=made.advice_for(written),
        diff=made.diff_of(written),
    )
    if apply is None or not written:
        return Healed(found, made, kept.before, kept.after)
    copy = made.patched_copy(written, pathlib.Path(apply))
    note = f"the patched copy, run in a scratch folder, came to {copy.outcome}"
    found = dataclasses.replace(found, patched=str(copy.path), diff=copy.diff, notes=(*found.notes, note))
    return Healed(found, made, kept.before, kept.after)


def _tried_for(found: Healing) -> dict[str, tuple[tuple[Remedy, ...], str]]:
    """By the name of a finding, the remedies that treat it: those recommended, else the best that was tried for it."""
    told: dict[str, tuple[tuple[Remedy, ...], str]] = {}
    for one in sorted((one for one in found.tried if not one.refused and one.gain > 0), key=lambda one: -one.gain):
        told.setdefault(one.because, (one.remedies, tried_line(one).plain.strip()))
    if found.effect is not None:
        names = {remedy.name for remedy in found.remedies}
        asked = {one.because for one in found.tried if {remedy.name for remedy in one.remedies} & names}
        did = f"{' '.join(map(str, found.remedies))}: {effect_text(found.effect)}"
        for finding in found.findings:
            if finding.name in asked or names & {remedy.name for remedy in finding.remedies}:
                told[finding.name] = (found.remedies, did)
    told.pop("", None)
    return told
