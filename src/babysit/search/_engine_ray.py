"""The engine of many machines: shards of a cohort trained by actors on Ray Core.

    driver    cuts the trials of a rung into shards, hands each to an idle worker, gathers scores and states
    worker    an actor with one core; trains the shard it is given from the state it is given, and keeps nothing

The trials of a shard are chosen by the trials alone, and every worker computes in the same fixed way. So the same seed
gives the same answer with any number of workers. If a worker dies, another one trains its shard again from where it
stood: no trial is lost, and none is counted twice. The data is put into the object store once. Nodes that join or leave
are noticed between two looks at the cluster; new ones get the next shards.
"""

from __future__ import annotations

import collections
import itertools
import json
import math
import os
import secrets
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from babysit.data import Prepared
from babysit.nn import MakeNetwork, build
from babysit.record import (
    Decision,
    InputError,
    MissingExtraError,
    Trial,
    TrialProgress,
    TrialScore,
    Until,
    never_stop,
    silent,
    steps_for,
)
from babysit.search._engine_local import LocalEngine
from babysit.training import Fold

SHARD = 24  # trials that a worker is given at once, at most: enough to stack, few enough to spread
LOOK_EVERY = 0.25  # seconds between two looks at stop, progress and new nodes
GROW_EVERY = 2.0  # seconds between two looks for cores that are free
# Trials that count as trained at the same time: a fixed number, as the answer must not depend on the workers there are.
SIDE_BY_SIDE = 8
MOST_DEATHS = 5  # of workers that train one shard; then the shard itself is the cause


