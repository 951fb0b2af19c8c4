"""Sinks: what a watched training measures, and what is found in it, in the trackers that people have already.

Each is named in a word, with a place behind a colon where it takes one. Each is written by its own API, loaded when it
is asked for, and closed with the training; a run that the user has under way there is used, and left open.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from babysit.record import Finding, InputError, MissingExtraError, Trace
from babysit.rehearsal import random_streams_restored
from babysit.reports import write_out

PREFIX = "babysit"
PROJECT = "babysit"  # where none is named
SAID = 3  # numbers of a finding's evidence


class Tracker(Protocol):
    """One tracker."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write what was measured at a step."""

    def finding(self, finding: Finding, step: int) -> None:
        """Tell what was found, once."""

    def close(self) -> None:
        """Write all that is waiting, and close what was opened here."""


class TensorBoard:
    """Event files, by tensorboardX: scalars, and each finding as a text.

    Args:
        place: The folder.
    """

    def __init__(self, place: str) -> None:
        self._writer = _module("tensorboardX", "tensorboardX").SummaryWriter(place or f"runs/{PREFIX}")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write what was measured at a step."""
        for name, value in values.items():
            if math.isfinite(value):  # what is not has no place on a curve; the finding tells it
                self._writer.add_scalar(name, value, step)

    def finding(self, finding: Finding, step: int) -> None:
        """Tell what was found, once."""
        self._writer.add_text(f"{PREFIX}/{finding.severity}/{finding.name}", sentence(finding), step)
        self._writer.flush()

    def close(self) -> None:
        """Write all that is waiting."""
        self._writer.close()


class Mlflow:
    """A run of MLflow: metrics, and each finding as a tag. The run that is active is used.

    Args:
        place: The tracking address; empty takes MLflow's own setting.
    """

    def __init__(self, place: str) -> None:
        mlflow = _module("mlflow", "mlflow")
        self._metric = _module("mlflow.entities", "mlflow").Metric
        active = mlflow.active_run()
        self._own = active is None or bool(place)
        self._client = mlflow.MlflowClient(tracking_uri=place or None)
        self._run = self._new_run() if self._own else active.info.run_id

    def _new_run(self) -> str:
        known = self._client.get_experiment_by_name(PROJECT)
        experiment = known.experiment_id if known is not None else self._client.create_experiment(PROJECT)
        return str(self._client.create_run(experiment).info.run_id)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write what was measured at a step."""
        now = int(1000 * time.time())
        self._client.log_batch(self._run, [self._metric(name, value, now, step) for name, value in values.items()])

    def finding(self, finding: Finding, step: int) -> None:
        """Tell what was found, once."""
        self._client.set_tag(self._run, f"{PREFIX}.{finding.name}", f"step {step}: {sentence(finding)}")

    def close(self) -> None:
        """End the run, where it was begun here."""
        if self._own:
            self._client.set_terminated(self._run)


class WeightsAndBiases:
    """A run of W&B: metrics over a step of their own, each finding as an alert and a tag. The active run is used.

    Args:
        place: The project. A run that is begun here is offline, unless `WANDB_MODE` says otherwise.
    """

    def __init__(self, place: str) -> None:
        wandb = _module("wandb", "wandb")
        self._levels = wandb.AlertLevel
        self._own = wandb.run is None
        mode = os.environ.get("WANDB_MODE", "offline")
        self._run = wandb.init(project=place or PROJECT, mode=mode) if self._own else wandb.run
        # The user's own steps go on as they were.
        self._run.define_metric(f"{PREFIX}/*", step_metric=f"{PREFIX}/step")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write what was measured at a step."""
        self._run.log({f"{PREFIX}/step": step, **values})

    def finding(self, finding: Finding, step: int) -> None:
        """Tell what was found, once."""
        level = self._levels.ERROR if finding.severity == "sick" else self._levels.WARN
        self._run.alert(title=f"{PREFIX}: {finding.name}", text=f"step {step}: {sentence(finding)}", level=level)
        self._run.tags = (*(self._run.tags or ()), f"{PREFIX}-{finding.name}"[:64])

    def close(self) -> None:
        """End the run, where it was begun here."""
        if self._own:
            self._run.finish()


class Trackio:
    """A run of trackio, kept on this machine: metrics, and each finding as an alert.

    Args:
        place: The project.
    """

    def __init__(self, place: str) -> None:
        self._trackio = _module("trackio", "trackio")
        with contextlib.redirect_stdout(None):
            self._run = self._trackio.init(project=place or PROJECT)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write what was measured at a step."""
        self._run.log(dict(values), step=step)

    def finding(self, finding: Finding, step: int) -> None:
        """Tell what was found, once."""
        levels = self._trackio.AlertLevel
        level = levels.ERROR if finding.severity == "sick" else levels.WARN
        self._run.alert(title=f"{PREFIX}: {finding.name}", text=sentence(finding), level=level, step=step)

    def close(self) -> None:
        """End the run."""
        with contextlib.redirect_stdout(None):
            self._run.finish()


