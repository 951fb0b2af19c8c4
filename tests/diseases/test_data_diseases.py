"""Each disease of the data: the sick trace, its healthy twin, what is missing or no number; and those of inputs."""

import dataclasses
import json
import math
import random

import numpy as np
import pytest

from babysit.diseases import DISEASES
from babysit.record import INPUTS, Row, Trace, TraceLayer, to_json
from babysit.remedies import REMEDIES
from tests.diseases.sick_data import (
    BATCH_NORM,
    EMBEDDING,
    EVEN,
    HEALTHY,
    RANDOM,
    SICK,
    STANDARD,
    flat,
    found,
    only,
)
from tests.diseases.traces_data import (
    CLASSES,
    LINEAR,
    cut,
    inputs,
    joined,
    labels,
    rows_at,
    series,
    with_value,
    without,
)

DATA = [disease for disease in DISEASES.values() if disease.group == "data"]
MILDER = {"batch-too-small": "warning", "batch-too-large": "note", "inputs-not-centred": "warning",
          "inputs-constant": "note"}  # fmt: skip


class TestEveryDisease:
    @pytest.mark.parametrize("name", SICK)
    def test_the_sick_are_found(self, name: str) -> None:
        finding = only(name, SICK[name])
        assert finding.name == name
        assert finding.severity == MILDER.get(name, "sick")
        assert finding.evidence["threshold"]
        assert finding.where
        json.dumps(to_json(finding), allow_nan=False)

    @pytest.mark.parametrize("name", HEALTHY)
    def test_the_healthy_twin_has_nothing_at_all(self, name: str) -> None:
        assert [each.name for disease in DATA for each in disease.find(HEALTHY[name])] == []

    def test_every_disease_has_both(self) -> None:
        assert set(SICK) == set(HEALTHY) == {disease.name for disease in DATA}

    @pytest.mark.parametrize("name", SICK)
    def test_an_empty_trace_has_none(self, name: str) -> None:
        assert found(name, Trace()) == []

    @pytest.mark.parametrize("name", SICK)
    def test_the_order_of_rows_does_not_matter(self, name: str) -> None:
        rows = list(SICK[name].rows)
        random.Random(0).shuffle(rows)
        assert found(name, dataclasses.replace(SICK[name], rows=tuple(rows))) == found(name, SICK[name])

    @pytest.mark.parametrize("name", SICK)
    def test_a_missing_series_is_no_error_and_no_worse_finding(self, name: str) -> None:
        for quantity in {row.quantity for row in SICK[name].rows}:
            for disease in DATA:
                for each in disease.find(without(SICK[name], quantity)):
                    assert each.evidence

    @pytest.mark.parametrize("name", SICK)
    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0])
    def test_values_of_no_use_are_no_error(self, name: str, value: float) -> None:
        for quantity in {row.quantity for row in SICK[name].rows}:
            for disease in DATA:
                for each in disease.find(with_value(SICK[name], quantity, value)):
                    json.dumps(to_json(each), allow_nan=False)

    @pytest.mark.parametrize("name", HEALTHY)
    def test_a_healthy_trace_with_a_series_of_nan_is_not_sick_of_its_data(self, name: str) -> None:
        quantities = {row.quantity for row in HEALTHY[name].rows}
        for quantity in quantities:
            spoiled = with_value(HEALTHY[name], quantity, math.nan)
            assert [each.name for disease in DATA for each in disease.find(spoiled)] == []

    @pytest.mark.parametrize("name", SICK)
    def test_facts_may_be_missing(self, name: str) -> None:
        bare = dataclasses.replace(SICK[name], facts={}, layers=())
        assert all(each.severity in ("sick", "warning", "note") for disease in DATA for each in disease.find(bare))

    @pytest.mark.parametrize("name", SICK)
    def test_remedies_are_known_and_texts_are_there(self, name: str) -> None:
        known = DISEASES[name]
        assert all(remedy.partition("=")[0] in REMEDIES for remedy in known.remedies)
        assert all((known.seen_as, known.threshold, known.source, known.why))


