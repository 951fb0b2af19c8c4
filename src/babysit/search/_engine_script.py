"""The engine of scripts: a trial is a process whose arguments hold the trial's settings.

    python train.py --rate {lr} --epochs {steps} --seed {seed}

`{NAME}` is a searched setting, `{steps}` how long to train, `{seed}` the seed of a repeat. The script says how it did
by printing a line such as `accuracy: 0.93`; the last such line counts. A script is begun anew for each rung; one that
takes no `{steps}` has a single rung, its whole training, unless its epochs may be changed. A setting without a
placeholder is a change that `babysit run` makes to the training (`_interventions`). Where there are forks, a process is
forked from one that has imported what the first of them imported (`babysit.scripts.Starter`): importing PyTorch and
making a first optimizer take seconds, as short rungs do.
"""

from __future__ import annotations

import collections
import contextlib
import json
import math
import os
import re
import signal
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import IO, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from babysit.record import (
    Decision,
    InputError,
    Remedy,
    Trial,
    TrialProgress,
    TrialScore,
    Until,
    never,
    steps_for,
    untold,
)
from babysit.scripts import Started, Starter
from babysit.search._interventions import CHANGES, LENGTH_CHANGE, change_name, changes_of, under
from babysit.search._parameter import text_of

LOOK_EVERY = 0.05  # seconds between two looks at the processes
REFUSED = 2  # exit code of a command that was given what it cannot use
TOLD = 2000  # characters of a failed script's last words
LENGTH, SEED = "steps", "seed"  # placeholders that are no settings
NUMBER = r"([-+]?(?:nan|inf(?:inity)?|[0-9]*\.?[0-9]+(?:e[-+]?[0-9]+)?))"


_Process = subprocess.Popen[bytes] | Started