class RayEngine:
    """Trains trials on a Ray cluster; an `Engine`.

    Args:
        prepared: The data.
        folds: Pairs (train, held out) of row numbers.
        address: `local` for a cluster on this machine, `auto` for the one this machine belongs to, or HOST:PORT.
        workers: At most so many; None takes every core there is.
        shard: Trials in a shard, at most; None spreads few trials over more workers.
        make: Makes networks; it travels to the workers.

    Raises:
        MissingExtraError: Ray is not installed.
        InputError: There is no cluster at the address.
    """

    def __init__(
        self,
        prepared: Prepared,
        *,
        folds: Sequence[Fold] = (),
        address: str = "local",
        workers: int | None = None,
        shard: int | None = None,
        make: MakeNetwork = build,
    ) -> None:
        self._ray = connected(address)
        self._shard, self._most = shard, workers
        # What the driver holds: the scores, the state of each trial, and an engine that reads such states.
        self._here = LocalEngine(prepared, folds=folds, device="cpu", make=make)
        self._scores: dict[int, TrialScore] = {}
        self._states: dict[int, bytes] = {}
        self._data = self._ray.put((prepared, tuple(folds), make))
        self._workers: dict[int, Any] = {}
        self._names = itertools.count()
        self._looked = 0.0
        self._deaths = 0
        self._nodes: set[str] = set()
        self._most_workers = 0

    def train(
        self,
        trials: Sequence[Trial],
        until_step: Until,
        *,
        stop: Callable[[], bool] = never_stop,
        progress: Callable[[TrialProgress], object] = silent,
    ) -> dict[int, TrialScore]:
        """Train each trial from where it stands until it has taken `until_step` steps, then validate it.

        Args:
            trials: Any shapes, any folds; numbers must differ.
            until_step: Steps since the trial's beginning, of all or by number.
            stop: Asked a few times a second; True ends the call soon, and what is under way is done again later.
            progress: Receives where it stands, a few times a second.

        Raises:
            InputError: A recipe that does not fit the data, or two trials of one number.
        """
        until = steps_for(trials, until_step)
        waiting = collections.deque(enumerate(shards_by_step(trials, until, self._shard)))
        deaths: collections.Counter[int] = collections.Counter()
        running: dict[Any, tuple[int, list[Trial], int]] = {}  # by the promise: shard, its trials, worker
        arrived: dict[int, TrialScore] = {}
        while waiting or running:
            if stop():
                self._abandon()
                break
            self._grow(len(waiting) + len(running))
            busy = {worker for _, _, worker in running.values()}
            for worker in [name for name in self._workers if name not in busy]:
                if not waiting:
                    break
                place, shard = waiting.popleft()
                states = [self._states[trial.number] for trial in shard if trial.number in self._states]
                running[self._workers[worker].train.remote(shard, until[shard[0].number], states)] = (
                    place,
                    shard,
                    worker,
                )
            if not running:
                time.sleep(LOOK_EVERY)
                continue
            ready, _ = self._ray.wait([*running], timeout=LOOK_EVERY)
            for promise in ready:
                place, shard, worker = running.pop(promise)
                try:
                    scores, states = self._ray.get(promise)
                except self._ray.exceptions.RayActorError:
                    # Nothing of it was taken over: the shard is trained again from where it stood.
                    self._workers.pop(worker, None)
                    self._deaths += 1
                    deaths[place] += 1
                    if deaths[place] >= MOST_DEATHS:
                        raise InputError(
                            f"{MOST_DEATHS} workers died under the same {len(shard)} trials",
                            cause="a trial needs more memory than a worker has",
                            write="a smaller model or batch, or workers with more memory",
                        ) from None
                    waiting.appendleft((place, shard))
                except self._ray.exceptions.RayTaskError as error:
                    raise error.cause if isinstance(error.cause, InputError) else error from None
                else:
                    arrived |= scores
                    self._states |= states
            progress(self._progress(arrived, until))
        self._scores |= arrived
        return {number: arrived[number] for number in until if number in arrived}

    @property
    def side_by_side(self) -> int:
        """The same for any number of workers, as which points are tried follows from it."""
        return SIDE_BY_SIDE

    def _progress(self, arrived: dict[int, TrialScore], until: dict[int, int]) -> TrialProgress:
        before = {number: self._scores[number].step for number in until if number in self._scores}
        done = sum(max(0, score.step - before.get(number, 0)) for number, score in arrived.items())
        steps = sum(max(0, step - before.get(number, 0)) for number, step in until.items())
        alive = len(until) - sum(score.failed for score in arrived.values())
        losses = [score.train_loss for score in arrived.values() if not score.failed]
        return TrialProgress(done, max(1, steps), alive, min(losses, default=float("nan")))

    def _grow(self, wanted: int) -> None:
        """Take cores that are free, and forget workers whose machine has gone."""
        now = time.monotonic()
        if self._workers and now - self._looked < GROW_EVERY:
            return
        self._looked = now
        free = int(self._ray.available_resources().get("CPU", 0))
        most = wanted if self._most is None else min(wanted, self._most)
        for _ in range(min(free, most - len(self._workers))):
            made = self._ray.remote(num_cpus=1, max_restarts=0)(ShardWorker).remote(self._data)
            self._workers[next(self._names)] = made
        self._most_workers = max(self._most_workers, len(self._workers))
        self._nodes = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}

    def _abandon(self) -> None:
        """End workers at once: what they were doing is done again, from the states that the driver holds."""
        for worker in self._workers.values():
            self._ray.kill(worker)
        self._workers.clear()

    def drop(self, numbers: Collection[int]) -> None:
        """Forget trials and free what they held; numbers that are not held are ignored."""
        self._here.drop(numbers)
        for number in numbers:
            self._states.pop(number, None)
            self._scores.pop(number, None)

    def state(self, numbers: Collection[int] | None = None) -> bytes:
        """Everything held (or those trials alone), as the engine of one process writes it: either goes on from it."""
        chosen = [*self._states] if numbers is None else sorted(set(numbers) & self._states.keys())
        self._read(chosen)
        return self._here.state(chosen)

    def restore(self, state: bytes) -> None:
        """Add what `state` wrote to what is held; trials of equal numbers are replaced.

        Raises:
            RunFolderError: The bytes are damaged.
        """
        self._here.restore(state)
        for number in self._here.numbers:
            self._states[number] = self._here.state([number])
            score = self._here.score_of(number)
            if score is not None:
                self._scores[number] = score

    def predict(
        self, numbers: Collection[int], phase: Literal["train", "validation", "test"]
    ) -> dict[int, npt.NDArray[np.float32]]:
        """Answers for the rows of a phase, in the split's order, by trial; computed by the driver.

        Raises:
            InputError: A trial that is not held, or that has failed.
        """
        self._read(numbers)
        return self._here.predict(numbers, phase)

    def weights(self, number: int) -> bytes:
        """The trial's whole model, preprocessing included.

        Raises:
            InputError: The trial is not held, or has failed.
        """
        self._read([number])
        return self._here.weights(number)

    def _read(self, numbers: Collection[int]) -> None:
        for number in numbers:
            if number in self._states:
                self._here.restore(self._states[number])

    def decisions(self) -> tuple[Decision, ...]:
        """What was decided on how to compute."""
        why = f"on {len(self._nodes)} nodes, in shards of at most {self._shard or SHARD} trials"
        if self._deaths:
            why += f"; {self._deaths} were lost on the way, and their shards trained again"
        return (Decision(setting="workers", value=str(self._most_workers), why=why),)

    def close(self) -> None:
        """End the workers and free the data; the cluster stays as it was found."""
        self._abandon()
        self._states.clear()
        self._here.close()
        del self._data