TRACKERS: dict[str, Callable[[str], Tracker]] = {
    "mlflow": Mlflow,
    "tensorboard": TensorBoard,
    "trackio": Trackio,
    "wandb": WeightsAndBiases,
}


class Sinks:
    """Several trackers, told what is new of a trace and its findings.

    Args:
        names: Each `NAME` or `NAME:PLACE`.

    Raises:
        InputError: There is no such sink.
        MissingExtraError: Its library is not installed.
    """

    def __init__(self, names: Iterable[str]) -> None:
        split = [name.partition(":") for name in names]
        for name, _, _ in split:
            if name not in TRACKERS:
                raise InputError(
                    f"there is no sink '{name}'", legal=", ".join(TRACKERS), write="sinks=['tensorboard:runs/first']"
                )
        with random_streams_restored():  # names of runs are drawn, too
            self._trackers = {name: TRACKERS[name](place) for name, _, place in split}
        self._rows = 0
        self._known: set[str] = set()

    def update(self, trace: Trace, findings: Sequence[Finding]) -> None:
        """Write what is new since the last time.

        Args:
            trace: What was measured by now.
            findings: What is wrong by now; each is told once, notes are not.
        """
        by_step: dict[int, dict[str, float]] = {}
        for row in trace.rows[self._rows :]:
            if not row.layer and isinstance(row.value, float | int):
                by_step.setdefault(row.step, {})[f"{PREFIX}/{row.phase}/{row.quantity}"] = float(row.value)
        self._rows = len(trace.rows)
        last = max((row.step for row in trace.rows), default=0)
        new = [one for one in findings if one.severity != "note" and one.name not in self._known]
        self._known |= {one.name for one in new}

        def write(tracker: Tracker) -> None:
            for step, values in sorted(by_step.items()):
                tracker.scalars(step, values)
            for finding in new:
                tracker.finding(finding, last)

        self._each(write)

    def close(self) -> None:
        """Close all of them."""
        self._each(lambda tracker: tracker.close())

    def _each(self, do: Callable[[Tracker], None]) -> None:
        """Do it with each; one that fails is left from then on, since a training is worth more than its curves."""
        with random_streams_restored():
            for name, tracker in list(self._trackers.items()):
                try:
                    do(tracker)
                except Exception as error:  # whatever a tracker raises
                    del self._trackers[name]
                    told = str(error).strip().partition("\n")[0]
                    write_out(
                        sys.stderr, f"babysit: the sink {name} fails and is left: {type(error).__name__}: {told}\n"
                    )


def sentence(finding: Finding) -> str:
    """A finding in a line, with its first numbers.

    Example:
        >>> sentence(Finding("diverged", "sick", "step 12", {"loss": math.inf}, "It is lost."))
        'sick: diverged, step 12 (loss inf). It is lost.'
    """
    where = f", {finding.where}" if finding.where else ""
    numbers = ", ".join(
        f"{name} {f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in list(finding.evidence.items())[:SAID]
    )
    return f"{finding.severity}: {finding.name}{where}{f' ({numbers})' if numbers else ''}. {finding.why}".strip()


def _module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{package} cannot be imported: {error}", cause="it is not installed", write=f"pip install {package}"
        ) from error