class TestInputsNotFinite:
    def test_counts_whole_columns_where_only_shares_are_known(self) -> None:
        evidence = only("inputs-not-finite", SICK["inputs-not-finite"]).evidence
        assert evidence["as many as whole features"] == 1
        assert evidence["of features"] == 20
        assert evidence["batches"] == evidence["of batches"] == 10

    def test_scattered_values_are_no_column(self) -> None:
        values = STANDARD.copy()
        values[100, 4] = np.inf
        finding = only("inputs-not-finite", inputs(cut(values, 64)))
        assert "as many as whole features" not in finding.evidence
        assert finding.where == "inputs, step 1"

    def test_names_the_worst_feature_where_features_were_measured(self) -> None:
        shares = [Row(0, "train", f"{INPUTS}[{number}]", "not-finite-share", number / 10) for number in range(3)]
        finding = only("inputs-not-finite", joined(SICK["inputs-not-finite"], Trace(tuple(shares))))
        assert finding.where == "(inputs)[2], step 0"
        assert finding.evidence["share of the worst feature"] == 0.2

    def test_features_without_such_values_are_not_named(self) -> None:
        shares = series("not-finite-share", [0.0], layer=f"{INPUTS}[0]")
        assert "worst feature" not in only("inputs-not-finite", joined(SICK["inputs-not-finite"], shares)).evidence


class TestInputsBadlyScaled:
    @pytest.mark.parametrize(
        ("factor", "severity"),
        [(0.0005, "sick"), (0.005, "warning"), (0.1, ""), (9, ""), (12, "warning"), (60, "sick")],
    )
    def test_borders(self, factor: float, severity: str) -> None:
        values = np.clip(STANDARD, -3, 3) * factor
        findings = found("inputs-badly-scaled", joined(inputs(cut(values, 64)), layers=[LINEAR]))
        assert [each.severity for each in findings] == ([severity] if severity else [])

    def test_bytes_are_told(self) -> None:
        pixels = np.floor(RANDOM.uniform(0, 256, size=(640, 30)))
        finding = only("inputs-badly-scaled", joined(inputs(cut(pixels, 64)), layers=[LINEAR]))
        assert finding.severity == "sick"
        assert finding.evidence["looks like"] == "bytes from 0 to 255"
        assert str(finding.remedies[0]) == "scale-inputs"

    @pytest.mark.parametrize("largest", [1, 16])
    def test_pixels_from_0_to_1_and_16_are_healthy(self, largest: int) -> None:
        pixels = RANDOM.uniform(0, 1, size=(640, 30)) * (RANDOM.uniform(size=30) > 0.3) * largest
        assert found("inputs-badly-scaled", joined(inputs(cut(pixels, 64)), layers=[LINEAR])) == []

    def test_one_hot_columns_beside_standardised_numbers_are_healthy(self) -> None:
        one_hot = np.eye(50)[RANDOM.integers(0, 50, 640)]
        mixed = np.concatenate([STANDARD, one_hot], axis=1)
        assert [
            each for disease in DATA for each in disease.find(joined(inputs(cut(mixed, 64)), layers=[LINEAR]))
        ] == []

    def test_word_weights_are_healthy(self) -> None:
        weights = RANDOM.uniform(0, 1, size=(640, 2000)) * (RANDOM.uniform(size=(640, 2000)) < 0.01)
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        assert found("inputs-badly-scaled", joined(inputs([weights]), layers=[LINEAR])) == []

    def test_names_the_widest_column(self) -> None:
        wide = STANDARD * np.where(np.arange(20) == 7, 400, 1)
        finding = only("inputs-badly-scaled", joined(inputs(cut(wide, 64)), layers=[LINEAR]))
        assert finding.where == "(inputs)[7]"
        assert finding.evidence["median feature's std"] < 1.2

    @pytest.mark.parametrize("first", [EMBEDDING, BATCH_NORM])
    def test_a_network_that_begins_with_a_look_up_or_a_normalisation(self, first: TraceLayer) -> None:
        assert (
            found("inputs-badly-scaled", dataclasses.replace(SICK["inputs-badly-scaled"], layers=(first, LINEAR))) == []
        )

    def test_a_normalisation_after_the_first_weights_is_no_help(self) -> None:
        trace = dataclasses.replace(SICK["inputs-badly-scaled"], layers=(LINEAR, BATCH_NORM))
        assert only("inputs-badly-scaled", trace).severity == "sick"

    @pytest.mark.parametrize(("spread", "count"), [(0.58, 0), (580.0, 1)])
    def test_a_network_that_divides_in_its_forward_pass(self, spread: float, count: int) -> None:
        # Weights of std 1/sqrt(3 * 20) on 20 inputs of size 1000 give outputs of about 580, of size 1 of 0.58.
        first = Trace(tuple(rows_at(0, "fc1", {"activation-std": spread, "weight-std": (3 * 20) ** -0.5})))
        trace = joined(SICK["inputs-badly-scaled"], first, layers=[LINEAR])
        assert len(found("inputs-badly-scaled", trace)) == count

    def test_a_training_that_copes_gets_a_warning(self) -> None:
        trace = joined(
            SICK["inputs-badly-scaled"],
            labels(cut(EVEN, 64), 10),
            flat([20.0, *[0.2] * 30]),
            facts=CLASSES,
            layers=[LINEAR],
        )
        assert only("inputs-badly-scaled", trace).severity == "warning"

    def test_three_rows_tell_nothing(self) -> None:
        assert found("inputs-badly-scaled", joined(inputs(cut(STANDARD[:3] * 1000, 1)), layers=[LINEAR])) == []


