"""Each disease of the set-up: sick, its healthy twin, what is missing, and the lecture's ten layers."""

import json
import math
import statistics
from collections.abc import Callable

import numpy as np
import pytest

from babysit.diseases import DISEASES
from babysit.diseases._units_dead import expected_share
from babysit.record import Trace, to_json
from babysit.remedies import REMEDIES
from tests.diseases.sick_set_up import (
    SET_UP,
    SEVERITIES,
    SICK,
    TWINS,
    names,
    only,
)
from tests.diseases.traces_set_up import (
    CLASSES,
    LAST,
    Numbers,
    by_table,
    network,
    simulated,
    sound,
    until,
    without,
)


class TestEveryDisease:
    def test_each_has_both_traces(self) -> None:
        assert set(SICK) == set(TWINS) == set(SET_UP)

    @pytest.mark.parametrize("name", SICK)
    def test_the_sick_are_found(self, name: str) -> None:
        found = only(name, SICK[name])
        assert found.severity == SEVERITIES.get(name, "sick")
        assert found.evidence["threshold"] is not None
        json.dumps(to_json(found), allow_nan=False)

    @pytest.mark.parametrize("name", TWINS)
    def test_the_healthy_twin_has_nothing_at_all(self, name: str) -> None:
        assert names(TWINS[name]) == []

    @pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
    @pytest.mark.parametrize("norm", [True, False])
    @pytest.mark.parametrize("last", [0, 2, 9, 50, LAST])
    def test_a_sound_training_has_nothing_at_any_time(self, activation: str, norm: bool, last: int) -> None:
        assert names(until(sound(6, activation, norm=norm, dropout=True), last)) == []

    @pytest.mark.parametrize("name", SICK)
    def test_nothing_is_said_of_nothing(self, name: str) -> None:
        disease = SET_UP[name]
        assert disease.find(Trace()) == []
        assert disease.find(Trace(layers=network(8), facts=CLASSES)) == []
        assert disease.find(Trace(SICK[name].rows)) == [] or name in ("initial-loss-off", "weight-decay-too-strong")

    @pytest.mark.parametrize("name", SICK)
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_numbers_that_are_none_tell_nothing(self, name: str, value: float) -> None:
        broken = tuple(row._replace(value=value) for row in SICK[name].rows)
        trace = Trace(broken, layers=SICK[name].layers, facts=SICK[name].facts)
        assert SET_UP[name].find(trace) == [] or name == "batch-norm-misplaced"  # which the layers alone tell

    @pytest.mark.parametrize("name", SICK)
    def test_any_series_may_be_missing(self, name: str) -> None:
        for quantity in {row.quantity for row in SICK[name].rows}:
            for found in SET_UP[name].find(without(SICK[name], quantity)):
                json.dumps(to_json(found), allow_nan=False)

    @pytest.mark.parametrize("name", SICK)
    def test_facts_may_be_missing(self, name: str) -> None:
        for found in SET_UP[name].find(Trace(SICK[name].rows, layers=SICK[name].layers)):
            json.dumps(to_json(found), allow_nan=False)

    @pytest.mark.parametrize("disease", SET_UP.values(), ids=list(SET_UP))
    def test_remedies_and_causes_are_known(self, disease: object) -> None:
        known = next(each for each in SET_UP.values() if each is disease)
        assert {remedy.partition("=")[0] for remedy in known.remedies} <= set(REMEDIES)
        assert {remedy.name for remedy in only(known.name, SICK[known.name]).remedies} <= set(REMEDIES)
        assert set(known.explained_by) <= set(DISEASES) - {known.name}
        assert min(map(len, (known.seen_as, known.threshold, known.source, known.why))) > 40


def xavier(random: np.random.Generator, width: int) -> tuple[Numbers, Numbers]:
    return random.standard_normal((width, width)) / math.sqrt(width), np.zeros(width)


def he(random: np.random.Generator, width: int) -> tuple[Numbers, Numbers]:
    return random.standard_normal((width, width)) * math.sqrt(2 / width), np.zeros(width)


def of_std(std: float) -> Callable[[np.random.Generator, int], tuple[Numbers, Numbers]]:
    return lambda random, width: (random.standard_normal((width, width)) * std, np.zeros(width))


