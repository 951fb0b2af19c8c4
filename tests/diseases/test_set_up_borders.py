"""The set-up's diseases at their thresholds, and what must not be taken for them."""

import pytest

from babysit.record import INPUTS, OUTPUTS, TARGETS, Row, Trace, TraceLayer
from tests.diseases.sick_set_up import (
    ENDS,
    SET_UP,
    SICK,
    dead,
    evaluates_at,
    first_loss,
    gradients,
    growing,
    names,
    norm_on_outputs,
    only,
    saturated,
    settled,
    shrinking,
    vanishing,
)
from tests.diseases.traces_set_up import (
    LAST,
    STEPS,
    at_chance,
    in_all,
    network,
    replace,
    rows,
    sound,
    until,
    with_facts,
    without,
)


class TestBorders:
    @pytest.mark.parametrize(("kept", "severity"), [(0.06, ""), (0.04, "warning"), (0.011, "warning"), (0.009, "sick")])
    def test_activations_vanish(self, kept: float, severity: str) -> None:
        # The last but one of eight layers counts, and sound networks of eight keep 8^-0.44.
        last = kept * 8**-0.44
        trace = in_all(at_chance(sound(8)), "activation-std", lambda number: last ** ((number - 1) / 6))
        assert [each.severity for each in SET_UP["activations-vanish"].find(trace)] == [severity] * bool(severity)

    def test_what_leaves_a_normalisation_counts(self) -> None:
        trace = in_all(at_chance(sound(8, norm=True)), "activation-std", lambda number: 10.0**-number)
        assert names(trace) == []

    def test_a_single_row_cannot_be_told_from_others(self) -> None:
        trace = in_all(at_chance(sound(8)), "row-spread", lambda number: 0.9 if number == 1 else 0.0)
        assert only("activations-vanish", trace).severity == "sick"
        assert names(replace(trace, "batch-rows", 1.0, INPUTS)) == []

    def test_a_branch_that_begins_at_zero_says_nothing(self) -> None:
        trace = at_chance(sound(8))
        for number in (2, 4, 6, 8):
            trace = replace(trace, "activation-std", 0.0, f"fc{number}")
        assert names(trace) == []

    def test_a_training_that_goes_well_is_judged_more_mildly(self) -> None:
        trace = in_all(sound(8), "activation-std", lambda number: 0.001 ** ((number - 1) / 7))
        assert only("activations-vanish", trace).severity == "warning"

    @pytest.mark.parametrize(("growth", "severity"), [(25, ""), (35, "warning"), (290, "warning"), (310, "sick")])
    def test_activations_explode(self, growth: float, severity: str) -> None:
        found = SET_UP["activations-explode"].find(growing(growth ** (7 / 6)))
        assert [each.severity for each in found] == [severity] * bool(severity)

    def test_a_layer_called_again_is_no_depth(self) -> None:
        trace = gradients(1e-6)
        layers = tuple(
            layer._replace(name=f"fc1#{layer.name[2:]}") if layer.name in ("fc2", "fc3") else layer
            for layer in network(3)
        )
        assert SET_UP["gradients-vanish"].find(Trace(trace.rows, layers=layers, facts=trace.facts)) == []

    def test_growth_from_next_to_nothing_does_no_harm(self) -> None:
        assert names(growing(1e4, first=1e-5)) == []

    @pytest.mark.parametrize(("ratio", "severity"), [(0.016, ""), (0.014, "warning"), (0.0029, "sick")])
    def test_gradients_vanish(self, ratio: float, severity: str) -> None:
        # Of three layers each end is one layer.
        found = SET_UP["gradients-vanish"].find(gradients(ratio, hidden=3))
        assert [each.severity for each in found] == [severity] * bool(severity)

    def test_gradients_that_come_back_are_no_disease(self) -> None:
        trace = gradients(1e-6)
        for number in range(1, 9):
            healed = [*trace.series("activation-gradient-std", layer=f"fc{number}").values[:4], *[1e-3] * 9]
            trace = replace(trace, "activation-gradient-std", healed, f"fc{number}")
        assert SET_UP["gradients-vanish"].find(trace) == []

    def test_the_depth_of_sigmoids_is_named(self) -> None:
        found = only("gradients-vanish", gradients(1e-6, activation="sigmoid"))
        assert found.evidence["squashing layers"] == "8 of sigmoid"
        assert found.evidence["slopes alone leave at most"] == pytest.approx(0.25**8)
        assert str(found.remedies[0]) == "activation=relu"

    @pytest.mark.parametrize(("ratio", "severity"), [(90, ""), (110, "warning"), (1100, "sick")])
    def test_gradients_explode(self, ratio: float, severity: str) -> None:
        found = SET_UP["gradients-explode"].find(gradients(ratio, hidden=3))
        assert [each.severity for each in found] == [severity] * bool(severity)
        assert SET_UP["gradients-explode"].find(gradients(110, hidden=3, norm=True)) == []

    @pytest.mark.parametrize(("share", "severity"), [(0.29, ""), (0.31, "warning"), (0.51, "sick")])
    def test_saturation_at_the_start(self, share: float, severity: str) -> None:
        found = SET_UP["units-saturated"].find(saturated(share))
        assert [each.severity for each in found] == [severity] * bool(severity)

    def test_saturation_in_training(self) -> None:
        trace = replace(sound(3, "tanh"), "saturated-unit-share", 0.9, "act2")
        assert names(trace) == []  # it learns all the same
        assert only("units-saturated", at_chance(trace)).severity == "warning"

    def test_an_output_that_is_certain_saturates_because_it_is_right(self) -> None:
        layers = (*network(3, "tanh"), TraceLayer("sigmoid", "activation", "sigmoid", 4, 10))
        trace = at_chance(sound(3, "tanh"))
        more = rows("activation-flat-share", [0.9] * len(STEPS), "sigmoid")
        more += rows("saturated-unit-share", [0.9] * len(STEPS), "sigmoid")
        more += rows("window-rows", [900.0] * len(STEPS), "sigmoid")
        assert names(Trace(trace.rows + more, layers=layers, facts=trace.facts)) == []

    @pytest.mark.parametrize(("share", "severity"), [(0.24, ""), (0.26, "warning"), (0.64, "warning"), (0.66, "sick")])
    def test_dead_units(self, share: float, severity: str) -> None:
        found = SET_UP["units-dead"].find(dead(share))
        assert [each.severity for each in found] == [severity] * bool(severity)

    def test_dead_units_in_a_training_that_goes_well(self) -> None:
        assert only("units-dead", dead(0.4, learns=True)).severity == "note"

    def test_half_of_a_default_layer_is_no_sign_at_the_start(self) -> None:
        assert names(until(dead(0.55, layer=3), 9)) == []
        assert only("units-dead", dead(0.55, layer=3)).severity == "warning"

    def test_a_small_window_tells_nothing(self) -> None:
        assert names(replace(dead(1.0), "window-rows", 64.0, "act2")) == []

    def test_few_units_die_by_chance(self) -> None:
        assert names(dead(0.5, units=8)) == []
        assert only("units-dead", dead(1.0, units=8)).severity == "sick"

    @pytest.mark.parametrize(
        "kind", [("dropout", ""), ("activation", "tanh"), ("activation", "leaky-relu"), ("activation", "")]
    )
    def test_zeros_of_other_layers_are_no_death(self, kind: tuple[str, str]) -> None:
        trace = dead(1.0)
        layers = tuple(
            layer._replace(kind=kind[0], activation=kind[1]) if layer.name == "act2" else layer  # type: ignore[arg-type]
            for layer in trace.layers
        )
        assert SET_UP["units-dead"].find(Trace(trace.rows, layers=layers, facts=trace.facts)) == []


