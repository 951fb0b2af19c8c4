"""Every activation of the catalogue: its module, its card against a slow oracle, its names, its errors."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from babysit.nn import MaxPieces, activation, activation_card, activation_names, card_for, measure_cost
from babysit.record import InputError

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
    card = activation_card(name)
    drawn = torch.randn(1_000_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        values = activation(name).double()(drawn)
    assert values.mean().item() == pytest.approx(card.mean, abs=0.005)
    assert 1 / values.square().mean().sqrt().item() == pytest.approx(card.moment_gain, rel=0.01)
    assert card.zero_centred == (abs(card.mean) < 0.02 / card.moment_gain)


@pytest.mark.parametrize("pieces", [2, 3, 8])
def test_moments_of_maxout_agree_with_drawn_pieces(pieces: int) -> None:
    card = activation_card("maxout", pieces=pieces)
    drawn = torch.randn(400_000, pieces, generator=torch.Generator().manual_seed(1)).amax(1)
    assert drawn.mean().item() == pytest.approx(card.mean, abs=0.005)
    assert 1 / drawn.square().mean().sqrt().item() == pytest.approx(card.gain, rel=0.01)


@ONE_INPUT
def test_the_range_holds_and_is_reached(name: str) -> None:
    card = activation_card(name)
    far = torch.cat([torch.linspace(-30, 30, 60001, dtype=torch.float64), torch.tensor([-1e6, 1e6]).double()])
    with torch.no_grad():
        values = activation(name).double()(far)
    assert values.min() >= card.low - 1e-9
    assert values.max() <= card.high + 1e-9
    for end, reached in ((card.low, values.min().item()), (card.high, values.max().item())):
        if math.isfinite(end):
            assert reached == pytest.approx(end, abs=1e-5)
        else:
            assert abs(reached) > 1e3


@ONE_INPUT
def test_slopes_stay_under_a_hundredth_where_the_card_says_flat(name: str) -> None:
    card = activation_card(name)
    for edge, side in ((card.flat_below, -1.0), (card.flat_above, 1.0)):
        if edge is None:
            assert abs(slopes(name, torch.tensor([side * 39.0])).item()) >= 0.01
            continue
        beyond = slopes(name, edge + side * torch.logspace(-3, 2, 500, dtype=torch.float64))
        inside = slopes(name, edge - side * torch.tensor([1e-3], dtype=torch.float64))
        assert beyond.abs().max() <= 0.01 + 1e-12
        assert inside.abs().item() >= 0.01 - 1e-12


def test_known_answers() -> None:
    relu, tanh, sigmoid = activation_card("relu"), activation_card("tanh"), activation_card("sigmoid")
    assert relu.gain == pytest.approx(math.sqrt(2), abs=1e-6)
    assert relu.mean == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-6)
    assert (relu.flat_below, relu.flat_above, relu.can_die) == (0.0, None, True)
    assert tanh.flat_above == pytest.approx(math.acosh(10.0), abs=1e-9)  # 1 - tanh^2 = 1/100
    assert (tanh.zero_centred, tanh.gain, tanh.can_die) == (True, 1.0, False)
    assert (sigmoid.zero_centred, sigmoid.saturates, sigmoid.can_die) == (False, True, False)
    # sigmoid's slope s(1 - s) is 1/100 where s = (1 + sqrt(0.96)) / 2.
    share = (1 + math.sqrt(0.96)) / 2
    assert sigmoid.flat_above == pytest.approx(math.log(share / (1 - share)), abs=1e-9)
    assert activation_card("selu").gain == pytest.approx(1.0, abs=1e-5)
    assert activation_card("maxout", pieces=2).gain == pytest.approx(1.0, abs=1e-6)
    assert activation_card("leaky-relu", negative_slope=0.2).gain == pytest.approx(math.sqrt(2 / 1.04), abs=1e-6)


def test_who_can_die() -> None:
    assert {name for name in activation_names() if activation_card(name).can_die} == {
        "relu", "relu6", "hardtanh", "hardsigmoid", "hardswish",
    }  # fmt: skip


@EACH
def test_cards_speak(name: str) -> None:
    card = activation_card(name)
    assert card.advice.endswith(".")
    assert card.formula
    assert card.source
    assert hash(card) == hash(activation_card(name))


@EACH
def test_a_module_leads_back_to_its_card(name: str) -> None:
    assert card_for(activation(name)) == activation_card(name)


def test_a_modules_own_options_count() -> None:
    found = card_for(nn.LeakyReLU(0.3))
    assert found == activation_card("leaky-relu", negative_slope=0.3)
    learned = nn.PReLU(2)
    with torch.no_grad():
        learned.weight.copy_(torch.tensor([0.0, 1.0]))
    assert card_for(learned) == activation_card("prelu", init=0.5)
    assert card_for(MaxPieces(4)) == activation_card("maxout", pieces=4)


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
def test_functions_and_methods_lead_to_cards(
    what: nn.Module | Callable[..., Any] | str, arguments: tuple[Any, ...], expected: str | None
) -> None:
    card = card_for(what, *arguments)
    assert (card.name if card else None) == expected


def test_functional_options_count() -> None:
    assert card_for(F.leaky_relu, 0.2) == card_for(F.leaky_relu, negative_slope=0.2)
    assert card_for(F.leaky_relu, 0.01) == activation_card("leaky-relu")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="'leaky_relu'") as caught:
        activation("leaky_relu")
    assert caught.value.write == 'activation("leaky-relu")'
    assert "relu" in str(caught.value.legal)
    with pytest.raises(InputError, match="'swisch'"):
        activation_card("swisch")


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
