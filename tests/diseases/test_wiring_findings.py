"""What holds of every wiring disease: silence where nothing can be told, and whole findings where something can."""

from __future__ import annotations

import json
import math

import pytest

from babysit.diseases import DISEASES
from babysit.record import OUTPUTS, Trace
from babysit.remedies import REMEDIES
from tests.diseases.traces_wiring import (
    MLP,
    event,
    findings,
    linear,
    mlp,
    numbers,
    of,
    outputs,
    probabilities,
    rates,
    series,
    trace,
)

NAN, INF = math.nan, math.inf
WIRING = [name for name, disease in DISEASES.items() if disease.group == "wiring"]


@pytest.mark.parametrize("name", WIRING)
def test_nothing_to_see_gives_nothing(name: str) -> None:
    assert findings(name, Trace()) == []
    assert findings(name, Trace(layers=MLP, facts={"loss": "cross-entropy"})) == []


QUANTITIES = {
    OUTPUTS: "width value-min value-max row-sum-one-share column-sum-one-share log-normalised-share constant-share"
    " unit-interval-share not-finite-share rows-seen batch-rows row-mixing",
    "(targets)": "value-min value-max value-mean value-std integer-share rows-seen",
    "": "loss criterion lr backwards left-over-gradient update-cosine gradient-norm evaluation-mode-share"
    " training-mode-evaluations",
    "0": "gradient-norm update-norm weight-norm weight-std activation-max",
}


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("loss", ["cross-entropy", "nll", "mse", "bce", "bce-with-logits", "other"])
@pytest.mark.parametrize("name", WIRING)
def test_values_that_are_no_numbers_give_nothing(name: str, loss: str, bad: float) -> None:
    rows = [
        row for layer, names in QUANTITIES.items() for one in names.split() for row in series(one, bad, layer=layer)
    ]
    facts = {"output-shape": "64x10", "target-shape": "64", "epochs": "3", "steps-per-epoch": "none"}
    assert findings(name, trace(tuple(rows), layers=mlp("relu"), facts=facts, loss=loss)) == []


def healthy(steps: int) -> Trace:
    """A classifier in training, with everything measured."""
    course = [2.3 * 0.99**step for step in range(steps)]
    return trace(
        series("loss", course), series("criterion", course), series("lr", [0.001] * steps),
        series("backwards", [1] * steps), series("left-over-gradient", [0] * steps),
        series("update-cosine", [0.6, -0.1, 0.3, 0.2, 0.4][:steps]), series("evaluation-mode-share", [0.0] * steps),
        series("training-mode-evaluations", [0] * steps),
        outputs(width=10, value_min=-1.0, value_max=1.2, row_sum_one_share=0.0,
                column_sum_one_share=0.0, row_mixing=2e-6,
                log_normalised_share=0.0, unit_interval_share=0.4, not_finite_share=0.0, rows_seen=320),
        of("(inputs)", batch_rows=64), of("0", gradient_norm=0.1, update_norm=0.001, weight_norm=1.0, weight_std=0.1),
        of("2", gradient_norm=0.1, update_norm=0.001, weight_norm=1.0), of("1", activation_zero_share=0.5),
        layers=MLP, loss="cross-entropy",
        facts={"output-shape": "64x10", "target-shape": "64", "target-kind": "classes", "classes": "10",
               "network-mode": "train", "epochs": "10", "steps-per-epoch": "20"},
    )  # fmt: skip


@pytest.mark.parametrize("steps", [1, 3, 20, 200])
@pytest.mark.parametrize("name", WIRING)
def test_a_healthy_training_has_none(name: str, steps: int) -> None:
    assert findings(name, healthy(steps)) == []


SICK = {
    "double-softmax": trace(probabilities(), loss="cross-entropy"),
    "sigmoid-before-logits-loss": trace(
        outputs(unit_interval_share=1.0, value_min=0.0, value_max=1.0), layers=mlp("sigmoid"), loss="bce-with-logits"
    ),
    "softmax-over-one-unit": trace(outputs(width=1, value_min=1.0, value_max=1.0)),
    "softmax-wrong-axis": trace(
        outputs(width=1, column_sum_one_share=1.0, row_sum_one_share=0.0), of("(inputs)", batch_rows=8)
    ),
    "wrong-output-activation": trace(
        outputs(value_min=0.0, value_max=1.0), numbers(-3, 3, 0, 1), layers=mlp("relu"), loss="mse"
    ),
    "wrong-loss": trace(facts={"output-shape": "8x1"}, loss="cross-entropy"),
    "loss-broadcasts": trace(facts={"output-shape": "8x1", "target-shape": "8"}, loss="mse"),
    "nonlinearity-missing": trace(layers=[linear("a", 9, 8), linear("b", 8, 2)]),
    "parameters-not-optimised": trace(events=event("parameter-not-optimised", *"abcdefgh")),
    "parameters-frozen": trace(layers=MLP, events=event("gradient-missing", "0", "2")),
    "gradients-not-cleared": trace(series("left-over-gradient", [0, 1, 2, 3, 4])),
    "evaluation-mode-in-training": trace(series("evaluation-mode-share", 1.0)),
    "training-mode-in-evaluation": trace(series("training-mode-evaluations", 5)),
    "gradient-sign-flipped": trace(series("update-cosine", -1.0)),
    "step-missing": trace(events=event("step-missing", "")),
    "scheduler-misused": trace(rates(0.9, 200)),
    "rows-mixed": trace(outputs(row_mixing=0.4)),
    "batch-fails": trace(events=event("failed", "fc1")),
}


def test_every_wiring_disease_is_shown() -> None:
    assert set(SICK) == set(WIRING)


@pytest.mark.parametrize(("name", "given"), SICK.items())
def test_findings_are_whole(name: str, given: Trace) -> None:
    """Evidence is plain, finite JSON with its threshold, remedies are known, and the page is named."""
    for finding in findings(name, given):
        assert finding.name == name
        assert json.loads(json.dumps(dict(finding.evidence), allow_nan=False)) == finding.evidence
        assert any("threshold" in key for key in finding.evidence)
        assert finding.where
        assert {remedy.name for remedy in finding.remedies} <= set(REMEDIES)
    assert findings(name, given)
    assert {text.partition("=")[0] for text in DISEASES[name].remedies} <= set(REMEDIES)
