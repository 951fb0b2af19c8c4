"""Trials of a search, their scores, and the contract between a search and the engines that train them.

A search says which trials are trained to which rung. An engine trains them, stacked in this process or spread over
several machines, and returns a score for each. A trial's result follows from the trial alone: not from the trials
beside it, not from when it was stopped and resumed, not from the engine (to float rounding).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from babysit.record._errors import InputError
from babysit.record._recipe import Recipe
from babysit.record._stored import stored
from babysit.record._summary import Decision

TrialStatus = Literal["alive", "stopped", "diverged", "exploded", "chance"]
Setting = float | int | str | bool


@stored
class Trial:
    """One point of a search.

    Attributes:
        number: Unique in the Study; names the trial, and draws nothing.
        recipe: Every decision filled in (`babysit.training.decide`). Its `seed` makes every random draw of the trial:
            first weights, the order of rows, dropout. Trials of one seed see the same rows in the same order, so that
            a batch is fetched and preprocessed once for all of them: give a search one seed unless luck itself is
            studied. Its budget's epochs are the length of the schedule, however early a rung ends it.
        settings: What the search chose, by recipe path, such as `optimizer.lr`; for people, `recipe` holds them.
        fold: Which of the folds the engine was given; None is the data's own split.
    """

    number: int
    recipe: Recipe
    settings: Mapping[str, Setting] = field(default_factory=dict)
    fold: int | None = None


@dataclass(frozen=True, slots=True)
class TrialScore:
    """The score of a trial at a rung.

    Attributes:
        trial: Its number.
        step: Steps it has taken; fewer than were asked for when its own budget, its patience or a disease ended it.
        loss: Mean loss over the validation rows, penalties left out; NaN for a trial that diverged.
        score: `score_name` over the validation rows: higher is better; NaN for a trial that diverged.
        score_name: accuracy or r2.
        first_loss: Loss of its first batch, before any step, penalties left out.
        train_loss: Mean loss of the rows of its batches since the score before this one, penalties left out.
        status: `alive`; `stopped` when its patience is spent (its best weights are kept, and scored); `diverged` when
            a loss was NaN or infinite; `exploded` when the mean loss of ten steps was more than three times the first;
            `chance` when it answers no better than a constant would. What diverged or exploded is not trained on and
            cannot be asked for predictions; what is at chance or stopped can.
        seconds: Its share of the time spent on it so far.
    """

    trial: int
    step: int
    loss: float
    score: float
    score_name: str
    first_loss: float
    train_loss: float
    status: TrialStatus
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether it can never be trained on."""
        return self.status in ("diverged", "exploded")


class TrialProgress(NamedTuple):
    """Where a call of `Engine.train` stands; told a few times a second."""

    done: int  # steps of trials taken in this call
    steps: int  # steps of trials this call was asked for
    alive: int  # trials that neither diverged nor exploded
    loss: float  # lowest loss of a batch among them; NaN before the first


Until = int | Mapping[int, int]  # the same step for all, or each trial's own by its number
Arrays = Mapping[int, npt.NDArray[np.float32]]


def never_stop() -> bool:
    """A `stop` that lets an engine work to the end."""
    return False


def steps_for(trials: Sequence[Trial], until_step: Until) -> dict[int, int]:
    """The step to which each trial is trained, by its number.

    Raises:
        InputError: Two trials of one number, or a trial without a step.

    Example:
        >>> steps_for([Trial(3, Recipe()), Trial(4, Recipe())], 100)
        {3: 100, 4: 100}
    """
    numbers = [trial.number for trial in trials]
    if len(set(numbers)) < len(numbers):
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        raise InputError(f"two trials have the number {twice[0]}", legal="different numbers for all trials")
    if isinstance(until_step, int):
        return dict.fromkeys(numbers, until_step)
    missing = [number for number in numbers if number not in until_step]
    if missing:
        raise InputError(
            f"until_step names no step for trial {missing[0]}", legal="one step for all, or one for each trial"
        )
    return {number: until_step[number] for number in numbers}


class Engine(Protocol):
    """Trains trials to rungs. It holds each trial it was given, with all that going on needs, until it is dropped.

    An engine is made for one set of rows (and folds of them); how it does so is not prescribed. The calls:

    - `train` may be called any number of times, for any of the trials, to rising steps. Trials it does not know yet
      begin; others go on from where they stand.
    - `state` between two calls of `train` and `restore` in another process give the same numbers as if nothing had
      happened, bit for bit on the same machine. What was measured to choose how to compute travels in the state, too.
    - A call of `train` that was stopped leaves every trial in order, between two steps.

    Attributes:
        side_by_side: Trials that it trains at the same time, each in a place of its own; with fewer, places stay idle.
    """

    @property
    def side_by_side(self) -> int: ...

    def train(
        self,
        trials: Sequence[Trial],
        until_step: Until,
        *,
        stop: Callable[[], bool] = never_stop,
        progress: Callable[[TrialProgress], object] = ...,
    ) -> dict[int, TrialScore]:
        """Train each trial from where it stands until it has taken `until_step` steps, then validate it.

        Args:
            trials: Any shapes, any folds; numbers must differ.
            until_step: Steps since the trial's beginning, of all or by number. Its own budget ends it earlier.
            stop: Asked a few times a second; True ends the call soon.
            progress: Receives where it stands, a few times a second.

        Returns:
            A score for each trial that arrived, by number; after a stop some are missing. A trial that has failed
            before, or already stands at `until_step` or beyond, gets the score it had.

        Raises:
            InputError: A recipe that does not fit the data, or a fold that is not there.
        """

    def drop(self, numbers: Collection[int]) -> None:
        """Forget trials and free what they held; numbers that are not held are ignored."""

    def state(self, numbers: Collection[int] | None = None) -> bytes:
        """Everything held (or those trials alone) as the bytes of a safetensors file, the trials included."""

    def restore(self, state: bytes) -> None:
        """Add what `state` wrote to what is held; trials of equal numbers are replaced.

        Raises:
            RunFolderError: The bytes are damaged.
        """

    def predict(self, numbers: Collection[int], phase: Literal["train", "validation", "test"]) -> Arrays:
        """Answers for the rows of a phase, in the split's order, by trial.

        For classes scores (logits) [N, C], whose softmax are the probabilities; for numbers values [N] in the target's
        own unit. Of a fold, the validation rows are those held out.

        Raises:
            InputError: A trial that is not held, or that has failed.
        """

    def weights(self, number: int) -> bytes:
        """The trial's whole model, preprocessing included, as `babysit.training.pack_weights` writes it.

        Raises:
            InputError: The trial is not held, or has failed.
        """

    def decisions(self) -> tuple[Decision, ...]:
        """What was decided so far on how to compute, with the measurements that decided it."""

    def close(self) -> None:
        """Free everything; the engine cannot be used any more."""