class TestInputsNotCentred:
    @pytest.mark.parametrize(("offset", "severity"), [(2.2, ""), (4, "note"), (12, "warning")])
    def test_borders(self, offset: float, severity: str) -> None:
        findings = found("inputs-not-centred", joined(inputs(cut(STANDARD + offset, 64)), layers=[LINEAR]))
        assert [each.severity for each in findings] == ([severity] if severity else [])

    @pytest.mark.parametrize(("share", "count"), [(0.97, 1), (0.8, 0)])
    def test_the_zig_zag(self, share: float, count: int) -> None:
        pixels = inputs(cut(RANDOM.uniform(0, 1, size=(640, 20)), 64))
        signs = series("gradient-sign-share", [share] * 5, layer="fc1")
        findings = found("inputs-not-centred", joined(pixels, signs, layers=[LINEAR]))
        assert [each.severity for each in findings] == ["note"] * count

    def test_a_single_far_column_is_named(self) -> None:
        years = STANDARD + np.where(np.arange(20) == 5, 2000, 0)
        finding = only("inputs-not-centred", joined(inputs(cut(years, 64)), layers=[LINEAR]))
        assert (finding.where, finding.severity) == ("(inputs)[5]", "warning")

    def test_a_flag_that_is_nearly_always_one_is_as_good_as_a_bias(self) -> None:
        flags = STANDARD.copy()
        flags[:, 5] = np.arange(640) > 0
        assert found("inputs-not-centred", joined(inputs(cut(flags, 64)), layers=[LINEAR])) == []

    def test_a_normalisation_centres(self) -> None:
        assert (
            found("inputs-not-centred", dataclasses.replace(SICK["inputs-not-centred"], layers=(BATCH_NORM, LINEAR)))
            == []
        )


class TestInputsConstant:
    def test_all_constant_is_sick(self) -> None:
        finding = only("inputs-constant", inputs(cut(np.ones((640, 5)), 64)))
        assert (finding.severity, finding.evidence["constant features"]) == ("sick", 5)

    @pytest.mark.parametrize(("rows", "count"), [(99, 0), (100, 1)])
    def test_needs_enough_rows(self, rows: int, count: int) -> None:
        values = STANDARD[:rows] * (np.arange(20) > 0)
        assert len(found("inputs-constant", inputs(cut(values, 33)))) == count

    def test_few_rows_seen_often_are_few(self) -> None:
        tiny = joined(inputs([np.ones((20, 5))] * 10), facts={"rows": "20"})
        assert found("inputs-constant", tiny) == []
        assert found("inputs-constant", inputs([np.ones((1, 5))] * 200)) == []