class TestSymmetry:
    def test_seen_at_the_first_step_alone(self) -> None:
        assert only("weights-symmetric", until(SICK["weights-symmetric"], 0)).severity == "sick"

    def test_units_that_part_are_not_symmetric(self) -> None:
        parting = [1.0, 1.0, *[0.0] * (len(STEPS) - 2)]
        assert names(replace(sound(), "identical-units-share", parting, "fc1")) == []

    def test_zeros_that_stay_zero(self) -> None:
        trace = at_chance(sound())
        for quantity in ("weight-std", "gradient-std"):
            trace = in_all(trace, quantity, lambda number: 0.0 if number < 4 else 0.1)
        assert only("weights-symmetric", trace).evidence["such layers"] == 3
        assert SET_UP["weights-symmetric"].find(until(trace, 1)) == []  # residual branches begin so, and leave it

    def test_a_layer_behind_dead_units_is_not_symmetric(self) -> None:
        trace = in_all(at_chance(sound()), "identical-units-share", lambda number: 1.0)
        assert SET_UP["weights-symmetric"].find(in_all(trace, "row-spread", lambda number: 0.0)) == []


class TestFirstLoss:
    @pytest.mark.parametrize(("value", "severity"), [(0.01, ""), (5.5, ""), (5.7, "warning"), (24.0, "sick")])
    def test_ten_classes(self, value: float, severity: str) -> None:
        found = SET_UP["initial-loss-off"].find(first_loss(value))
        assert [each.severity for each in found] == [severity] * bool(severity)

    def test_outputs_that_are_small_are_not_to_blame(self) -> None:
        small = replace(replace(first_loss(20.0), "value-max", 1.0, OUTPUTS), "value-min", -1.0, OUTPUTS)
        assert names(small) == []  # weights of classes, or a penalty within the loss function

    def test_penalties_are_left_out(self) -> None:
        trace = replace(first_loss(2.3), "loss", [500.0] * (LAST + 1), steps=range(LAST + 1))
        assert SET_UP["initial-loss-off"].find(trace) == []

    def test_the_loss_stands_in_for_what_is_not_known(self) -> None:
        trace = replace(without(first_loss(2.3), "criterion"), "loss", [50.0] * (LAST + 1), steps=range(LAST + 1))
        assert only("initial-loss-off", trace).evidence["first loss"] == 50.0

    @pytest.mark.parametrize(
        ("loss", "width", "sound_loss", "off"),
        [("bce-with-logits", 1.0, 1.5, 3.0), ("hinge", 10.0, 15.0, 25.0), ("nll", 100.0, 9.0, 12.0)],
    )
    def test_other_losses(self, loss: str, width: float, sound_loss: float, off: float) -> None:
        trace = replace(with_facts(first_loss(sound_loss), loss=loss), "width", width, OUTPUTS)
        assert SET_UP["initial-loss-off"].find(trace) == []
        assert only("initial-loss-off", replace(trace, "criterion", off)).severity == "warning"

    @pytest.mark.parametrize(
        ("loss", "value", "severity"),
        [
            ("mse", 450.0, ""),
            ("mse", 550.0, "warning"),
            ("mse", 60000.0, "sick"),
            ("l1", 20.0, ""),
            ("l1", 25.0, "warning"),
        ],
    )
    def test_numbers(self, loss: str, value: float, severity: str) -> None:
        # Targets with mean 1 and std 2: outputs of zero cost 5 under a squared error.
        trace = with_facts(first_loss(value), loss=loss, target_kind="numbers")
        trace = replace(replace(trace, "value-mean", 1.0, TARGETS), "value-std", 2.0, TARGETS)
        found = SET_UP["initial-loss-off"].find(without(trace, "label-entropy"))
        assert [each.severity for each in found] == [severity] * bool(severity)

    def test_sums_are_divided_by_their_rows(self) -> None:
        summed = with_facts(first_loss(64 * 2.4), loss_reduction="sum")
        assert SET_UP["initial-loss-off"].find(summed) == []
        assert only("initial-loss-off", replace(summed, "criterion", 64 * 30.0)).evidence["first loss"] == 30.0


