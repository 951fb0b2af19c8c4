"""Every activation of the catalogue: its module, the table of facts against torch, its names, its errors."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from babysit.nn import MaxPieces, activation, activation_facts, activation_names, facts_of, measure_cost
from babysit.nn._activation_facts import computed_facts, module_class
from babysit.record import ACTIVATIONS, Activation, InputError, output_limits

EACH = pytest.mark.parametrize("name", activation_names())
ONE_INPUT = pytest.mark.parametrize("name", [name for name in activation_names() if name != "maxout"])


def slopes(name: str, inputs: Tensor) -> Tensor:
    leaf = inputs.double().requires_grad_()
    activation(name).double()(leaf).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def test_all_of_the_lecture_are_there() -> None:
    assert {"sigmoid", "tanh", "relu", "leaky-relu", "prelu", "elu", "maxout", "selu", "gelu", "silu", "mish"} <= set(
        activation_names()
    )


@ONE_INPUT
def test_moments_agree_with_drawn_numbers(name: str) -> None:
    facts = activation_facts(name)
    drawn = torch.randn(1_000_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        values = activation(name).double()(drawn)
    assert values.mean().item() == pytest.approx(facts.mean, abs=0.005)
    assert 1 / values.square().mean().sqrt().item() == pytest.approx(facts.moment_gain, rel=0.01)
    assert facts.zero_centred == (abs(facts.mean) < 0.02 / facts.moment_gain)


@EACH
def test_the_table_holds_what_torch_computes(name: str) -> None:
    written, computed = ACTIVATIONS[name], computed_facts(name)
    for field in dataclasses.fields(written):
        expected, found = getattr(computed, field.name), getattr(written, field.name)
        if field.name in ("mean", "mean_square", "flat_below", "flat_above", "flat_low", "flat_high"):
            assert found == pytest.approx(expected, abs=1e-9), field.name
        else:
            assert found == expected, field.name
    assert activation_facts(name) is written


def test_the_table_names_what_pytorch_has() -> None:
    for name, facts in ACTIVATIONS.items():
        assert isinstance(activation(name), module_class(name))
        if name not in ("identity", "maxout"):
            assert hasattr(F, facts.functions[0])
    assert set(get_args(Activation)) <= set(ACTIVATIONS)


def test_who_squashes_and_who_is_off_at_zero() -> None:
    assert {name for name, facts in ACTIVATIONS.items() if facts.squashing} == {
        "sigmoid", "tanh", "softsign", "hardtanh", "hardsigmoid",
    }  # fmt: skip
    assert {name for name, facts in ACTIVATIONS.items() if facts.off_is_zero} == {
        "relu", "relu6", "hardswish", "hardsigmoid",
    }  # fmt: skip
    assert {name for name, facts in ACTIVATIONS.items() if facts.keeps_scale} == {"selu"}


def test_limits_that_an_option_moves_are_not_claimed() -> None:
    assert output_limits("selu") == (ACTIVATIONS["selu"].low, math.inf)
    assert [output_limits(name) for name in ("elu", "celu", "hardtanh", "identity", "no such")] == [None] * 5
    assert activation_facts("hardtanh", min_val=0.0, max_val=2.0).high == 2.0
    assert activation_facts("elu", alpha=0.5).low == -0.5


@pytest.mark.parametrize("pieces", [2, 3, 8])
def test_moments_of_maxout_agree_with_drawn_pieces(pieces: int) -> None:
    facts = activation_facts("maxout", pieces=pieces)
    drawn = torch.randn(400_000, pieces, generator=torch.Generator().manual_seed(1)).amax(1)
    assert drawn.mean().item() == pytest.approx(facts.mean, abs=0.005)
    assert 1 / drawn.square().mean().sqrt().item() == pytest.approx(facts.gain, rel=0.01)


@ONE_INPUT
def test_the_range_holds_and_is_reached(name: str) -> None:
    facts = activation_facts(name)
    far = torch.cat([torch.linspace(-30, 30, 60001, dtype=torch.float64), torch.tensor([-1e6, 1e6]).double()])
    with torch.no_grad():
        values = activation(name).double()(far)
    assert values.min() >= facts.low - 1e-9
    assert values.max() <= facts.high + 1e-9
    for end, reached in ((facts.low, values.min().item()), (facts.high, values.max().item())):
        if math.isfinite(end):
            assert reached == pytest.approx(end, abs=1e-5)
        else:
            assert abs(reached) > 1e3


@ONE_INPUT
def test_slopes_stay_under_a_hundredth_where_the_card_says_flat(name: str) -> None:
    facts = activation_facts(name)
    for edge, side in ((facts.flat_below, -1.0), (facts.flat_above, 1.0)):
        if edge is None:
            assert abs(slopes(name, torch.tensor([side * 39.0])).item()) >= 0.01
            continue
        beyond = slopes(name, edge + side * torch.logspace(-3, 2, 500, dtype=torch.float64))
        inside = slopes(name, edge - side * torch.tensor([1e-3], dtype=torch.float64))
        assert beyond.abs().max() <= 0.01 + 1e-12
        assert inside.abs().item() >= 0.01 - 1e-12


def test_known_answers() -> None:
    relu, tanh, sigmoid = activation_facts("relu"), activation_facts("tanh"), activation_facts("sigmoid")
    assert relu.gain == pytest.approx(math.sqrt(2), abs=1e-6)
    assert relu.mean == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-6)
    assert (relu.flat_below, relu.flat_above, relu.can_die) == (0.0, None, True)
    assert tanh.flat_above == pytest.approx(math.acosh(10.0), abs=1e-9)  # 1 - tanh^2 = 1/100
    assert (tanh.zero_centred, tanh.gain, tanh.can_die) == (True, 1.0, False)
    assert (sigmoid.zero_centred, sigmoid.saturates, sigmoid.can_die) == (False, True, False)
    # sigmoid's slope s(1 - s) is 1/100 where s = (1 + sqrt(0.96)) / 2.
    share = (1 + math.sqrt(0.96)) / 2
    assert sigmoid.flat_above == pytest.approx(math.log(share / (1 - share)), abs=1e-9)
    assert activation_facts("selu").gain == pytest.approx(1.0, abs=1e-5)
    assert activation_facts("maxout", pieces=2).gain == pytest.approx(1.0, abs=1e-6)
    assert activation_facts("leaky-relu", negative_slope=0.2).gain == pytest.approx(math.sqrt(2 / 1.04), abs=1e-6)


def test_who_can_die() -> None:
    assert {name for name in activation_names() if activation_facts(name).can_die} == {
        "relu", "relu6", "hardtanh", "hardsigmoid", "hardswish",
    }  # fmt: skip


@EACH
def test_facts_speak(name: str) -> None:
    facts = activation_facts(name)
    assert facts.advice.endswith(".")
    assert facts.formula
    assert facts.source
    assert hash(facts) == hash(activation_facts(name))


@EACH
def test_a_module_leads_back_to_its_facts(name: str) -> None:
    assert facts_of(activation(name)) == activation_facts(name)


def test_a_modules_own_options_count() -> None:
    found = facts_of(nn.LeakyReLU(0.3))
    assert found == activation_facts("leaky-relu", negative_slope=0.3)
    learned = nn.PReLU(2)
    with torch.no_grad():
        learned.weight.copy_(torch.tensor([0.0, 1.0]))
    assert facts_of(learned) == activation_facts("prelu", init=0.5)
    assert facts_of(MaxPieces(4)) == activation_facts("maxout", pieces=4)


class OwnReLU(nn.ReLU):
    """A user's subclass."""


