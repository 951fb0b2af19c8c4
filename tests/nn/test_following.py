"""What follows each layer, found in three ways that have to agree, without a trace left on the model."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from babysit.nn import Features, Maxout, MaxoutConv2d, Pixels, activation_facts, build
from babysit.nn._following import Following, follow
from babysit.record import InputError, ModelSection
from tests.nn.nets import Branching, Functional, OwnWeights, PreNormTransformer, ResidualNet, Shared, normal


def names(found: Following) -> dict[str, str | None]:
    return {name: follows.facts.name if follows.facts else None for name, follows in found.layers.items()}


FUNCTIONAL = {
    "first": "relu", "second": "tanh", "third": "relu", "fourth": "silu", "fifth": "relu", "head": None,
}  # fmt: skip
RESIDUAL = {"stem": "leaky-relu", **{f"blocks.{b}.conv{c}": "relu" for b in range(3) for c in (1, 2)}, "head": None}

CASES: list[tuple[str, Callable[[], nn.Module], Tensor, dict[str, str | None]]] = [
    ("functional", Functional, normal(4, 6), FUNCTIONAL),
    ("residual", lambda: ResidualNet(batch_norm=True), normal(4, 3, 6, 6), RESIDUAL),
    ("residual without normalisation", lambda: ResidualNet(batch_norm=False), normal(4, 3, 6, 6), RESIDUAL),
    ("shared", Shared, torch.arange(6).view(2, 3), {"embedding": None, "layer": "gelu", "head": None}),
    (
        "weights of one's own",
        OwnWeights,
        normal(4, 6),
        {"first": "relu", "second": "tanh", "middle": "gelu", "last": None},
    ),
    (
        "maxout",
        lambda: nn.Sequential(MaxoutConv2d(3, 4, 3), nn.Flatten(), Maxout(64, 5, pieces=3), nn.Linear(5, 2)),
        normal(4, 3, 6, 6),
        {"0.conv": "maxout", "2.linear": "maxout", "3": None},
    ),
    (
        "dropout, pooling and normalisation between",
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Dropout(0.5), nn.MaxPool2d(2), nn.ELU(), nn.Flatten(),
            nn.Linear(16, 5), nn.LayerNorm(5), nn.Sigmoid(), nn.Linear(5, 1), nn.Sigmoid(),
        ),
        normal(4, 3, 6, 6),
        {"0": "elu", "6": "sigmoid", "9": "sigmoid"},
    ),
]  # fmt: skip
EACH = pytest.mark.parametrize(("make", "sample", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])


@EACH
def test_tracing_and_running_agree(
    make: Callable[[], nn.Module], sample: Tensor, expected: dict[str, str | None]
) -> None:
    model = make()
    traced, run = follow(model), follow(model, sample)
    assert (traced.way, run.way) == ("symbolic tracing", "a run of the sample")
    assert names(traced) == expected
    assert names(run) == expected
    assert (traced.sums, traced.last_norms, traced.folds) == (run.sums, run.last_norms, run.folds)
    for name, follows in run.layers.items():
        other = traced.layers[name]
        assert (follows.is_output, follows.ends_branch, follows.normalised, follows.calls) == (
            other.is_output, other.ends_branch, other.normalised, other.calls,
        )  # fmt: skip


@EACH
def test_nothing_is_left_behind(make: Callable[[], nn.Module], sample: Tensor, expected: dict[str, str | None]) -> None:
    model = make()
    model.train()
    model[1].eval() if isinstance(model, nn.Sequential) else model.requires_grad_(True)
    modes = [module.training for module in model.modules()]
    state = copy.deepcopy(model.state_dict())
    attributes = [dict(module.__dict__) for module in model.modules()]
    generator = torch.get_rng_state()
    follow(model)
    follow(model, sample, measure=True)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(generator, torch.get_rng_state())
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert [dict(module.__dict__) for module in model.modules()] == attributes
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("architecture", ["mlp", "convolutional", "residual"])
@pytest.mark.parametrize("name", ["relu", "leaky-relu", "gelu", "maxout"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_networks_from_a_recipe_are_followed(architecture: Any, name: Any, batch_norm: bool) -> None:
    section = ModelSection(
        architecture=architecture, widths=(4, 6), activation=name, batch_norm=batch_norm, dropout=0.2
    )
    network = build(section, Pixels(3, 8, 8), outputs=3)
    traced, run = follow(network), follow(network, normal(4, 3, 8, 8))
    assert names(traced) == names(run)
    for layer, follows in traced.layers.items():
        assert follows.is_output == (layer == "output")
        assert (follows.facts.name if follows.facts else None) == (None if layer == "output" else name)
        assert follows.normalised == (batch_norm and layer != "output")
    assert traced.sums == run.sums == (4 if architecture == "residual" else 0)


def test_category_columns_are_followed() -> None:
    network = build(ModelSection(widths=(8,), batch_norm=False, dropout=0.0), Features(2, (3, 4)), outputs=1)
    rows = torch.tensor([[0.1, 0.2, 1.0, 3.0], [0.3, 0.4, 2.0, 0.0]])
    expected = {"embedding.embeddings.0": None, "embedding.embeddings.1": None, "linear1": "relu", "output": None}
    assert names(follow(network)) == names(follow(network, rows)) == expected


def test_a_data_dependent_branch_falls_back_to_the_order() -> None:
    model = Branching()
    found = follow(model)
    assert found.way == "the order of modules"
    assert set(found.layers) == set(FUNCTIONAL)
    assert found.layers["head"].is_output
    # The activations are functions, so the order knows none; a sample finds them all.
    assert names(follow(model, normal(4, 6))) == FUNCTIONAL


def test_the_order_takes_the_only_activation_there_is() -> None:
    class Reused(Branching):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ELU()

    assert names(follow(Reused())) == dict.fromkeys(FUNCTIONAL, "elu")


def test_residual_sums_are_counted_and_their_ends_known() -> None:
    found = follow(ResidualNet(3, batch_norm=False))
    assert found.sums == 3
    assert [name for name, follows in found.layers.items() if follows.ends_branch] == [
        f"blocks.{block}.conv2" for block in range(3)
    ]
    assert found.last_norms == ()
    found = follow(ResidualNet(3, batch_norm=True))
    assert found.last_norms == tuple(f"blocks.{block}.norm2" for block in range(3))
    # A normalisation at a branch's end sets its size: its layer need not be scaled.
    assert not any(follows.ends_branch for follows in found.layers.values())


def test_a_transformers_branches_end_in_their_projections() -> None:
    found = follow(PreNormTransformer(), torch.arange(10).view(2, 5))
    assert found.sums == 4
    ends = {name for name, follows in found.layers.items() if follows.ends_branch}
    assert {name for name in ends if not name.endswith("self_attn")} == {
        f"encoder.layers.{layer}.{part}" for layer in range(2) for part in ("linear2", "self_attn.out_proj")
    }
    assert names(found)["encoder.layers.0.linear1"] == "gelu"


def test_weights_that_are_computed_are_found() -> None:
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(6, 5))
    model = nn.Sequential(normed, nn.Mish(), nn.Linear(5, 2))
    assert names(follow(model, normal(4, 6))) == {"0": "mish", "2": None}


def test_options_of_functions_reach_the_card() -> None:
    class Leaky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            return nn.functional.leaky_relu(self.layer(inputs), negative_slope=0.3)

    expected = activation_facts("leaky-relu", negative_slope=0.3)
    for found in (follow(Leaky()), follow(Leaky(), normal(2, 3))):
        assert found.layers["layer"].facts == expected


def test_samples_by_position_and_by_name() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(3, 4), nn.Linear(2, 4)

        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return torch.relu(self.left(left) + self.right(right))

    one, two = normal(5, 3), normal(5, 2)
    expected = {"left": "relu", "right": "relu"}
    assert names(follow(Two(), (one, two))) == names(follow(Two(), {"right": two, "left": one})) == expected
    assert follow(Two(), (one, two)).sums == 0


def test_a_sample_that_does_not_fit_is_refused_and_leaves_nothing() -> None:
    model = ResidualNet()
    with pytest.raises(InputError, match="cannot be run through ResidualNet") as caught:
        follow(model, normal(4, 5, 6, 6))
    assert "channels" in str(caught.value.cause)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())
    with pytest.raises(InputError, match="cannot be run"):
        follow(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), normal(1, 3))
