"""Diseases of targets, labels, splits and batches: the borders of their thresholds."""

import dataclasses
import math

import numpy as np
import pytest

from babysit.record import INPUTS, OUTPUTS, TARGETS, Trace, TraceLayer
from tests.diseases.sick_data import (
    BATCH_NORM,
    EVEN,
    FALLING,
    NUMBERS,
    RANDOM,
    SICK,
    SORTED,
    epochs,
    few_steps,
    flat,
    found,
    noisy,
    only,
    regression,
    validated,
)
from tests.diseases.traces_data import (
    CLASSES,
    LINEAR,
    REGRESSION,
    cut,
    joined,
    labels,
    rows_at,
    series,
    targets,
    with_value,
)


class TestTargetsNotFinite:
    def test_the_loss_that_stays_a_number_makes_it_a_note(self) -> None:
        assert only("targets-not-finite", joined(SICK["targets-not-finite"], flat([1.0] * 10))).severity == "note"

    def test_the_loss_that_ends_makes_it_sick(self) -> None:
        losses = flat([1.0, math.nan, math.nan])
        assert only("targets-not-finite", joined(SICK["targets-not-finite"], losses)).severity == "sick"


class TestLabelsOutOfRange:
    def test_counted_from_one(self) -> None:
        finding = only("labels-out-of-range", SICK["labels-out-of-range"])
        assert finding.evidence["likely"] == "classes are counted from 1"
        assert finding.evidence["threshold"] == "labels from 0 to 9"

    def test_the_last_class_fits(self) -> None:
        trace = joined(labels([np.array([0, 9])], 10), facts=CLASSES)
        assert found("labels-out-of-range", trace) == []
        assert found("labels-out-of-range", with_value(trace, "width", 9.0)) != []

    @pytest.mark.parametrize("label", [-1, -100, 255])
    def test_rows_left_out_while_the_loss_goes_on(self, label: int) -> None:
        some = joined(labels(cut(np.where(EVEN == 3, label, EVEN), 64), 10), facts=CLASSES)
        assert found("labels-out-of-range", joined(some, flat([2.3] * 5), facts=CLASSES)) == []

    @pytest.mark.parametrize(("label", "sick"), [(-1, True), (-2, True), (255, True), (-100, False)])
    def test_rows_after_which_nothing_comes(self, label: int, sick: bool) -> None:
        some = joined(labels(cut(np.where(EVEN == 3, label, EVEN), 64), 10), facts=CLASSES)
        assert [each.severity for each in found("labels-out-of-range", some)] == ["sick"] * sick

    def test_any_other_label_is_a_warning_while_the_loss_goes_on(self) -> None:
        going_on = joined(SICK["labels-out-of-range"], flat([2.3] * 5), facts=CLASSES)
        assert only("labels-out-of-range", going_on).severity == "warning"

    def test_other_losses_have_other_labels(self) -> None:
        for loss in ("hinge", "bce", "other"):
            changed = dataclasses.replace(SICK["labels-out-of-range"], facts=CLASSES | {"loss": loss})
            assert found("labels-out-of-range", changed) == []


class TestTargetsBadlyScaled:
    @pytest.mark.parametrize(
        ("factor", "offset", "facts", "severity"),
        [
            (1, 5, {}, ""), (20, 0, {}, ""), (40, 0, {}, "warning"), (500, 0, {}, "warning"), (1500, 0, {}, "sick"),
            (500, 0, {"optimizer": "sgd"}, "sick"), (40, 0, {"optimizer": "sgd"}, "warning"),
            (1, 40, {}, "warning"), (1, 200, {}, "sick"), (100, 200, {}, "warning"), (0.005, 0, {}, "warning"),
            (0.0001, 0, {}, "sick"), (0.1, 0, {}, ""), (5000, 0, {"loss": "l1"}, ""),
            (1, 200, {"loss": "huber"}, "sick"),
            (5000, 0, {"loss": "poisson-nll"}, ""),
        ],
    )  # fmt: skip
    def test_borders(self, factor: float, offset: float, facts: dict[str, str], severity: str) -> None:
        findings = found("targets-badly-scaled", regression(NUMBERS * factor + offset, **facts))
        assert [each.severity for each in findings] == ([severity] if severity else [])

    def test_a_training_that_goes_well_gets_a_note(self) -> None:
        trace = joined(SICK["targets-badly-scaled"], flat([5000.0**2 * 0.05] * 30), facts=REGRESSION)
        assert only("targets-badly-scaled", trace).severity == "note"

    def test_targets_that_are_all_zero_are_residuals(self) -> None:
        assert found("targets-badly-scaled", regression(np.zeros(640))) == []

    def test_a_network_that_answers_at_that_scale(self) -> None:
        answers = Trace(tuple(rows_at(0, OUTPUTS, {"value-mean": 100.0, "value-std": 4000.0})))
        assert found("targets-badly-scaled", joined(answers, SICK["targets-badly-scaled"], facts=REGRESSION)) == []

    def test_class_numbers_have_no_scale(self) -> None:
        assert found("targets-badly-scaled", joined(labels(cut(EVEN, 64), 10), facts=CLASSES)) == []