class ScriptEngine:
    """Trains trials as processes; an `Engine` that gives scores alone.

    Args:
        command: The script and its arguments, with placeholders.
        names: Of the settings that are searched.
        score: Name that stands before the score in the script's output.
        lower: A lower number is better.
        jobs: Processes at a time.
        epochs: The script takes no `{steps}`, and is run for other epochs instead.

    Attributes:
        jobs: Processes at a time.
        side_by_side: The same.
        placeholders: Names in braces.
        changed: Settings that are changes to the training, not arguments.

    Raises:
        InputError: A setting has no placeholder and is no change, or a placeholder no setting.

    Example:
        >>> engine = ScriptEngine(["-c", "print('accuracy:', 1 - {lr})"], ["lr"], score="accuracy", jobs=1)
        >>> from babysit.record import Recipe
        >>> engine.train([Trial(0, Recipe(), {"lr": 0.25})], 1)[0].score
        0.75
    """

    def __init__(
        self,
        command: Sequence[str],
        names: Sequence[str],
        *,
        score: str,
        lower: bool = False,
        jobs: int | None = None,
        epochs: bool = False,
    ) -> None:
        self._command, self._score, self._lower = list(command), score, lower
        self.jobs = jobs or os.cpu_count() or 1
        self.placeholders = placeholders(command)
        self.changed = [name for name in names if name not in self.placeholders]
        self._epochs, self.side_by_side = epochs, self.jobs
        _check(self.placeholders, names, self.changed)
        self._pattern = re.compile(rf"\b{re.escape(score)}\b[\"']?\s*[:=]?\s*{NUMBER}", re.IGNORECASE)
        self._scores: dict[int, TrialScore] = {}
        self._starter = Starter(self._environment())
        self._failures, self._last_words = 0, ""

    def train(
        self,
        trials: Sequence[Trial],
        until_step: Until,
        *,
        stop: Callable[[], bool] = never,
        tell: Callable[[TrialProgress], object] = untold,
    ) -> dict[int, TrialScore]:
        """Run the script once for each trial that does not stand at `until_step` (of all, or by number) yet.

        Raises:
            InputError: The script gave no score although it ended well: its output names none.
        """
        until = steps_for(trials, until_step)
        found = {
            number: self._scores[number]
            for number, step in until.items()
            if number in self._scores and (self._scores[number].step >= step or self._scores[number].failed)
        }
        # Those with most to do first: what comes last should be short.
        ordered = sorted(trials, key=lambda trial: -until[trial.number])
        waiting = collections.deque(trial for trial in ordered if trial.number not in found)
        steps = sum(until[trial.number] for trial in waiting)
        running: dict[int, tuple[Trial, _Process, IO[bytes], float]] = {}
        done = 0
        try:
            while (waiting or running) and not stop():
                while waiting and len(running) < self.jobs:
                    trial = waiting.popleft()
                    output: IO[bytes] = tempfile.NamedTemporaryFile()  # noqa: SIM115  closed when the process has ended
                    process = self._begin(trial, until[trial.number], output.name)
                    running[trial.number] = trial, process, output, time.monotonic()
                time.sleep(LOOK_EVERY)
                for number, (trial, process, output, began) in list(running.items()):
                    if process.poll() is None:
                        continue
                    del running[number]
                    with output:
                        if isinstance(process, Started) and (process.returncode or 0) < 0:
                            # A fork is not what it does not stand, or who forks is gone: then as everybody does it.
                            self._starter.usable = False
                            waiting.appendleft(trial)
                            continue
                        found[number] = self._read(trial, process.returncode, output, until[number], began)
                    done += until[number]
                alive = len(trials) - sum(score.failed for score in found.values())
                losses = [score.loss for score in found.values() if not score.failed]
                tell(TrialProgress(done, max(1, steps), alive, min(losses, default=math.nan)))
        finally:
            for _, process, output, _ in running.values():
                _end(process)
                output.close()
        self._scores |= found
        return found

    def _begin(self, trial: Trial, until_step: int, output: str) -> _Process:
        values = {name: text_of(value) for name, value in trial.settings.items()}
        values |= {LENGTH: str(until_step), SEED: str(trial.recipe.seed)}
        # What does not count for this trial has no value: the whole argument is left out, with its option.
        arguments: list[str] = []
        for part in self._command:
            wanted = placeholders([part])
            if wanted <= values.keys():
                arguments.append(_filled(part, values))
            elif arguments and arguments[-1].startswith("-") and part.startswith("{"):
                arguments.pop()
        changes = changes_of(trial.settings, self.changed)
        if self._epochs:
            changes.append(Remedy(LENGTH_CHANGE, str(until_step)))
        command = under(changes, arguments)
        if self._starter.usable and arguments[0].endswith(".py"):
            return self._starter.begin(command, output)
        with open(output, "ab") as file:
            return subprocess.Popen(
                [sys.executable, *command], stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=self._environment(), start_new_session=True,
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        if self.jobs > 1:
            environment.setdefault("OMP_NUM_THREADS", "1")
        return environment

    def _read(self, trial: Trial, code: int | None, output: IO[bytes], until_step: int, began: float) -> TrialScore:
        output.seek(0)
        text = output.read().decode(errors="replace")
        numbers = self._pattern.findall(text)
        if code == 0 and not numbers:
            last = text.strip()[-TOLD:]
            raise InputError(
                f"the script printed no {self._score}" + (f"; its last words were:\n{last}" if last else ""),
                legal=f"a line such as {self._score}: 0.93",
                write=f"print('{self._score}:', value), or --score with the name that it prints",
            )
        if code == REFUSED and (self.changed or self._epochs):
            settings = ", ".join(f"{name}={text_of(value)}" for name, value in trial.settings.items())
            raise InputError(f"the script cannot be run with {settings}; its last words were:\n{text.strip()[-TOLD:]}")
        if code != 0:
            self._failures += 1
            self._last_words = (
                f"the last with exit code {code}: {(text.strip().splitlines() or ['no word'])[-1][-TOLD:]}"
            )
        value = float(numbers[-1]) if code == 0 and numbers else math.nan
        score = -value if self._lower else value
        status: Literal["alive", "diverged"] = "alive" if math.isfinite(score) else "diverged"
        score = score if math.isfinite(score) else math.nan
        return TrialScore(
            trial.number, until_step, -score, score, self._score, math.nan, math.nan, status, time.monotonic() - began
        )

    def drop(self, numbers: Collection[int]) -> None:
        """Forget scores; numbers that are not held are no mistake."""
        for number in numbers:
            self._scores.pop(number, None)

    def state(self, numbers: Collection[int] | None = None) -> bytes:
        """Scores of trials that have ended: where a rung is interrupted, they are not run again."""
        chosen = self._scores.keys() if numbers is None else numbers
        return json.dumps([asdict(self._scores[number]) for number in chosen]).encode()

    def restore(self, state: bytes) -> None:
        """Take scores up; a script itself holds nothing between two rungs."""
        found = [TrialScore(**content) for content in json.loads(state or b"[]")]
        self._scores |= {score.trial: score for score in found}

    def predict(
        self, numbers: Collection[int], phase: Literal["train", "validation", "test"]
    ) -> dict[int, npt.NDArray[np.float32]]:
        """A script gives scores alone.

        Raises:
            InputError: Always.
        """
        _scores_alone()

    def weights(self, number: int) -> bytes:
        """A script keeps its model itself.

        Raises:
            InputError: Always.
        """
        _scores_alone()

    def decisions(self) -> tuple[Decision, ...]:
        """How many processes ran at a time; of those that failed, how many and with what words."""
        made = [Decision(setting="jobs", value=str(self.jobs), why="processes at a time")]
        if self._failures:
            made.append(Decision(setting="failed processes", value=str(self._failures), why=self._last_words))
        return tuple(made)

    def close(self) -> None:
        """End the process that starts others."""
        self._scores.clear()
        self._starter.close()


def placeholders(command: Sequence[str]) -> set[str]:
    """Names in braces.

    Example:
        >>> sorted(placeholders(["train.py", "--lr", "{lr}", "--out={name}"]))
        ['lr', 'name']
    """
    found: set[str] = set()
    for part in command:
        with contextlib.suppress(ValueError):  # braces of another language are left as they are
            found |= {name for _, name, _, _ in string.Formatter().parse(part) if name and name.isidentifier()}
    return found


def _filled(part: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), part)


def _check(found: set[str], names: Sequence[str], changed: Sequence[str]) -> None:
    missing = [name for name in changed if change_name(name) not in CHANGES]
    if missing:
        raise InputError(
            f"the command has no place for {', '.join(missing)}",
            legal=f"each searched setting in braces among the script's arguments, or a change: {', '.join(CHANGES)}",
            write=f"babysit tune train.py --space ... -- --{missing[0]} {{{missing[0]}}}",
        )
    unknown = sorted(found - set(names) - {LENGTH, SEED})
    if unknown:
        raise InputError(
            f"{{{unknown[0]}}} stands for nothing",
            legal=", ".join([*names, LENGTH, SEED]),
            write=f"--space {unknown[0]}=LOW:HIGH",
        )


def _end(process: _Process) -> None:
    """End a process and its children; they have a group of their own."""
    if isinstance(process, Started):
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _scores_alone() -> NoReturn:
    raise InputError("a script gives scores alone", legal="what the script itself keeps")