def default(random: np.random.Generator, width: int) -> tuple[Numbers, Numbers]:
    """PyTorch's, with the biases that its users get."""
    limit = 1 / math.sqrt(width)
    return random.uniform(-limit, limit, (width, width)), random.uniform(-limit, limit, width)


TABLES = {
    "tanh, 0.01 randn": ("tanh", {1: 0.213081, 2: 0.047551, 3: 0.010630, 5: 0.000532, 10: 3e-7}, "sick"),
    "tanh, Xavier": ("tanh", {1: 0.6277, 2: 0.4855, 3: 0.4070, 5: 0.3209, 10: 0.2279}, ""),
    "tanh, 1.0 randn": ("tanh", {1: 0.982, 10: 0.982}, ""),
    "ReLU, Xavier": ("relu", {1: 0.584, 2: 0.414, 3: 0.295, 5: 0.153, 10: 0.026}, ""),
    "ReLU, He": ("relu", {1: 0.825232, 2: 0.827835, 3: 0.813855, 5: 0.834092, 10: 0.844523}, ""),
    "tanh, PyTorch's default": ("tanh", {1: 0.460, 2: 0.249, 3: 0.141, 5: 0.0465, 10: 0.0030}, "warning"),
    "ReLU, PyTorch's default": ("relu", {1: 0.337, 2: 0.138, 3: 0.057, 5: 0.0098, 10: 1.1e-4}, "sick"),
}


class TestTheLecturesTenLayers:
    @pytest.mark.parametrize("row", TABLES)
    def test_each_row_of_the_table(self, row: str) -> None:
        activation, table, severity = TABLES[row]
        found = SET_UP["activations-vanish"].find(by_table(activation, table))
        assert [each.severity for each in found] == [severity] * bool(severity)
        assert SET_UP["activations-explode"].find(by_table(activation, table)) == []

    @pytest.mark.parametrize("seed", [0, 1])
    @pytest.mark.parametrize(
        ("activation", "draw", "expected"),
        [
            ("tanh", of_std(0.01), {"activations-vanish": "sick", "batch-norm-missing": "note"}),
            ("tanh", of_std(1.0), {"units-saturated": "sick"}),
            ("tanh", xavier, {}),
            ("relu", xavier, {}),
            ("relu", he, {}),
            ("relu", default, {"activations-vanish": "sick", "batch-norm-missing": "note"}),
            ("tanh", default, {"activations-vanish": "warning", "batch-norm-missing": "note"}),
            ("relu", of_std(1.0), {"activations-explode": "sick", "batch-norm-missing": "note"}),
        ],
    )
    def test_the_experiment_itself(
        self,
        activation: str,
        draw: Callable[[np.random.Generator, int], tuple[Numbers, Numbers]],
        expected: dict[str, str],
        seed: int,
    ) -> None:
        trace = simulated(activation, draw, seed=seed)
        assert {found.name: found.severity for each in SET_UP.values() for found in each.find(trace)} == expected

    @pytest.mark.parametrize("depth", [2, 3])
    def test_two_or_three_layers_of_the_default_are_healthy(self, depth: int) -> None:
        assert names(simulated("relu", default, depth=depth)) == []

    def test_biases_do_not_hide_a_dead_signal(self) -> None:
        trace = simulated("relu", default)
        assert trace.series("activation-std", layer="fc10").values[0] > 0.02  # all of it the same for every row
        assert only("activations-vanish", trace).evidence["std over rows there"] < 1e-3

    def test_never_active_units_are_as_many_as_expected_or_fewer(self) -> None:
        traces = [simulated("relu", he, seed=seed) for seed in range(4)]
        shares = [
            statistics.fmean(trace.series("never-active-share", layer=f"act{number}").values[0] for trace in traces)
            for number in range(1, 11)
        ]
        expected = [expected_share(number, 1000, 500) for number in range(1, 11)]
        assert shares[0] == expected[0] == 0
        assert shares[9] == pytest.approx(0.098, abs=0.04)
        assert all(share <= much + 0.03 for share, much in zip(shares, expected, strict=True))
