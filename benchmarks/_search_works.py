"""The works that searches are compared on: data, network, space and rungs, the same for all contenders."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import multiprocessing
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn, optim

from babysit.data import Prepared, prepare
from babysit.record import Recipe, Trial, load_recipe, with_settings
from babysit.training import (
    Examples,
    assemble,
    batches_per_epoch,
    decide,
    epoch_batches,
    examples_of,
    judged_rows,
    loss_of,
    rate_at,
)

CPU = torch.device("cpu")
FACTOR = 3
Point = Mapping[str, float]
Report = Callable[[int, float, float], bool]  # told (step, validation loss, accuracy) at a rung; True ends the trial


@dataclasses.dataclass(frozen=True)
class Work:
    """One comparison.

    Attributes:
        name: Of the work.
        prepared: The rows, dealt.
        recipe: Every decision filled in; a point of the space changes its rate and penalty.
        space: Ends of each setting's range; all are searched on a logarithmic scale.
        lowest: Steps of the lowest rung.
        trials: How many a contender with a fixed number of trials is given.
    """

    name: str
    prepared: Prepared
    recipe: Recipe
    space: Mapping[str, tuple[float, float]]
    lowest: int
    trials: int

    @property
    def full(self) -> int:
        """Steps of a full trial."""
        assert self.recipe.budget.epochs is not None
        return self.recipe.budget.epochs * self._per_epoch

    @functools.cached_property
    def _per_epoch(self) -> int:
        assert self.recipe.budget.batch_size is not None
        return batches_per_epoch(len(self.prepared.split["train"]), self.recipe.budget.batch_size)

    def judged_share(self, step: int) -> float:
        """Of the validation rows that babysit judges a trial on after so many steps."""
        assert self.recipe.budget.batch_size is not None
        rows = len(self.prepared.split["validation"])
        return judged_rows(step, self.recipe.budget.batch_size, self._per_epoch, rows) / rows

    @functools.cached_property
    def rungs(self) -> list[int]:
        """Steps at which trials are judged: each three times the one before, the last the full length."""
        count = int(math.log(self.full / self.lowest) / math.log(FACTOR))
        return [round(self.full / FACTOR**place) for place in range(count, -1, -1)]

    def draw(self, random: np.random.Generator) -> dict[str, float]:
        """A random point."""
        return {name: float(low * (high / low) ** random.random()) for name, (low, high) in self.space.items()}

    def at(self, point: Point) -> Recipe:
        """The recipe at a point."""
        optimizer = self.recipe.optimizer.model_copy(update={"lr": point["lr"]})
        penalty = self.recipe.regularisation.model_copy(update={"l2": point["l2"]})
        return self.recipe.model_copy(update={"optimizer": optimizer, "regularisation": penalty})

    def trial(self, number: int, point: Point) -> Trial:
        """The point as babysit trains it."""
        return Trial(number, self.at(point), dict(point))


def _file(name: str) -> str:
    folder = os.environ.get("BABYSIT_DATA")
    if folder is None or not (pathlib.Path(folder) / name).exists():
        raise SystemExit(f"this work needs {name} in the folder that BABYSIT_DATA names")
    return str(pathlib.Path(folder) / name)


def _work(
    name: str, source: str, settings: list[str], space: Mapping[str, tuple[float, float]], lowest: int, trials: int,
    base: str = "default",
) -> Work:  # fmt: skip
    recipe = with_settings(load_recipe(base), [f"data.source={source}", "budget.patience=0", *settings])
    prepared = prepare(recipe)
    return Work(name, prepared, decide(recipe, prepared)[0], space, lowest, trials)


ADAM = {"lr": (1e-4, 1e-1), "l2": (1e-6, 1e-1)}
MLP = ["model.architecture=mlp", "batch_norm=false", "dropout=0"]


def works() -> dict[str, Callable[[], Work]]:
    """What can be compared, by name; made when it is asked for."""
    return {
        # Of 15 % of the rows two errors are what everybody reaches; of 40 %, the good differ from the best.
        "digits": lambda: _work(
            "digits", "digits",
            [*MLP, "model.widths=[100, 100]", "epochs=40", "batch_size=64", "split.validation=0.4"], ADAM, 30, 60,
        ),
        # The lecture's: 3072-50-10 on pixels minus the mean image, SGD with momentum, five epochs.
        "lecture": lambda: _work(
            "lecture", _file("cifar10_jpeg.npz"),
            [*MLP, "model.widths=[50]", "epochs=5", "batch_size=100", "images=mean-image", "optimizer.name=sgd",
             "momentum=0.9", "l2_mode=loss", "scheme=small-random", "initialisation.std=1e-4",
             "schedule.name=constant", "warm_up=0"],
            {"lr": (1e-6, 1e-2), "l2": (1e-5, 1e1)}, 80, 60,
        ),
        "mnist": lambda: _work(
            "mnist", _file("mnist70k.npz"),
            ["model.architecture=mlp", "model.widths=[128, 64]", "batch_norm=true", "dropout=0", "epochs=3",
             "batch_size=128"],
            ADAM, 40, 40,
        ),
        "cnn": lambda: _work(
            "cnn", _file("mnist70k.npz"),
            ["architecture=convolutional", "model.widths=[8, 16]", "batch_norm=true", "dropout=0", "epochs=1",
             "batch_size=64"],
            ADAM, 20, 30,
        ),
        "adult": lambda: _work(
            "adult", _file("adult/adult-train.csv"),
            [f"test_source={_file('adult/adult-test.csv')}", "model.widths=[64, 32]", "batch_norm=true",
             "dropout=0.1", "epochs=5", "batch_size=256"],
            ADAM, 40, 40,
        ),
    }  # fmt: skip


class PlainLoop:
    """The best plain PyTorch loop around one network, as a careful author writes it for a search.

    Rows in memory, batches cut by index, preprocessing a batch at a time, a fused optimizer, weight decay where
    PyTorch has it; first weights, rows' order and rates are those of babysit's trials.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._model, _ = assemble(work.recipe, work.prepared)
        self.examples: Examples = examples_of(self._model, work.prepared, work.recipe, CPU)
        self._loss = loss_of(work.prepared, work.recipe, CPU)
        part = self.examples.validation
        with torch.no_grad():
            self._held_out = self.examples.cut(part)
        self._orders: dict[int, tuple[Tensor, ...]] = {}

    def train(self, point: Point, report: Report) -> None:
        """Train one trial, reporting at each rung, until `report` ends it or it is done."""
        work, recipe = self._work, self._work.at(point)
        network = copy.deepcopy(self._model.network)
        optimizer = self._optimizer(network, recipe)
        lr = recipe.optimizer.lr
        assert lr is not None
        rungs = set(work.rungs)
        for step, rows in enumerate(self._batches(), start=1):
            for group in optimizer.param_groups:
                group["lr"] = rate_at(recipe.schedule, lr, step - 1, work.full)
            inputs, targets = self.examples.cut(rows)
            loss = self._loss(network(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step in rungs:
                held_out, accuracy = self._validate(network)
                if report(step, held_out, accuracy) or not math.isfinite(held_out):
                    return

    def _batches(self) -> Iterator[Tensor]:
        budget = self._work.recipe.budget
        assert budget.epochs is not None
        assert budget.batch_size is not None
        for epoch in range(budget.epochs):
            if epoch not in self._orders:
                self._orders[epoch] = epoch_batches(
                    self.examples.train, budget.batch_size, self._work.recipe.seed, epoch
                )
            yield from self._orders[epoch]

    def _optimizer(self, network: nn.Module, recipe: Recipe) -> optim.Optimizer:
        weights = [parameter for parameter in network.parameters() if parameter.ndim >= 2]
        others = [parameter for parameter in network.parameters() if parameter.ndim < 2]
        groups = [
            {"params": weights, "weight_decay": recipe.regularisation.l2 or 0.0},
            {"params": others, "weight_decay": 0.0},
        ]
        section = recipe.optimizer
        assert section.lr is not None
        if section.name == "sgd":
            return optim.SGD(groups, lr=section.lr, momentum=section.momentum, fused=True)
        return optim.AdamW(groups, lr=section.lr, betas=(section.beta1, section.beta2), fused=True)

    @torch.no_grad()
    def _validate(self, network: nn.Module) -> tuple[float, float]:
        network.eval()
        inputs, targets = self._held_out
        outputs = torch.cat([network(part) for part in inputs.split(4096)])
        network.train()
        return float(self._loss(outputs, targets)), float((outputs.argmax(dim=1) == targets).double().mean())


def _worked() -> float:
    """Processor seconds of this process and of the children it still has."""
    total = time.process_time()
    for child in multiprocessing.active_children():
        try:
            fields = pathlib.Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


class Curve:
    """Best validation accuracy so far, by seconds since the search began, and by processor seconds.

    On a machine that others use, too, the second says what the first cannot. It counts this process and those it
    forked, not a cluster's.
    """

    def __init__(self) -> None:
        self._began, self._worked = time.perf_counter(), _worked()
        self.points: list[tuple[float, float, float]] = []  # seconds, processor seconds, accuracy

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self._began

    def add(self, accuracy: float, seconds: float | None = None) -> None:
        """An accuracy was measured."""
        if math.isfinite(accuracy) and (not self.points or accuracy > self.points[-1][2]):
            at = self.seconds if seconds is None else seconds
            worked = _worked() - self._worked if seconds is None else math.nan
            self.points.append((at, worked, accuracy))

    def reached(self, accuracy: float) -> tuple[float, float] | None:
        """Seconds and processor seconds until an accuracy was reached; None when it never was."""
        return next(((at, worked) for at, worked, best in self.points if best >= accuracy), None)

    def at(self, seconds: float) -> float:
        """Best accuracy after so long; NaN before the first."""
        return max((best for when, _, best in self.points if when <= seconds), default=math.nan)
