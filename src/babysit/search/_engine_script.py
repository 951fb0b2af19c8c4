"""The engine of scripts: a trial is a process whose arguments hold the trial's settings.

    python train.py --rate {lr} --epochs {steps} --seed {seed}

`{NAME}` is a searched setting, `{steps}` how long to train, `{seed}` the seed of a repeat. A script is begun anew for
each rung; one that takes no `{steps}` has a single rung, its whole training, unless its epochs may be changed. A
setting without a placeholder is a remedy under which the script is run (`_script_remedies`).

A trial's score is what was measured in its training: of the last evaluation, the score where there is one, else the
loss; else the training loss. The trial is then watched, in a scratch folder, as a rehearsal is. Where the user names a
score, it is the number that the script prints behind that name, in the last such line (`accuracy: 0.93`); such a trial
is only watched where it is run under remedies, and otherwise runs as `python` runs it.
"""

from __future__ import annotations

import collections
import contextlib
import json
import math
import os
import pathlib
import re
import string
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, NoReturn

import numpy as np
import numpy.typing as npt

from babysit.record import (
    Decision,
    InputError,
    NotAppliedError,
    Remedy,
    Trial,
    TrialProgress,
    TrialScore,
    Until,
    never_stop,
    silent,
    steps_for,
)
from babysit.rehearsal import outcome_of
from babysit.scripts import (
    NO_PROTECTION,
    Rehearsed,
    Runner,
    RunRequest,
    Started,
    WatchRequest,
    available,
    kept_folder,
    protection_line,
    rehearsed,
    watching_environment,
)
from babysit.search._parameter import text_of
from babysit.search._script_remedies import LENGTH_REMEDY, SEARCHED, remedies_of, remedy_name

LOOK_EVERY = 0.05  # seconds between two looks at the processes
REFUSED = 2  # exit code of a command that was given what it cannot use
TOLD = 2000  # characters of a failed script's last words
LENGTH, SEED = "steps", "seed"  # placeholders that are not settings
EVALUATION_LOSS, TRAINING_LOSS = "evaluation loss", "training loss"
LOSSES = (EVALUATION_LOSS, TRAINING_LOSS)
NUMBER = r"([-+]?(?:nan|inf(?:inity)?|[0-9]*\.?[0-9]+(?:e[-+]?[0-9]+)?))"


@dataclass
class _RunningTrial:
    """A trial under way, and what is to be tidied up when it has ended."""

    trial: Trial
    started: Started
    began: float
    folder: contextlib.ExitStack