@pytest.mark.parametrize(
    ("what", "arguments", "expected"),
    [
        (OwnReLU(), (), "relu"), (F.relu, (), "relu"), (torch.relu, (), "relu"), (Tensor.relu, (), "relu"),
        (torch.relu_, (), "relu"), ("relu_", (), "relu"), (F.relu6, (), "relu6"), (nn.ReLU6(), (), "relu6"),
        (torch.tanh, (), "tanh"), (Tensor.tanh, (), "tanh"), (torch.sigmoid, (), "sigmoid"), (F.gelu, (), "gelu"),
        (F.silu, (), "silu"), (F.softplus, (), "softplus"), (torch.clamp, (0,), "relu"), ("clamp_min", (0.0,), "relu"),
        (torch.clamp, (0, 6), "relu6"), (torch.clamp, (-1, 1), "hardtanh"), (F.prelu, (torch.ones(1),), "prelu"),
        (torch.special.expit, (), "sigmoid"), (torch.matmul, (), None), (nn.Linear(1, 1), (), None),
        ("clamp", (3,), None),
    ],
)  # fmt: skip
def test_functions_and_methods_lead_to_facts(
    what: nn.Module | Callable[..., Any] | str, arguments: tuple[Any, ...], expected: str | None
) -> None:
    facts = facts_of(what, *arguments)
    assert (facts.name if facts else None) == expected


def test_functional_options_count() -> None:
    assert facts_of(F.leaky_relu, 0.2) == facts_of(F.leaky_relu, negative_slope=0.2)
    assert facts_of(F.leaky_relu, 0.01) == activation_facts("leaky-relu")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="'leaky_relu'") as caught:
        activation("leaky_relu")
    assert caught.value.write == 'activation("leaky-relu")'
    assert "relu" in str(caught.value.legal)
    with pytest.raises(InputError, match="'swisch'"):
        activation_facts("swisch")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(InputError, match="relu has no option alpha") as caught:
        activation("relu", alpha=1)
    assert caught.value.legal == "inplace"
    with pytest.raises(InputError, match="cannot have 1 pieces"):
        activation("maxout", pieces=1)
    with pytest.raises(InputError, match="hardtanh cannot be made"):
        activation("hardtanh", min_val=1.0, max_val=-1.0)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "maxout", "prelu"])
def test_costs_are_measured_and_leave_the_random_numbers_alone(name: str) -> None:
    before = torch.get_rng_state()
    cost = measure_cost(name, elements=2000, repeats=3)
    assert torch.equal(before, torch.get_rng_state())
    assert cost.seconds > 0
    assert cost.low <= cost.times_relu <= cost.high
    assert (cost.elements, cost.repeats, cost.device) == (2000, 3, "cpu")


def test_costs_refuse_nothing_to_measure() -> None:
    with pytest.raises(InputError, match="0 elements"):
        measure_cost("relu", elements=0)
