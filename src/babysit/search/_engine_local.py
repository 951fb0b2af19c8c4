"""The engine of this process: trials trained together here, on its cores or its GPU."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from babysit.data import Prepared
from babysit.nn import MakeNetwork, build
from babysit.record import (
    Decision,
    InputError,
    Trial,
    TrialProgress,
    TrialScore,
    Until,
    never_stop,
    silent,
    steps_for,
)
from babysit.training import (
    Cohort,
    Fold,
    Layout,
    Member,
    PhaseNumbers,
    Starts,
    choose_device,
    pack_members,
    unpack_members,
)


class LocalEngine:
    """Trains trials in this process; an `Engine`.

    Args:
        prepared: The data.
        folds: Pairs (train, held out) of row numbers, as `babysit.data.k_folds` gives them, for trials of a fold.
        device: As a recipe names it; auto takes CUDA, then MPS, then the CPU.
        layout: How trials are computed; auto measures what is fastest.
        make: Makes networks: a `NetworkFactory` where a function of the user's does.

    Raises:
        RecipeError: This machine has no such device.

    Example:
        >>> from babysit.data import prepare
        >>> from babysit.record import Recipe, with_settings
        >>> from babysit.training import decide
        >>> prepared = prepare(Recipe(), "iris")
        >>> recipes = [decide(with_settings(Recipe(), [f"lr={lr}"]), prepared)[0] for lr in (1e-5, 1e-2)]
        >>> engine = LocalEngine(prepared)
        >>> scores = engine.train([Trial(number, recipe) for number, recipe in enumerate(recipes)], until_step=60)
        >>> scores[1].score > scores[0].score, scores[0].step
        (True, 60)
    """

    def __init__(
        self,
        prepared: Prepared,
        *,
        folds: Sequence[Fold] = (),
        device: str = "auto",
        layout: Layout = "auto",
        make: MakeNetwork = build,
    ) -> None:
        self._device = choose_device(device)
        self._cohort = Cohort(Starts(prepared, folds, self._device, make), layout)
        self._members: dict[int, Member] = {}

    def train(
        self,
        trials: Sequence[Trial],
        until_step: Until,
        *,
        stop: Callable[[], bool] = never_stop,
        progress: Callable[[TrialProgress], object] = silent,
    ) -> dict[int, TrialScore]:
        """Train each trial further until it has taken `until_step` steps, then score it on the validation rows.

        Args:
            trials: Any shapes, any folds; numbers must differ.
            until_step: Steps since the trial's beginning: one number for all, or one for each trial. A trial's own
                budget may end it earlier.
            stop: Asked a few times a second; True ends the call soon.
            progress: Receives where it stands, a few times a second.

        Returns:
            A score for each trial that arrived, by number; after a stop some are missing.

        Raises:
            InputError: A recipe that does not fit the data, a fold that is not there, or two trials of one number.
        """
        until = steps_for(trials, until_step)
        members = [self._member(trial) for trial in trials]
        self._members |= {member.trial.number: member for member in members}
        measured = self._cohort.train(members, until, stop, progress)
        arrived = [member for member in members if not self._cohort.due(member, until[member.trial.number])]
        self._score([member for member in arrived if _unscored(member)], measured)
        return {member.trial.number: member.score for member in arrived if member.score is not None}

    def _member(self, trial: Trial) -> Member:
        held = self._members.get(trial.number)
        if held is None:
            return self._cohort.begin(trial)
        if held.trial is not trial and held.trial != trial:
            raise InputError(
                f"trial {trial.number} was begun with another recipe",
                cause="the number is used twice",
                write="engine.drop([number]) before it is used again",
            )
        return held

    def _score(self, members: Sequence[Member], measured: Mapping[int, PhaseNumbers]) -> None:
        """Score those that have taken steps since their last score."""
        for member in members:
            course, numbers = member.course, measured.get(member.trial.number)
            loss = float("nan") if numbers is None else numbers.loss
            chance = numbers is not None and self._cohort.answers_by_chance(member, numbers)
            member.score = TrialScore(
                trial=member.trial.number,
                step=course.step,
                loss=loss,
                score=float("nan") if numbers is None else numbers.score,
                score_name=self._cohort.score_name if numbers is None else numbers.score_name,
                first_loss=course.first_loss,
                train_loss=course.train_loss,
                status=course.ended or ("chance" if chance else "alive"),
                seconds=member.seconds,
            )
            course.loss_sum, course.rows = 0.0, 0

    @property
    def side_by_side(self) -> int:
        """How many processes train at the same time, one on each core; 1 where none can be started."""
        return self._cohort.side_by_side

    @property
    def numbers(self) -> list[int]:
        """Numbers of the trials that the engine holds."""
        return [*self._members]

    def score_of(self, number: int) -> TrialScore | None:
        """The latest score of a trial that is held; None before its first."""
        return self._held_or_failed(number).score

    def drop(self, numbers: Collection[int]) -> None:
        """Forget trials and free what they held; numbers that are not held are ignored."""
        gone = [number for number in numbers if self._members.pop(number, None) is not None]
        self._cohort.forget(gone)
        if gone:
            # Survivors are views of memory that they shared with those dropped.
            for member in self._members.values():
                member.compact()

    def state(self, numbers: Collection[int] | None = None) -> bytes:
        """Everything held (or those trials alone) as the bytes of a safetensors file, the trials included."""
        chosen = [*self._members] if numbers is None else sorted(set(numbers) & self._members.keys())
        return pack_members([self._members[number] for number in chosen], self._cohort.plans)

    def restore(self, state: bytes) -> None:
        """Add what `state` wrote to what is held; trials of equal numbers are replaced.

        Raises:
            RunFolderError: The bytes are damaged.
        """
        members, self._cohort.plans = unpack_members(state, self._device)
        self._members |= {member.trial.number: member for member in members}

    def predict(
        self, numbers: Collection[int], phase: Literal["train", "validation", "test"]
    ) -> dict[int, npt.NDArray[np.float32]]:
        """Answers for the rows of a phase, in the split's order, by trial.

        Raises:
            InputError: A trial that is not held, or that has failed.
        """
        return {number: self._cohort.answer(self._held(number), phase).float().numpy() for number in numbers}

    def weights(self, number: int) -> bytes:
        """The trial's whole model, preprocessing included, as `babysit.training.pack_weights` writes it.

        Raises:
            InputError: The trial is not held, or has failed.
        """
        return self._cohort.weights(self._held(number))

    def _held_or_failed(self, number: int) -> Member:
        member = self._members.get(number)
        if member is None:
            raise InputError(f"trial {number} is not held", cause="it was dropped, or never trained here")
        return member

    def _held(self, number: int) -> Member:
        member = self._held_or_failed(number)
        if member.failed:
            raise InputError(f"trial {number} {member.course.ended}, and answers nothing", legal="trials alive")
        return member

    def decisions(self) -> tuple[Decision, ...]:
        """What was decided so far on how to compute, with the measurements that decided it."""
        return self._cohort.decisions()

    def close(self) -> None:
        """Free everything; the engine cannot be used any more."""
        self._members.clear()
        self._cohort.close()


def _unscored(member: Member) -> bool:
    return member.score is None or member.score.step < member.course.step