class TestRegularisation:
    def test_dropout_is_measured_against_the_zeros_before_it(self) -> None:
        # Half of a ReLU's outputs are zero: .86 zeros behind it are a dropout of .72, .89 one of .78.
        for zeros, count in ((0.86, 0), (0.89, 1)):
            trace = at_chance(sound(dropout=True))
            trace = in_all(trace, "activation-zero-share", lambda number, zeros=zeros: zeros, prefix="dropout")  # type: ignore[misc]
            assert len(SET_UP["dropout-too-high"].find(trace)) == count

    def test_dropout_by_what_it_costs(self) -> None:
        trace = without(at_chance(sound(dropout=True), 2.25), "activation-zero-share")
        trace = replace(trace, "data-loss", 1.4, steps=ENDS)
        trace = replace(trace, "data-loss", 1.45, steps=ENDS, phase="validation")
        assert only("dropout-too-high", trace).evidence["validation loss"] == 1.45
        worse = replace(trace, "data-loss", 2.0, steps=ENDS, phase="validation")
        assert SET_UP["dropout-too-high"].find(worse) == []  # there is overfitting to work against

    @pytest.mark.parametrize(("kept", "severity"), [(0.55, ""), (0.45, "warning"), (0.09, "sick")])
    def test_weight_decay(self, kept: float, severity: str) -> None:
        found = SET_UP["weight-decay-too-strong"].find(shrinking(kept))
        assert [each.severity for each in found] == [severity] * bool(severity)

    def test_weights_that_shrink_of_themselves_are_no_decay(self) -> None:
        assert SET_UP["weight-decay-too-strong"].find(shrinking(0.01, decay="0.0")) == []

    def test_a_penalty_within_the_loss_is_a_decay(self) -> None:
        trace = replace(shrinking(0.01, decay="0.0"), "loss", [9.0] * (LAST + 1), steps=range(LAST + 1))
        assert only("weight-decay-too-strong", trace).evidence["penalty over the data's loss"] == pytest.approx(
            2.908, abs=0.01
        )


