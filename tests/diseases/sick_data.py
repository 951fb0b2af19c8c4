"""A sick trace and its healthy twin for each disease of the data, and what finds them."""

from __future__ import annotations

import numpy as np

from babysit.diseases import DISEASES
from babysit.record import INPUTS, Finding, Trace, TraceLayer
from tests.diseases.traces_data import (
    CLASSES,
    LINEAR,
    REGRESSION,
    Labels,
    Numbers,
    cut,
    inputs,
    joined,
    labels,
    series,
    targets,
)

RANDOM = np.random.default_rng(0)
STANDARD = RANDOM.normal(size=(640, 20))
EVEN: Labels = RANDOM.permutation(np.repeat(np.arange(10), 64))
SORTED: Labels = np.sort(EVEN)
NUMBERS: Numbers = RANDOM.normal(size=640)
EMBEDDING = TraceLayer("tokens", "embedding", units=8)
BATCH_NORM = TraceLayer("norm", "batch-norm", units=20)


def flat(losses: list[float]) -> Trace:
    return series("loss", losses)


def regression(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], **facts: str) -> Trace:
    return joined(targets(cut(values, 64)), facts=REGRESSION | facts)


def validated(train: float, validation: list[float], losses: list[float], **facts: str) -> Trace:
    """A training on ten even classes with accuracies and validation losses."""
    return joined(
        labels(cut(EVEN, 64), 10),
        series("accuracy", [train] * len(validation), every=20),
        series("accuracy", validation, phase="validation", every=20),
        series("data-loss", losses, phase="validation", every=20),
        facts=CLASSES | {"rows": "2000"} | facts,
    )


def epochs(train: list[float], validation: list[float], facts: dict[str, str]) -> Trace:
    return joined(
        labels(cut(EVEN, 64), 10),
        series("data-loss", train, every=20),
        series("data-loss", validation, phase="validation", every=20),
        facts=facts,
    )


def noisy(scales: list[float], losses: list[float], rows: float = 8) -> Trace:
    sizes = series("batch-rows", [rows] * 10, layer=INPUTS)
    return joined(sizes, series("gradient-noise-scale", scales, layer="fc1"), flat(losses))


def few_steps(losses: list[float], **facts: str) -> Trace:
    return joined(
        flat(losses), facts={"steps-per-epoch": "2", "batch-size": "4096", "rows": "8000", "optimizer": "sgd"} | facts
    )


EMPTY_COLUMN = STANDARD.copy()
EMPTY_COLUMN[:, 3] = np.nan
FALLING = [2.0 * 0.97**step for step in range(60)]
RARE = (np.arange(1000) % 20 == 0).astype(np.int64)
SICK: dict[str, Trace] = {
    "inputs-not-finite": joined(inputs(cut(EMPTY_COLUMN, 64))),
    "targets-not-finite": regression(np.where(np.arange(640) == 100, np.nan, NUMBERS)),
    "labels-out-of-range": joined(labels(cut(EVEN + 1, 64), 10), facts=CLASSES),
    "inputs-badly-scaled": joined(inputs(cut(STANDARD * 1000, 64)), layers=[LINEAR]),
    "targets-badly-scaled": regression(NUMBERS * 5000),
    "labels-unrelated": validated(1.0, [0.1, 0.11, 0.09, 0.1], [2.31, 2.6, 4.0, 6.0]),
    "batches-not-shuffled": joined(labels(cut(SORTED, 64), 10), facts=CLASSES),
    "labels-imbalanced": joined(
        labels(cut(RARE, 50), 2), flat([0.2] * 40), series("accuracy", [0.95] * 4, every=20), facts=CLASSES
    ),
    "split-leaks": epochs([1.5, 1.0, 0.7], [1.5 + 1e-6, 1.0, 0.7], CLASSES),
    "batch-too-small": noisy([5000.0] * 30, [1.0] * 200),
    "batch-too-large": few_steps(FALLING),
    "inputs-not-centred": joined(inputs(cut(STANDARD + 20, 64)), layers=[LINEAR]),
    "inputs-constant": joined(inputs(cut(STANDARD * (np.arange(20) > 2), 64))),
}
HEALTHY: dict[str, Trace] = {
    "inputs-not-finite": joined(inputs(cut(STANDARD, 64))),
    "targets-not-finite": regression(NUMBERS),
    "labels-out-of-range": joined(labels(cut(EVEN, 64), 10), facts=CLASSES),
    "inputs-badly-scaled": joined(inputs(cut(STANDARD, 64)), layers=[LINEAR]),
    "targets-badly-scaled": regression(NUMBERS * 2 + 1),
    "labels-unrelated": validated(1.0, [0.5, 0.6, 0.6, 0.6], [1.8, 1.6, 2.0, 3.0]),
    "batches-not-shuffled": joined(labels(cut(EVEN, 64), 10), facts=CLASSES),
    "labels-imbalanced": joined(labels(cut(EVEN, 64), 10), flat([2.3] * 40), facts=CLASSES),
    "split-leaks": epochs([1.5, 1.0, 0.7], [1.51, 1.02, 0.75], CLASSES),
    "batch-too-small": noisy([5000.0] * 30, [2.0 * 0.99**step for step in range(200)]),
    "batch-too-large": few_steps([*FALLING, *([0.3] * 40)]),
    "inputs-not-centred": joined(inputs(cut(STANDARD, 64)), layers=[LINEAR]),
    "inputs-constant": joined(inputs(cut(STANDARD, 64))),
}


def found(name: str, trace: Trace) -> list[Finding]:
    return DISEASES[name].find(trace)


def only(name: str, trace: Trace) -> Finding:
    (finding,) = found(name, trace)
    return finding
