"""Which layers feed which, and which networks mind the scale of their inputs."""

import pytest

from babysit.diseases._depth import chain
from babysit.diseases._layers import takes_care_of_scale
from babysit.record import LayerKind, Trace, TraceLayer


def linear(name: str, fan_in: int, units: int) -> TraceLayer:
    return TraceLayer(name, "linear", units=units, fan_in=fan_in)


ACTOR = (linear("actor.0", 4, 64), linear("actor.2", 64, 64), linear("actor.4", 64, 2))
CRITIC = (linear("critic.0", 4, 64), linear("critic.2", 64, 64), linear("critic.4", 64, 64), linear("critic.6", 64, 1))


def names(*layers: TraceLayer) -> list[str]:
    return [layer.name for layer in chain(Trace(layers=layers))]


def test_networks_side_by_side_are_no_chain() -> None:
    assert names(*ACTOR, *CRITIC) == ["critic.0", "critic.2", "critic.4"]


def test_heads_on_a_trunk_are_no_chain() -> None:
    trunk = (linear("trunk.0", 4, 128), linear("trunk.1", 128, 128))
    assert names(*trunk, linear("mean", 128, 2), linear("deviation", 128, 2)) == ["trunk.0", "trunk.1"]


def test_one_network_is_one_chain() -> None:
    layers = [linear(f"fc{number}", 32, 32) for number in range(6)]
    assert names(*layers) == [layer.name for layer in layers[:-1]]
    wider = (linear("a", 4, 8), linear("b", 20, 8), linear("c", 8, 2))  # b takes more than a gives: joined with others
    assert names(*wider) == ["a", "b"]


def test_convolutions_go_on_into_linear_layers() -> None:
    conv = TraceLayer("conv", "conv", units=16, fan_in=9)
    assert names(conv, linear("fc1", 400, 64), linear("fc2", 64, 10)) == ["conv", "fc1"]


@pytest.mark.parametrize(
    ("following", "bias", "free"),
    [
        ("batch-norm", False, True),
        ("batch-norm", True, True),
        ("norm", False, True),
        ("norm", True, False),
        ("activation", False, False),
    ],
)
def test_a_normalisation_right_behind_the_first_layer_divides_the_scale_out(
    following: LayerKind, bias: bool, free: bool
) -> None:
    layers = (TraceLayer("conv1", "conv", bias=bias), TraceLayer("next", following), TraceLayer("conv2", "conv"))
    assert takes_care_of_scale(Trace(layers=layers)) == free
