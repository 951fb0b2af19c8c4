"""Study: a search that is kept, as a folder.

    study.json          schema, status, what is searched and how, library versions
    recipe.toml         the recipe that is varied; none for a script
    study.sqlite        rungs, trials, scores: one transaction for rungs that were trained at the same time
    state-N.safetensors where the trials stood after rung N: the newest alone is kept
    result.json         what was found
    winners/N           Runs: the best points' models
    report.html         the page
    lock                held by the process that writes

A rung is there whole or not at all: the trials' state is written first, then one transaction names it. A process
killed at any instant leaves a Study that opens and lacks at most the rung under way.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import pathlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import TypeAdapter

from babysit.record._atomic import write_atomic
from babysit.record._database import PATIENCE, reading, refuse_foreign, translated
from babysit.record._errors import InputError, RunFolderError
from babysit.record._folder import Folder, FolderInfo
from babysit.record._reading import refuse_irregular
from babysit.record._recipe import Recipe
from babysit.record._recipe_text import recipe_to_toml
from babysit.record._stored import from_json, to_json
from babysit.record._study import (
    FinishedRung,
    Standing,
    StudyParameter,
    StudyResult,
    StudyRung,
    StudyTrial,
    standings,
)
from babysit.record._trial import TrialScore

STUDY_SCHEMA = 1
RESULT, DATABASE = "result.json", "study.sqlite"
STATE_AT_START = "state-start.safetensors"  # before the first rung was finished
STATE_NAME = re.compile(r"state-[0-9]+\.safetensors")
_RUNGS, _TRIALS, _SCORE = TypeAdapter(list[StudyRung]), TypeAdapter(list[StudyTrial]), TypeAdapter(TrialScore)
_TABLES = f"""
PRAGMA user_version = {STUDY_SCHEMA};
CREATE TABLE IF NOT EXISTS rungs (
    number INTEGER PRIMARY KEY, stage TEXT NOT NULL, generation INTEGER NOT NULL, step INTEGER NOT NULL,
    trials TEXT NOT NULL, box TEXT NOT NULL, widened TEXT NOT NULL, seconds REAL NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    number INTEGER PRIMARY KEY, point INTEGER NOT NULL, stage TEXT NOT NULL, generation INTEGER NOT NULL,
    settings TEXT NOT NULL, units TEXT NOT NULL, fold INTEGER, repeat INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS scores (
    rung INTEGER NOT NULL, trial INTEGER NOT NULL, step INTEGER NOT NULL, loss REAL, score REAL,
    score_name TEXT NOT NULL, first_loss REAL, train_loss REAL, status TEXT NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (rung, trial)) WITHOUT ROWID;
"""


class StudyInfo(FolderInfo):
    """`study.json`."""

    kind: Literal["recipe", "script"]
    subject: str  # the data, or the script, for people
    space: tuple[StudyParameter, ...]
    given: tuple[str, ...]  # the space in its text form
    plan: dict[str, Any]  # of the search: budget, rungs, seed
    options: dict[str, Any]  # of the procedure: folds, repeats, winners, ...


class Study(Folder[StudyInfo]):
    """A search that is kept. Reading needs no lock; writing happens inside `writing()`.

    Raises:
        RunFolderError: The folder is not a Study, or is damaged.
        RunVersionError: It was written by a version this one cannot read.
    """

    name = "Study"
    work = "search"
    command = "babysit tune"
    schema = STUDY_SCHEMA
    info_type = StudyInfo

    @classmethod
    def create(cls, path: str | pathlib.Path, info: Mapping[str, Any], recipe: Recipe | None) -> Study:
        """Make a Study whole, or not at all.

        Args:
            path: Where nothing is yet.
            info: Of `StudyInfo`: kind, subject, space, given, plan, options, fingerprint.
            recipe: That is varied.

        Raises:
            RunFolderError: Something is at `path` already.
            StorageError: The disk refused; nothing is left behind.
        """

        def fill(folder: pathlib.Path) -> None:
            if recipe is not None:
                write_atomic(folder / "recipe.toml", recipe_to_toml(recipe))
            with contextlib.closing(_open(folder / DATABASE)):
                pass

        return cls._make(path, info, fill)

    def keep_rungs(self, finished: Sequence[FinishedRung], state: bytes | None) -> None:
        """Keep rungs that were trained at the same time in one transaction, and the trials' state with them.

        Args:
            finished: The rungs, in the order of their numbers.
            state: Of the engine; None where it has none.

        Raises:
            StorageError: The disk refused; none of them is kept.
        """
        name = f"state-{finished[-1].rung.number}.safetensors" if state is not None else ""
        if state is not None:
            write_atomic(self.path / name, state)
        with self._written() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                for rung, trials, scores in finished:
                    database.execute("INSERT INTO rungs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _rung_row(rung, name))
                    database.executemany("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_trial_row, trials))
                    database.executemany(
                        "INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        [_score_row(rung.number, score) for score in scores.values()],
                    )
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        for old in self.path.glob("state-*.safetensors"):
            if old.name != name:
                old.unlink(missing_ok=True)

    def keep_state(self, state: bytes) -> None:
        """Keep where the trials stand within a rung, in the place of where they stood after the last."""
        write_atomic(self.path / (self._state_name() or STATE_AT_START), state)

    def state(self) -> bytes | None:
        """Where the trials stood when it was kept last; None where it was not: they are trained again."""
        file = self.path / (self._state_name() or STATE_AT_START)
        if not file.exists():
            return None
        refuse_irregular(file, RunFolderError)
        try:
            return file.read_bytes()
        except OSError as error:
            raise RunFolderError(f"{file} cannot be read: {error.strerror}") from None

    def _state_name(self) -> str:
        rows = self._rows("state", "rungs", "number DESC LIMIT 1")
        name = str(rows[0][0]) if rows else ""
        if name and not STATE_NAME.fullmatch(name):
            raise RunFolderError(f"{self.path / DATABASE} is damaged: '{name}' is not a state", cause="it was edited")
        return name

    def rungs(self) -> list[StudyRung]:
        """Rungs that were finished, in order."""
        rows = self._rows("number, stage, generation, step, trials, box, widened, seconds", "rungs", "number")
        try:
            read = [(*row[:4], *map(json.loads, row[4:7]), row[7]) for row in rows]
            return _RUNGS.validate_python(read)
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged(error) from None

    def trials(self) -> list[StudyTrial]:
        """Trials, in the order of their numbers."""
        columns = "number, point, stage, generation, settings, units, fold, repeat"
        rows = self._rows(columns, "trials", "number")
        try:
            read = [(*row[:4], *map(json.loads, row[4:6]), *row[6:]) for row in rows]
            return _TRIALS.validate_python([dict(zip(columns.split(", "), row, strict=True)) for row in read])
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged(error) from None

    def scores(self) -> dict[int, dict[int, TrialScore]]:
        """Scores by rung and by number of the trial."""
        found: dict[int, dict[int, TrialScore]] = {}
        names = [field.name for field in dataclasses.fields(TrialScore)]  # they are the table's columns
        for rung, *row in self._rows(f"rung, {', '.join(names)}", "scores", "rung, trial"):
            content = dict(zip(names, row, strict=True))
            # SQLite stores a NaN as NULL.
            content |= {
                name: math.nan for name in ("loss", "score", "first_loss", "train_loss") if content[name] is None
            }
            try:
                found.setdefault(rung, {})[content["trial"]] = _SCORE.validate_python(content)
            except (ValueError, TypeError) as error:
                raise self._damaged(error) from None
        return found

    def standings(self) -> list[Standing]:
        """Each point of the search and how it stands, the best first; repeats of winners left out."""
        return standings(self.trials(), self.rungs(), self.scores())

    @property
    def result(self) -> StudyResult | None:
        """What was found; None before the end."""
        if not (self.path / RESULT).exists():
            return None
        try:
            return from_json(StudyResult, self._json(RESULT))
        except (ValueError, RecursionError, InputError) as error:
            raise RunFolderError(f"{self.path / RESULT} is damaged: {str(error).splitlines()[0]}") from None

    def write_result(self, result: StudyResult) -> None:
        """Keep what was found."""
        self.write(RESULT, json.dumps(to_json(result), indent=1))

    @contextlib.contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(_open(self.path / DATABASE)) as database:
                yield database
        except sqlite3.Error as error:
            raise translated(error, self.path / DATABASE) from error

    def _rows(self, columns: str, table: str, order: str) -> list[tuple[Any, ...]]:
        """Rows of a table. A file that is not there is damage, not an empty Study: `create` makes it."""
        file = self.path / DATABASE
        if not file.is_file():
            raise RunFolderError(f"{file} is not a file", cause="a part of the folder was deleted or not copied")
        with reading(file) as database:
            refuse_foreign(database, file, STUDY_SCHEMA)
            return database.execute(f"SELECT {columns} FROM {table} ORDER BY {order}").fetchall()

    def _damaged(self, error: Exception) -> RunFolderError:
        return RunFolderError(
            f"{self.path / DATABASE} is damaged: {str(error).splitlines()[0]}", cause="the file was edited"
        )


def _open(file: pathlib.Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, isolation_level=None, timeout=PATIENCE)
    refuse_foreign(database, file, STUDY_SCHEMA)
    database.execute("PRAGMA journal_mode = WAL")
    # A killed process loses nothing at this level; FULL makes a rung outlast a power cut, too, and there are few.
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(_TABLES)
    return database


def _rung_row(rung: StudyRung, state: str) -> tuple[Any, ...]:
    lists = (json.dumps(rung.trials), json.dumps(rung.box), json.dumps(rung.widened))
    return (rung.number, rung.stage, rung.generation, rung.step, *lists, rung.seconds, state)


def _trial_row(trial: StudyTrial) -> tuple[Any, ...]:
    began = (trial.number, trial.point, trial.stage, trial.generation)
    return (*began, json.dumps(dict(trial.settings)), json.dumps(dict(trial.units)), trial.fold, trial.repeat)


def _score_row(rung: int, score: TrialScore) -> tuple[Any, ...]:
    return (rung, *dataclasses.astuple(score))  # its fields are the table's columns