class TestBatchNorm:
    @pytest.mark.parametrize(("loss", "count"), [(0.36, 0), (0.40, 1)])
    def test_how_far_evaluation_may_be_off(self, loss: float, count: int) -> None:
        # The batches of the last but two epochs cost .128; the limit is three times that.
        assert len(SET_UP["batch-norm-statistics-stale"].find(evaluates_at(loss))) == count

    def test_stale_statistics_need_statistics(self) -> None:
        trace = evaluates_at(2.0)
        layers = tuple(layer for layer in trace.layers if layer.kind != "batch-norm")
        assert SET_UP["batch-norm-statistics-stale"].find(Trace(trace.rows, layers=layers, facts=trace.facts)) == []

    def test_the_first_epochs_are_still_those_of_the_start(self) -> None:
        assert SET_UP["batch-norm-statistics-stale"].find(until(evaluates_at(2.0), 60)) == []

    def test_a_single_row(self) -> None:
        trace = replace(sound(norm=True), "batch-rows", 1.0, INPUTS)
        assert only("batch-norm-misplaced", trace).evidence["rows a batch"] == 1.0
        assert SET_UP["batch-norm-misplaced"].find(with_facts(trace, network_mode="evaluation")) == []

    def test_an_embedding_may_be_normalised(self) -> None:
        assert SET_UP["batch-norm-misplaced"].find(with_facts(norm_on_outputs(), loss="other")) == []

    def test_normalisation_is_missed_by_deep_networks_alone(self) -> None:
        assert SET_UP["batch-norm-missing"].find(vanishing(hidden=4)) == []
        assert only("batch-norm-missing", vanishing(hidden=5)).evidence["would treat"] == "activations-vanish"


class TestCapacity:
    @pytest.mark.parametrize(
        "trace", [settled(0.1), settled(2.3), settled(1.0, gap=1.3), until(settled(1.0), 100), sound()]
    )
    def test_other_reasons_come_first(self, trace: Trace) -> None:
        assert SET_UP["capacity-too-low"].find(trace) == []

    def test_a_row_at_another_step_changes_nothing(self) -> None:
        trace = settled(1.0)
        more = Trace((*trace.rows, Row(LAST + 1, "train", "", "lr", 0.1)), layers=trace.layers, facts=trace.facts)
        assert only("capacity-too-low", more) == only("capacity-too-low", trace)