class ShardWorker:
    """Trains shards; made an actor by the engine.

    Args:
        data: The data, its folds, and what makes networks, out of the object store.
    """

    def __init__(self, data: tuple[Prepared, tuple[Fold, ...], MakeNetwork]) -> None:
        import torch

        torch.set_num_threads(1)  # a worker has one core, and one thread computes the same everywhere
        prepared, folds, make = data
        self._engine = LocalEngine(prepared, folds=folds, device="cpu", layout=SAME_EVERYWHERE, make=make)

    def train(
        self, trials: Sequence[Trial], until_step: int, states: Sequence[bytes]
    ) -> tuple[dict[int, TrialScore], dict[int, bytes]]:
        """Train trials from their states; gives their scores and new states, and keeps nothing."""
        for state in states:
            self._engine.restore(state)
        try:
            scores = self._engine.train(trials, until_step)
            return scores, {trial.number: self._engine.state([trial.number]) for trial in trials}
        finally:
            self._engine.drop([trial.number for trial in trials])


# Layouts that are chosen by the clock differ between machines, and with them the rounding; this one does not.
SAME_EVERYWHERE: Literal["stacked"] = "stacked"


def shards(trials: Sequence[Trial], size: int) -> Iterator[list[Trial]]:
    """Trials in groups that can be stacked, each of at most `size`; which follows from the trials alone.

    Example:
        >>> from babysit.record import Recipe
        >>> [[trial.number for trial in shard] for shard in shards([Trial(n, Recipe()) for n in (3, 1, 2)], 2)]
        [[1, 2], [3]]
    """

    def shape(trial: Trial) -> str:
        section = trial.recipe.model.model_copy(update={"dropout": None})
        before, rows = trial.recipe.preprocessing.model_dump_json(), trial.recipe.budget.batch_size
        return json.dumps([section.model_dump_json(), before, rows, trial.fold])

    ordered = sorted(trials, key=lambda trial: (shape(trial), trial.number))
    for _, group in itertools.groupby(ordered, key=shape):
        alike = list(group)
        for first in range(0, len(alike), size):
            yield alike[first : first + size]


def shards_by_step(trials: Sequence[Trial], until: Mapping[int, int], size: int | None = None) -> Iterator[list[Trial]]:
    """Shards of trials that go to the same step.

    Those that go furthest come first: what comes last should be short.

    Args:
        trials: Whose numbers differ.
        until: Where each goes, by its number.
        size: Trials in a shard, at most; None cuts evenly for `SIDE_BY_SIDE` workers, into shards of `SHARD` at most.

    Example:
        >>> from babysit.record import Recipe
        >>> trials = [Trial(number, Recipe()) for number in range(18)]
        >>> until = {number: 300 if number < 1 else 100 for number in range(18)}
        >>> [(until[shard[0].number], len(shard)) for shard in shards_by_step(trials, until)]
        [(300, 1), (100, 3), (100, 3), (100, 3), (100, 3), (100, 3), (100, 2)]
    """
    for step in sorted({*until.values()}, reverse=True):
        there = [trial for trial in trials if until[trial.number] == step]
        yield from shards(there, size or max(1, min(SHARD, math.ceil(len(there) / SIDE_BY_SIDE))))


def connected(address: str) -> Any:
    """Ray, connected to a cluster; one that this process is connected to already is used as it is.

    Raises:
        MissingExtraError: Ray is not installed.
        InputError: There is no cluster at the address.
    """
    if address == "local" and "ray" not in sys.modules:
        # Ray's processes listen on every address of the machine, whatever they are told, and what they are sent they
        # unpickle. So they obey only who has a token that this process makes and hands to those it starts.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ImportError:
        raise MissingExtraError("Ray is not installed", write="pip install 'babysit[ray]'") from None
    if ray.is_initialized():
        return ray
    try:
        if address == "local":
            ray.init(address="local", include_dashboard=False, log_to_driver=False)
        else:
            ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"no Ray cluster at '{address}': {str(error).splitlines()[0]}",
            legal="local, auto on a machine of a cluster, or HOST:PORT of its head",
            cause="the head was not started, or this machine does not reach it",
            write="ray start --head, then --ray auto (docs/ray.md)",
        ) from None
    return ray
