"""Recorded trainings to search among: the surrogate of LCBench (Zimmer et al. 2021, through YAHPO Gym).

34 tasks; for each, seven hyper-parameters and an epoch from 1 to 52 give the validation accuracy that a network would
have there. So a thousand trials cost seconds, and what is measured is the search alone.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime

from babysit.record import TrialScore
from babysit.search import Space

EPOCHS = 52
# In the order that the surrogate wants them in.
TEXTS = (
    "batch_size=16:512:log-integer",
    "learning_rate=1e-4:1e-1:log",
    "momentum=0.1:0.99",
    "weight_decay=1e-5:0.1",
    "num_layers=1:5:integer",
    "max_units=64:1024:log-integer",
    "max_dropout=0:1",
)
SECONDS, ACCURACY = 0, 1  # of the surrogate's outputs: time since the beginning, validation accuracy in percent

Numbers = npt.NDArray[np.float64]


class LCBench:
    """The surrogate."""

    def __init__(self) -> None:
        folder = pathlib.Path(os.environ.get("BABYSIT_DATA", ".")) / "lcbench"
        if not (folder / "model.onnx").exists():
            sys.exit(f"{folder}/model.onnx is not there: set BABYSIT_DATA to the folder that holds lcbench/")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        self._codes = json.loads((folder / "encoding.json").read_text())["OpenML_task_id"]
        space = json.loads((folder / "config_space.json").read_text())["hyperparameters"]
        self.tasks: list[str] = next(one["choices"] for one in space if one["name"] == "OpenML_task_id")
        self.space = Space(TEXTS, free_names=True)
        self.names = [parameter.path for parameter in self.space]

    def accuracy(self, task: str, points: Sequence[Mapping[str, object]], epochs: Sequence[int] | int) -> Numbers:
        """Validation accuracy in percent of points, each at an epoch."""
        values = np.array([[point[name] for name in self.names] for point in points], dtype=np.float32)
        return self.accuracy_at(task, values, epochs)

    def accuracy_at(self, task: str, values: npt.NDArray[np.float32], epochs: Sequence[int] | int) -> Numbers:
        """The same for values [N, 7]."""
        found: Numbers = self._answers(task, values, epochs)[:, ACCURACY].astype(np.float64)
        return found

    def seconds(self, task: str, points: Sequence[Mapping[str, object]], epochs: Sequence[int] | int) -> Numbers:
        """Seconds that the recorded trainings took up to an epoch; none for an epoch of 0."""
        values = np.array([[point[name] for name in self.names] for point in points], dtype=np.float32)
        steps = np.broadcast_to(np.asarray(epochs), len(values))
        found: Numbers = np.maximum(0.0, self._answers(task, values, np.maximum(1, steps))[:, SECONDS]).astype(
            np.float64
        )
        return np.where(steps > 0, found, 0.0)

    def _answers(
        self, task: str, values: npt.NDArray[np.float32], epochs: Sequence[int] | npt.NDArray[np.int64] | int
    ) -> npt.NDArray[np.float32]:
        steps = np.broadcast_to(np.asarray(epochs, dtype=np.float32), len(values))
        codes = np.full((len(values), 1), self._codes[task], dtype=np.int32)
        answer: npt.NDArray[np.float32] = self._session.run(
            None, {"x_cat": codes, "x_cont": np.column_stack([steps, values])}
        )[0]
        return answer

    def best(self, task: str, seed: int = 0) -> float:
        """The highest accuracy there is, by many random points and a search from the best of them in ever finer steps.

        The surrogate's peaks lie in corners of the space, far above the best of 15,000 random points on some tasks.
        """
        random = np.random.default_rng(seed)
        count = len(self.names)

        def values(units: Numbers) -> npt.NDArray[np.float32]:
            columns = [[one.value(unit) for unit in units[:, place]] for place, one in enumerate(self.space)]
            return np.array(columns, dtype=np.float32).T

        top = random.random((6000, count))
        found = 0.0
        for narrower in range(25):
            accuracies = self.accuracy_at(task, values(top), EPOCHS)
            found = max(found, float(accuracies.max()))
            top = top[np.argsort(-accuracies)[:80]]
            moves = random.normal(0, 0.15 * 0.85**narrower, (480, count)) * (random.random((480, count)) < 0.5)
            top = np.concatenate([top, np.clip(np.repeat(top, 6, axis=0) + moves, 0, 1)])
        ends = values(top[:80])
        return max(found, *(float(self.accuracy_at(task, ends, epoch).max()) for epoch in range(5, EPOCHS)))


def score_of(number: int, epoch: int, accuracy: float) -> TrialScore:
    """An accuracy in percent as an engine would give it."""
    share = accuracy / 100
    return TrialScore(number, epoch, 1 - share, share, "accuracy", 1.0, 1 - share, "alive", 0.0)