class ScriptEngine:
    """Trains trials as processes; an `Engine` that gives scores alone.

    Args:
        command: The script and its arguments, with placeholders.
        names: Of the settings that are searched.
        score: Name that stands before the score in the script's output; None takes what is measured.
        lower: A lower number is better, where the score is printed.
        jobs: Processes at a time.
        epochs: The script takes no `{steps}`, and is run for other epochs instead.
        protected: Whether the user's files are out of its reach.
        network: Whether it may reach anything beyond loopback.

    Attributes:
        jobs: Processes at a time.
        side_by_side: The same.
        placeholders: Names in braces.
        changed: Settings that are remedies, not arguments.

    Raises:
        InputError: A setting has no placeholder and is not a remedy, or a placeholder is not a setting.

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
        score: str | None = None,
        lower: bool = False,
        jobs: int | None = None,
        epochs: bool = False,
        protected: bool = True,
        network: bool = False,
    ) -> None:
        self._command, self._score, self._lower = list(command), score, lower
        self._protected, self._network = protected, network
        self.jobs = jobs or os.cpu_count() or 1
        self.placeholders = placeholders(command)
        self.changed = [name for name in names if name not in self.placeholders]
        self._epochs, self.side_by_side = epochs, self.jobs
        _check(self.placeholders, names, self.changed)
        self._watches = score is None or bool(self.changed) or epochs
        if self._watches and not command[0].endswith(".py"):
            raise InputError(f"{command[0]} cannot be watched while it trains", legal="a Python file")
        self._pattern = re.compile(rf"\b{re.escape(score or '')}\b[\"']?\s*[:=]?\s*{NUMBER}", re.IGNORECASE)
        self._scores: dict[int, TrialScore] = {}
        self._runner = Runner(self.jobs, self._environment())
        self._measure: str | None = None  # the name of what trials are scored by, where nothing is printed
        self._failures, self._last_words = 0, ""

    def train(
        self,
        trials: Sequence[Trial],
        until_step: Until,
        *,
        stop: Callable[[], bool] = never_stop,
        progress: Callable[[TrialProgress], object] = silent,
    ) -> dict[int, TrialScore]:
        """Run the script once for each trial that does not stand at `until_step` (of all, or by number) yet.

        Raises:
            InputError: The script ended well, and there is no score: it printed none, or none was measured.
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
        running: dict[int, _RunningTrial] = {}
        done = 0
        try:
            while (waiting or running) and not stop():
                while waiting and len(running) < self.jobs:
                    trial = waiting.popleft()
                    running[trial.number] = self._begin(trial, until[trial.number])
                self._runner.listen(LOOK_EVERY)
                for number, one in list(running.items()):
                    if one.started.code is None:
                        continue
                    del running[number]
                    with one.folder:
                        found[number] = self._read(one, until[number])
                    done += until[number]
                alive = len(trials) - sum(score.failed for score in found.values())
                losses = [score.loss for score in found.values() if not score.failed]
                progress(TrialProgress(done, max(1, steps), alive, min(losses, default=math.nan)))
        finally:
            for one in running.values():
                with one.folder:
                    one.started.kill()
        self._scores |= found
        return found

    def _begin(self, trial: Trial, until_step: int) -> _RunningTrial:
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
        remedies = remedies_of(trial.settings, self.changed)
        if self._epochs:
            remedies.append(Remedy(LENGTH_REMEDY, str(until_step)))
        opened = contextlib.ExitStack()
        folder = opened.enter_context(kept_folder())
        watch = None
        if self._watches:
            threads = max(1, (os.cpu_count() or 1) // self.jobs)
            kept, told = str(folder / "kept"), tuple(map(str, remedies))
            watch = WatchRequest(
                kept, told, probes="losses", threads=threads, protected=self._protected, network=self._network
            )
        sandbox = None
        if watch is None and self._protected:
            sandbox = str(folder / "kept")
        request = RunRequest(
            arguments[0],
            tuple(arguments[1:]),
            False,
            os.getcwd(),
            str(folder / "output.txt"),
            watch,
            sandbox=sandbox,
            network=self._network,
        )
        return _RunningTrial(trial, self._runner.begin(request), time.monotonic(), opened)

    def _environment(self) -> dict[str, str]:
        environment = watching_environment() if self._watches else dict(os.environ)
        if self.jobs > 1:
            environment.setdefault("OMP_NUM_THREADS", "1")
        return environment

    def _read(self, ended: _RunningTrial, until_step: int) -> TrialScore:
        trial, started = ended.trial, ended.started
        output = pathlib.Path(started.request.output).read_text(errors="replace")
        done = rehearsed(started) if self._watches else None
        code, error = (started.code or 0, "") if done is None else _code_and_error(done)
        if code == REFUSED and NO_PROTECTION in output:
            raise InputError(
                NO_PROTECTION, write="--unprotected, where the script writes nothing that must not be lost"
            )
        if code == REFUSED and (self.changed or self._epochs):
            settings = ", ".join(f"{name}={text_of(value)}" for name, value in trial.settings.items())
            last = error or f"its last words were:\n{output.strip()[-TOLD:]}"
            raise InputError(f"the script cannot be run with {settings}; {last}")
        if code != 0:
            self._failures += 1
            last = error or (output.strip().splitlines() or ["no word"])[-1][-TOLD:]
            self._last_words = f"the last with exit code {code}: {last}"
            name, value = self._score or self._measure or "score", math.nan
        elif done is not None and done.answer.how == "enough":  # its loss was not finite
            name, value = self._score or self._measure or TRAINING_LOSS, math.nan
        elif self._score is not None:
            name, value = self._score, self._printed(self._score, output)
        else:
            assert done is not None
            name, value = self._measured(done)
        score = -value if self._lower or name in LOSSES else value
        status: Literal["alive", "diverged"] = "alive" if math.isfinite(score) else "diverged"
        score = score if math.isfinite(score) else math.nan
        seconds = time.monotonic() - ended.began
        return TrialScore(trial.number, until_step, -score, score, name, math.nan, math.nan, status, seconds)

    def _printed(self, name: str, output: str) -> float:
        numbers = self._pattern.findall(output)
        if not numbers:
            last = output.strip()[-TOLD:]
            raise InputError(
                f"the script printed no {name}" + (f"; its last words were:\n{last}" if last else ""),
                legal=f"a line such as {name}: 0.93",
                write=f"print('{name}:', value), or --score with the name that it prints",
            )
        return float(numbers[-1])

    def _measured(self, done: Rehearsed) -> tuple[str, float]:
        """Of the first trial the best that there is; of others the same. NaN where a trial lacks it."""
        outcome = outcome_of(done.trace)
        known: dict[str, float] = {}
        if outcome.evaluated is not None:
            known[outcome.evaluated[0]] = outcome.evaluated[1]
        if evaluated := done.trace.series("data-loss", phase="validation").values:
            known[EVALUATION_LOSS] = evaluated[-1]
        if done.trace.series("loss").values:
            known[TRAINING_LOSS] = outcome.loss
        if not known:
            raise InputError(
                "no training was seen in the script, so there is nothing to score it by",
                cause=" ".join(event.text for event in done.trace.happened("unseen")) or None,
                write="--score with the name that the script prints before its score",
            )
        if self._measure is None:
            self._measure = next(iter(known))
        return self._measure, known.get(self._measure, math.nan)

    def drop(self, numbers: Collection[int]) -> None:
        """Forget scores; numbers that are not held are ignored."""
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
        self._measure = next((score.score_name for score in found if not score.failed), None)

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
        """How many processes ran at a time, what trials are scored by, and with what words processes failed."""
        made = [Decision(setting="jobs", value=str(self.jobs), why="processes at a time")]
        if self._measure is not None:
            why = "measured while the script trains and evaluates; --score NAME takes a number that it prints"
            made.append(Decision(setting="score", value=self._measure, why=why))
        if self._failures:
            made.append(Decision(setting="failed processes", value=str(self._failures), why=self._last_words))
        held = protection_line(available() if self._protected else "none", network=self._network)
        made.append(Decision(setting="protection", value=held.removeprefix("protection: "), why="of your files"))
        return tuple(made)

    def close(self) -> None:
        """End what runs scripts."""
        self._scores.clear()
        self._runner.close()


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
    missing = [name for name in changed if remedy_name(name) not in SEARCHED]
    if missing:
        raise InputError(
            f"the command has no place for {', '.join(missing)}",
            legal=f"each searched setting in braces among the script's arguments, or a remedy: {', '.join(SEARCHED)}",
            write=f"babysit tune train.py --space ... -- --{missing[0]} {{{missing[0]}}}",
        )
    unknown = sorted(found - set(names) - {LENGTH, SEED})
    if unknown:
        raise InputError(
            f"{{{unknown[0]}}} stands for nothing",
            legal=", ".join([*names, LENGTH, SEED]),
            write=f"--space {unknown[0]}=LOW:HIGH",
        )


def _code_and_error(done: Rehearsed) -> tuple[int, str]:
    """The exit code of a watched script, and in a line what went wrong that its output does not tell."""
    answer = done.answer
    if answer.not_applied and answer.how != "failed" and not answer.code:
        return 1, str(NotAppliedError.of(answer.not_applied))
    if answer.how == "refused":
        return REFUSED, answer.error
    if answer.how == "killed":
        return 1, answer.error
    return answer.code, answer.error


def _scores_alone() -> NoReturn:
    raise InputError("a script gives scores alone", legal="what the script itself keeps")