class TestLabelsImbalanced:
    def trace(self, share: float, *more: Trace, classes: int = 2, rows: int = 2000) -> Trace:
        top = round(rows * share)
        rest = 1 + np.arange(rows - top) % (classes - 1)
        drawn = np.random.default_rng(1).permutation(np.concatenate([np.zeros(top, np.int64), rest]))
        return joined(labels(cut(drawn, 100), classes), *more, facts=CLASSES)

    @pytest.mark.parametrize(
        ("share", "classes", "count"),
        [(0.89, 2, 0), (0.91, 2, 1), (0.74, 10, 0), (0.78, 10, 1), (0.6, 100, 0), (0.7, 100, 1)],
    )
    def test_the_line_goes_with_the_number_of_classes(self, share: float, classes: int, count: int) -> None:
        findings = found("labels-imbalanced", self.trace(share, classes=classes))
        assert [each.severity for each in findings] == ["warning"] * count

    @pytest.mark.parametrize(("loss", "severity"), [(0.19, "warning"), (0.1, "note")])
    def test_imbalanced_but_learned(self, loss: float, severity: str) -> None:
        assert only("labels-imbalanced", self.trace(0.95, flat([loss] * 40))).severity == severity

    @pytest.mark.parametrize(("accuracy", "loss", "severity"), [
        ([0.95] * 3, 0.2, "sick"), ([0.95] * 2, 0.2, "warning"), ([0.95, 0.95, 0.97], 0.2, "warning"),
        ([0.95] * 3, 0.15, "note"), ([0.98, 0.99, 0.99], 0.19, "note"),
    ])  # fmt: skip
    def test_accuracy_that_equals_the_share(self, accuracy: list[float], loss: float, severity: str) -> None:
        trace = self.trace(0.95, flat([loss] * 40), series("accuracy", accuracy, every=10))
        assert only("labels-imbalanced", trace).severity == severity

    def test_one_class_over_all_rows(self) -> None:
        one = labels([np.zeros(100, np.int64)] * 5, 2)
        assert only("labels-imbalanced", joined(one, facts=CLASSES | {"rows": "500"})).severity == "sick"
        assert found("labels-imbalanced", joined(one, facts=CLASSES | {"rows": "5000"})) == []

    def test_few_rows_tell_nothing(self) -> None:
        assert found("labels-imbalanced", self.trace(0.97, rows=90)) == []

    def test_the_long_tail_of_many_classes_is_healthy(self) -> None:
        shares = 1 / np.arange(1, 1001)
        drawn = np.random.default_rng(0).choice(1000, size=5000, p=shares / shares.sum())
        assert found("labels-imbalanced", joined(labels(cut(drawn, 500), 1000), facts=CLASSES)) == []


