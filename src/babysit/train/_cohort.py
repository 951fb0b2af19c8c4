"""Cohort: trials of one search trained side by side, stacked where that is faster, alone where it is not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from typing import Literal

import torch
from torch import Tensor

from babysit.record import Decision, Trial, TrialProgress
from babysit.train._batches import in_order
from babysit.train._cohort_stack import Stack, kind_of
from babysit.train._model import pack_weights
from babysit.train._phase import PhaseNumbers
from babysit.train._trial_alone import Alone, measure_alone
from babysit.train._trial_member import Member
from babysit.train._trial_rules import Constant, at_chance, constant_answer
from babysit.train._trial_starts import Starts

Layout = Literal["auto", "alone", "stacked"]


class Cohort:
    """Trains members, whatever their shapes; it holds none of them.

    Args:
        starts: Where trials begin.
        layout: How members are computed; auto measures which is fastest.
    """

    def __init__(self, starts: Starts, layout: Layout = "auto") -> None:
        self._starts = starts
        self._layout = layout
        self._constants: dict[object, Constant] = {}

    def begin(self, trial: Trial) -> Member:
        """A trial before its first step.

        Raises:
            InputError: Its recipe does not fit the data.
        """
        self._starts.of(trial)
        return Member(trial, dict(self._starts.first_weights(trial)))

    def due(self, member: Member, until: int) -> int:
        """Steps it has to take until it stands at `until`, or where its own budget ends it."""
        if member.course.ended:
            return 0
        return max(0, min(until, member.steps(len(self._starts.of(member.trial).examples.train))) - member.course.step)

    def train(
        self, members: Sequence[Member], until: int, stop: Callable[[], bool], tell: Callable[[TrialProgress], None]
    ) -> dict[int, PhaseNumbers]:
        """Bring each member to `until` steps, or as near as its budget or a disease lets it; `stop` ends it sooner.

        Returns:
            Validation loss and score, by number, of those that took steps, arrived and have not failed.
        """
        watch = _Watch(sum(self.due(member, until) for member in members), members, stop, tell)
        measured: dict[int, PhaseNumbers] = {}
        for group in self._groups(members, until):
            if watch.asked:
                break
            starts = [self._starts.of(member.trial) for member in group]
            constants = [self.constant(member).train_loss for member in group]
            if self._layout == "alone" or starts[0].unstackable:
                for member, start, constant in zip(group, starts, constants, strict=True):
                    Alone(start, member, constant).train(until, watch.look)
                found = [measure_alone(start, member) for member, start in zip(group, starts, strict=True)]
            else:
                stack = Stack(starts, group, constants)
                stack.train(until, watch.look)
                found = stack.measure()
            for member, start, numbers in zip(group, starts, found, strict=True):
                if member.course.ended == "stopped":
                    measured[member.trial.number] = measure_alone(start, member)
                elif not member.failed and not self.due(member, until):
                    measured[member.trial.number] = numbers
        return measured

    def _groups(self, members: Sequence[Member], until: int) -> list[list[Member]]:
        """Those with steps to take, by kind and by where they stop."""
        groups: dict[Hashable, list[Member]] = {}
        for member in members:
            if due := self.due(member, until):
                kind = kind_of(member, self._starts.of(member.trial))
                groups.setdefault((kind, due), []).append(member)
        return [*groups.values()]

    def constant(self, member: Member) -> Constant:
        """What a constant answer costs under the member's loss, on its rows."""
        trial = member.trial
        key = (trial.fold, trial.recipe.loss, trial.recipe.preprocessing)
        if key not in self._constants:
            start = self._starts.of(trial)
            self._constants[key] = constant_answer(start.loss, start.examples, start.outputs)
        return self._constants[key]

    def answers_by_chance(self, member: Member, measured: PhaseNumbers) -> bool:
        """Whether what was measured is no better than a constant answer."""
        return at_chance(measured, self.constant(member))

    @property
    def score_name(self) -> str:
        """accuracy or r2."""
        return "accuracy" if self._starts.prepared.task.kind == "classification" else "r2"

    def weights(self, member: Member) -> bytes:
        """Its whole model as the bytes of a safetensors file."""
        model = copy.deepcopy(self._starts.of(member.trial).model)
        model.network.load_state_dict(member.kept)
        return pack_weights(model)

    @torch.no_grad()
    def answer(self, member: Member, phase: str) -> Tensor:
        """Scores [N, C] or values [N] for the rows of a phase, on the CPU."""
        start = self._starts.of(member.trial)
        network = start.fresh_network(0.0).eval()
        network.load_state_dict(member.kept)
        rows = torch.from_numpy(self._starts.rows_of(member.trial.fold).split[phase])
        pieces = [
            start.model.answer(network(start.examples.cut(part)[0])).cpu() for part in in_order(rows) if len(part)
        ]
        return torch.cat(pieces) if pieces else torch.empty(0)

    def decisions(self) -> tuple[Decision, ...]:
        """What was decided on how to compute."""
        return ()


class _Watch:
    """Counts steps, asks whether to stop, and tells the progress."""

    def __init__(
        self, steps: int, members: Sequence[Member], stop: Callable[[], bool], tell: Callable[[TrialProgress], None]
    ) -> None:
        self.asked = False
        self._steps, self._members, self._stop, self._tell = steps, members, stop, tell
        self._done = 0
        self._losses: dict[int, float] = {}

    def look(self, taken: list[tuple[int, int, float]]) -> bool:
        """Told of each trial's steps and last loss; whether to stop."""
        for trial, steps, loss in taken:
            self._done += steps
            self._losses[trial] = loss
        alive = [member.trial.number for member in self._members if not member.failed]
        heard = [self._losses[number] for number in alive if number in self._losses]
        self._tell(TrialProgress(self._done, self._steps, len(alive), min(heard, default=float("nan"))))
        self.asked = self.asked or self._stop()
        return self.asked
