"""Are the defaults good? Test scores of `fit` beside scikit-learn's MLPClassifier and MLPRegressor, five seeds.

Both get the same rows: scikit-learn learns from train and validation together (it has no use for validation rows),
babysit from train, choosing by validation; both are scored on the same test rows. scikit-learn gets what its users
are told to give it: missing numbers imputed, numbers standardised, categories one-hot; for regression also a second
contender with standardised targets, which its documentation does not ask for but which helps it much.

    python benchmarks/quality.py                      # every set that is there
    python benchmarks/quality.py --sets wine digits --seeds 3 --set model.dropout=0.2

The sets adult, california and credit are read from the folder in BABYSIT_DATA, raw, as a user would pass them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import statistics
import tempfile
import time
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import babysit
from _measure import store
from babysit.data import Prepared, TableLayout

SETS: dict[str, tuple[str, list[str]]] = {
    "digits": ("digits", []),
    "wine": ("wine", []),
    "breast-cancer": ("breast-cancer", []),
    "diabetes": ("diabetes", []),
    "adult": ("adult/adult-train.csv", ["test_source={data}/adult/adult-test.csv"]),
    "california": ("california_housing.csv", ["data.target=median_house_value"]),
    "credit": ("default_credit.csv", []),
}


def scikit(prepared: Prepared, seed: int, scaled_targets: bool) -> float:
    """Test score of scikit-learn's network on the rows of `prepared`."""
    rows = {phase: prepared.inputs[_tensor(indices)].numpy() for phase, indices in prepared.split.items()}
    targets = {phase: prepared.targets[_tensor(indices)].numpy() for phase, indices in prepared.split.items()}
    inputs = np.concatenate([rows["train"], rows["validation"]])
    wanted = np.concatenate([targets["train"], targets["validation"]])
    test = rows["test"]
    if isinstance(prepared.layout, TableLayout):
        numbers = list(range(prepared.layout.numbers))
        categories = list(range(prepared.layout.numbers, inputs.shape[1]))
        scale: Any = ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                ("categories", OneHotEncoder(handle_unknown="ignore"), categories),
            ]
        )
    else:
        inputs, test, scale = inputs.reshape(len(inputs), -1), test.reshape(len(test), -1), StandardScaler()
    if prepared.task.kind == "classification":
        model: Any = MLPClassifier(random_state=seed)
    else:
        model = MLPRegressor(random_state=seed)
        if scaled_targets:
            model = TransformedTargetRegressor(model, transformer=StandardScaler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(make_pipeline(scale, model).fit(inputs, wanted).score(test, targets["test"]))


def _tensor(indices: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(indices))


def measure(name: str, seeds: int, settings: list[str]) -> dict[str, Any] | None:
    path, extra = SETS[name]
    if "." in path:
        folder = os.environ.get("BABYSIT_DATA")
        if folder is None or not (pathlib.Path(folder) / path).exists():
            print(f"{name}: skipped, {path} is not in the folder that BABYSIT_DATA names")
            return None
        extra = [text.format(data=folder) for text in extra]
        path = f"{folder}/{path}"
    scores: dict[str, list[float]] = {"babysit": [], "scikit-learn": [], "scikit-learn, scaled targets": []}
    seconds: dict[str, list[float]] = {"babysit": [], "scikit-learn": []}
    for seed in range(seeds):
        chosen = [*extra, *settings, f"seed={seed}"]
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            fitted = babysit.fit(path, settings=chosen, out=pathlib.Path(folder) / "run", seconds=0)
            seconds["babysit"].append(time.perf_counter() - start)
            recipe = fitted.run.recipe
        classes = fitted.model.task.kind == "classification"
        scores["babysit"].append(fitted.evaluations["test"].score("accuracy" if classes else "R2").value)
        prepared = babysit.prepare(recipe)
        start = time.perf_counter()
        scores["scikit-learn"].append(scikit(prepared, seed, scaled_targets=False))
        seconds["scikit-learn"].append(time.perf_counter() - start)
        if not classes:
            scores["scikit-learn, scaled targets"].append(scikit(prepared, seed, scaled_targets=True))
    result: dict[str, Any] = {"score": "accuracy" if classes else "R2", "n": seeds}
    for contender, values in scores.items():
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            result[contender] = {"mean": statistics.mean(values), "std": spread, "values": values}
    result["seconds"] = {contender: statistics.median(values) for contender, values in seconds.items()}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", nargs="+", default=[], dest="settings", help="settings of the recipe, as in fit")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    for name in arguments.sets:
        found = measure(name, arguments.seeds, arguments.settings)
        if found is None:
            continue
        results[name] = found
        parts = [
            f"{contender} {numbers['mean']:.4f} ± {numbers['std']:.4f}"
            for contender, numbers in found.items()
            if isinstance(numbers, dict) and "mean" in numbers
        ]
        print(f"{name:14} {found['score']:8} {', '.join(parts)}; seconds {found['seconds']}", flush=True)
    if arguments.sets == list(SETS) and arguments.seeds >= 5 and not arguments.settings:
        store("quality", results)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