class TestLabelsUnrelated:
    @pytest.mark.parametrize(
        ("train", "validation", "losses"),
        [
            (0.5, [0.1] * 4, [2.3, 2.4, 2.5, 2.6]),  # not memorised
            (1.0, [0.1, 0.14, 0.1, 0.1], [2.3, 2.4, 2.5, 2.6]),  # once better than chance
            (1.0, [0.1] * 4, [2.2, 2.4, 2.5, 2.6]),  # once dipped
            (1.0, [0.1] * 2, [2.3, 2.4]),  # too soon
        ],
    )
    def test_healthy_or_not_known(self, train: float, validation: list[float], losses: list[float]) -> None:
        assert found("labels-unrelated", validated(train, validation, losses)) == []

    def test_a_tiny_training_set_proves_nothing(self) -> None:
        assert found("labels-unrelated", validated(1.0, [0.1] * 4, [2.3, 2.4, 2.5, 2.6], rows="400")) == []
        many = dataclasses.replace(SICK["labels-unrelated"], facts=CLASSES)
        assert found("labels-unrelated", many) == []
        known = CLASSES | {"steps-per-epoch": "20", "batch-size": "64"}
        assert len(found("labels-unrelated", dataclasses.replace(SICK["labels-unrelated"], facts=known))) == 1

    @pytest.mark.parametrize(("best", "count"), [(0.0, 1), (0.05, 0)])
    def test_numbers(self, best: float, count: int) -> None:
        trace = joined(
            targets(cut(NUMBERS, 64)), series("r2", [0.2, 0.5, 0.9]),
            series("r2", [-0.1, best, -0.5], phase="validation"),
            facts=REGRESSION | {"rows": "900"},
        )  # fmt: skip
        assert len(found("labels-unrelated", trace)) == count


