"""Runs made by hand, for what is drawn of them."""

import math
import pathlib

import numpy as np

from babysit.record import (
    CalibrationBin,
    Check,
    ClassScores,
    ColumnSummary,
    DataSummary,
    Decision,
    Evaluation,
    Event,
    LayerSummary,
    Recipe,
    Row,
    Run,
    RunSummary,
    Score,
)

EVIL = "</script><img src=x onerror=alert(1)>"


def make_run(path: pathlib.Path, summary: RunSummary, evaluations: tuple[Evaluation, ...], rows: list[Row]) -> Run:
    run = Run.create(
        path,
        recipe=Recipe(),
        summary=summary,
        model={},
        split={"train": np.arange(3)},
        weights=b"",
        fingerprint="",
    )
    with run.trace_store() as store:
        store.add(rows)
    for evaluation in evaluations:
        run.write_evaluation(evaluation)
    return run


def training(steps: int = 200, per_epoch: int = 20) -> list[Row]:
    """A loss that falls, with the numbers of each epoch's end."""
    rows = []
    for step in range(steps):
        rows.append(Row(step, "train", "", "loss", 2.3 * math.exp(-step / 60) + 0.05 * math.sin(step)))
        rows.append(Row(step, "train", "", "lr", 0.01 * (1 - step / steps)))
        if (step + 1) % per_epoch == 0:
            loss = 2.3 * math.exp(-step / 60)
            validation = loss + 0.001 * max(0, step - 100)
            rows += [
                Row(step, "train", "", "data-loss", loss),
                Row(step, "validation", "", "data-loss", validation),
                Row(step, "train", "", "accuracy", 1 - loss / 3),
                Row(step, "validation", "", "accuracy", 1 - validation / 3),
            ]
    return rows


def classes(path: pathlib.Path, names: tuple[str, ...] = ("cat", "dog", EVIL)) -> Run:
    """A classification of images that went well."""
    count = len(names)
    counts = tuple(tuple(20 if row == column else 1 for column in range(count)) for row in range(count))
    evaluation = Evaluation(
        phase="test",
        rows=sum(map(sum, counts)),
        scores=(
            Score(name="accuracy", value=0.909, low=0.85, high=0.95),
            Score(name="log loss", value=0.3, low=0.2, high=0.4, better="lower"),
        ),
        classes=names,
        confusion=counts,
        by_class=tuple(ClassScores(name=name, rows=22, precision=0.9, recall=0.9, f1=0.9) for name in names),
        calibration=(
            CalibrationBin(low=0.8, high=0.9, rows=10, confidence=0.85, accuracy=0.8),
            CalibrationBin(low=0.9, high=1.0, rows=0, confidence=0.0, accuracy=0.0),
        ),
        notes=("the constant answer 'cat' has an accuracy of 0.3333",),
    )
    summary = RunSummary(
        data=DataSummary(
            source=f"photos/{EVIL}",
            kind="images",
            rows=120,
            shape=(8, 8),
            task="classification",
            target="animal",
            classes=names,
            splits={"train": 54, "validation": 0, "test": 66},
            class_counts={"train": tuple(18 for _ in names), "test": tuple(22 for _ in names)},
            notes=("3 images left out, as they cannot be read",),
        ),
        decisions=(Decision(setting="optimizer.lr", value="0.003", why="a rate at which adamw seldom fails"),),
        preprocessing=("each channel standardised",),
        layers=(
            LayerSummary(name="linear1", kind="Linear", output=(32,), parameters=2080, initialised="he, std 0.2"),
            LayerSummary(name="output", kind="Linear", output=(count,), parameters=33 * count),
        ),
        checks=(Check(name="first loss", verdict="pass", measured=1.12, expected=1.0986, why="as it should be"),),
    )
    return make_run(path, summary, (evaluation,), training())


def numbers(path: pathlib.Path, columns: int = 3) -> Run:
    """A regression on a table that diverged at the end."""
    generator = np.random.default_rng(0)
    true = generator.normal(2e5, 8e4, 300)
    predicted = true + generator.normal(0, 2e4, 300)
    evaluation = Evaluation(
        phase="test",
        rows=300,
        scores=(Score(name="R2", value=0.93, low=0.92, high=0.95), Score(name="MAE", value=16000.0, better="lower")),
        residuals=tuple(zip(true.tolist(), predicted.tolist(), strict=True)),
    )
    summary = RunSummary(
        data=DataSummary(
            source="houses.csv",
            kind="table",
            rows=1000,
            shape=(columns,),
            task="regression",
            target="price",
            splits={"train": 700, "test": 300},
            target_range=(14999.0, 500001.0),
            columns=tuple(
                ColumnSummary(name=f"a rather long name of column {n}", type="number", missing=0.01, mean=1.5, std=0.5)
                for n in range(columns)
            ),
        ),
    )
    rows = [*training(), Row(200, "train", "", "loss", math.inf), Row(201, "train", "", "loss", math.nan)]
    run = make_run(path, summary, (evaluation,), rows)
    with run.trace_store() as store:
        store.add([Event(200, "not-finite", "the loss became inf at step 200 (epoch 11)")])
    return run