class TestBatchesNotShuffled:
    def test_sorted_numbers(self) -> None:
        assert only("batches-not-shuffled", regression(np.sort(NUMBERS))).severity == "sick"
        assert found("batches-not-shuffled", regression(NUMBERS)) == []

    def test_half_sorted_is_a_warning(self) -> None:
        mixed = SORTED.reshape(10, 64)
        mixed[:, :36] = RANDOM.permutation(mixed[:, :36].reshape(-1)).reshape(10, 36)
        assert only("batches-not-shuffled", joined(labels(list(mixed), 10), facts=CLASSES)).severity == "warning"

    @pytest.mark.parametrize(
        ("width", "rows", "count"), [(10, 90, 0), (10, 128, 1), (2, 900, 0), (2, 1200, 1), (1, 5000, 0)]
    )
    def test_one_class_alone(self, width: int, rows: int, count: int) -> None:
        trace = labels(cut(np.zeros(rows, np.int64), max(1, rows // 5)), width)
        findings = found("batches-not-shuffled", joined(trace, facts=CLASSES | {"rows": "60000"}))
        assert [each.severity for each in findings] == ["sick"] * count

    def test_one_class_is_all_there_is(self) -> None:
        trace = joined(labels([np.zeros(100, np.int64)] * 5, 10), facts=CLASSES | {"rows": "500"})
        assert found("batches-not-shuffled", trace) == []

    def test_full_batches_are_healthy(self) -> None:
        trace = joined(labels([SORTED] * 20, 10), facts=CLASSES | {"rows": "640", "steps-per-epoch": "1"})
        assert found("batches-not-shuffled", trace) == []
        assert found("batches-not-shuffled", dataclasses.replace(trace, facts=CLASSES)) == []

    def test_rows_one_by_one_look_the_same_in_any_order(self) -> None:
        assert found("batches-not-shuffled", joined(labels(cut(SORTED[:200], 1), 10), facts=CLASSES)) == []

    def test_words_of_a_text_are_alike_however_well_shuffled(self) -> None:
        words = SORTED
        flattened = labels(cut(words, 64), 10, input_rows=4)
        assert found("batches-not-shuffled", joined(flattened, facts=CLASSES)) == []
        shaped = joined(labels(cut(words, 64), 10), facts=CLASSES | {"target-shape": "64x128"})
        assert found("batches-not-shuffled", shaped) == []
        column = joined(labels(cut(words, 64), 10), facts=CLASSES | {"target-shape": "64x1"})
        assert len(found("batches-not-shuffled", column)) == 1

    def test_a_recurrent_network_may_read_on(self) -> None:
        layers = (TraceLayer("rnn", "recurrent", depth=1),)
        trace = dataclasses.replace(SICK["batches-not-shuffled"], layers=layers)
        assert only("batches-not-shuffled", trace).severity == "note"

    def test_two_batches_are_too_few(self) -> None:
        assert found("batches-not-shuffled", joined(labels(cut(SORTED, 64)[:2], 10), facts=CLASSES)) == []


class TestSplitLeaks:
    @pytest.mark.parametrize(
        ("train", "validation", "count"),
        [
            ([1.5, 1.0, 0.7], [1.5, 1.0, 0.7], 1),
            ([1.5, 1.0, 0.7], [1.5, 1.0, 0.7001], 0),
            ([1.5, 1.0], [1.5, 1.0], 0),
            ([2.302585] * 5, [2.302585] * 5, 0),  # both at chance
            ([2.31, 2.30, 2.25], [2.31, 2.30, 2.25], 0),  # constant answers, equal shares
            ([1.5, 1.0, 0.7], [1.5, 1.0, math.nan], 0),
            ([1.5, math.inf, 0.7], [1.5, math.inf, 0.7], 0),
        ],
    )
    def test_equal_to_many_digits(self, train: list[float], validation: list[float], count: int) -> None:
        assert len(found("split-leaks", epochs(train, validation, CLASSES))) == count

    def test_numbers_need_no_entropy(self) -> None:
        assert len(found("split-leaks", epochs([1.5, 1.0, 0.7], [1.5, 1.0, 0.7], REGRESSION))) == 1


class TestBatchSize:
    @pytest.mark.parametrize(("rows", "count"), [(1, 1), (2, 1), (3, 0)])
    def test_batch_norm_on_a_few_rows(self, rows: int, count: int) -> None:
        trace = joined(series("batch-rows", [rows] * 10, layer=INPUTS), layers=[LINEAR, BATCH_NORM])
        assert len(found("batch-too-small", trace)) == count

    def test_a_small_last_batch_is_no_small_batch(self) -> None:
        trace = joined(series("batch-rows", [64, 64, 64, 1], layer=INPUTS), layers=[LINEAR, BATCH_NORM])
        assert found("batch-too-small", trace) == []

    def test_frozen_batch_norm_takes_no_statistics(self) -> None:
        trace = joined(
            series("batch-rows", [1] * 10, layer=INPUTS), layers=[BATCH_NORM], facts={"network-mode": "evaluation"}
        )
        assert found("batch-too-small", trace) == []

    @pytest.mark.parametrize(
        ("scales", "rows", "count"),
        [
            ([5000.0] * 30, 8, 1),
            ([-5.0, math.inf] * 15, 8, 1),
            ([500.0] * 30, 8, 0),
            ([5000.0] * 19, 8, 0),
            ([5e6] * 30, 64, 0),
            ([math.nan] * 30, 8, 0),
        ],
    )
    def test_noise_while_the_loss_stands_still(self, scales: list[float], rows: int, count: int) -> None:
        assert len(found("batch-too-small", noisy(scales, [1.0] * 200, rows))) == count

    @pytest.mark.parametrize(
        "facts", [{"steps-per-epoch": "4"}, {"batch-size": "256"}, {"optimizer": "lbfgs"}, {"steps-per-epoch": ""}]
    )
    def test_not_too_large(self, facts: dict[str, str]) -> None:
        assert found("batch-too-large", few_steps(FALLING, **facts)) == []

    def test_a_warning_once_the_plan_has_ended(self) -> None:
        assert only("batch-too-large", few_steps(FALLING, epochs="30")).severity == "warning"
        assert only("batch-too-large", few_steps(FALLING, epochs="300")).severity == "note"

    def test_recommends_a_size_that_gives_steps(self) -> None:
        finding = only("batch-too-large", few_steps(FALLING))
        assert [str(remedy) for remedy in finding.remedies] == ["batch-size=64", "epochs"]

    def test_the_first_steps_tell_nothing(self) -> None:
        assert found("batch-too-large", few_steps(FALLING[:10])) == []


def test_targets_alone_tell_of_imbalance() -> None:
    rows = tuple(row for row in SICK["labels-imbalanced"].rows if row.layer == TARGETS)
    assert only("labels-imbalanced", Trace(rows, facts=CLASSES)).severity == "warning"
