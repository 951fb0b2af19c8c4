"""Where trials begin: the same weights as of one training, and no more memory than is needed."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch import nn

from babysit.data import Prepared, prepare
from babysit.nn import NetworkFactory
from babysit.record import Recipe, Trial, with_settings
from babysit.training import Starts, assemble, decide
from babysit.training._trial_starts import KEPT

INITIALISATIONS = [
    ["initialisation.scheme=auto"],
    ["initialisation.scheme=lsuv", "model.batch_norm=true"],
    ["initialisation.scheme=orthogonal", "initialisation.bias=0.01"],
    ["initialisation.scheme=pytorch"],
    ["initialisation.scheme=pytorch", "initialisation.bias=0.01"],
    ["initialisation.scheme=small-random", "initialisation.std=0.02"],
]


def perceptron(inputs: int, outputs: int, width: int = 16, dropout: float = 0.0) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, outputs))


@pytest.fixture(scope="module")
def iris() -> Prepared:
    return prepare(Recipe(), "iris")


def filled(prepared: Prepared, *settings: str) -> Recipe:
    return decide(with_settings(Recipe(), ["epochs=3", *settings]), prepared)[0]


@pytest.mark.parametrize("settings", INITIALISATIONS, ids=" ".join)
def test_first_weights_are_those_of_a_training(settings: list[str], iris: Prepared) -> None:
    recipe = filled(iris, "model.widths=[8, 8]", *settings)
    before = torch.random.get_rng_state()
    found = Starts(iris).first_weights(Trial(0, recipe))
    assert torch.equal(torch.random.get_rng_state(), before), "the global stream is nobody's to move"
    expected = assemble(recipe, iris)[0].network.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_weights_of_a_users_function_are_its_own(iris: Prepared) -> None:
    factory = NetworkFactory(perceptron)
    recipe = filled(iris, f"model.factory={factory.name}", "model.arguments.dropout=0.3")
    found = Starts(iris, make=factory).first_weights(Trial(0, recipe))
    expected = assemble(recipe, iris, factory)[0].network.state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_models_of_trials_that_are_dropped_are_gone(iris: Prepared) -> None:
    """An argument that is searched makes every trial's model another: a search of thousands would hold them all."""
    made: list[weakref.ref[nn.Module]] = []

    def remembered(inputs: int, outputs: int, dropout: float = 0.0) -> nn.Module:
        network = perceptron(inputs, outputs, dropout=dropout)
        made.append(weakref.ref(network))
        return network

    factory = NetworkFactory(remembered)
    starts = Starts(iris, make=factory)
    recipe = filled(iris, f"model.factory={factory.name}")
    trials = [
        Trial(number, with_settings(recipe, [f"model.arguments.dropout={number / 500}"])) for number in range(3 * KEPT)
    ]
    kinds = {starts.of(trial).kind for trial in trials}
    assert len(kinds) == 1, "they may be stacked nevertheless"
    assert starts.of(trials[0]).dropout(trials[0].recipe) == 0.0
    assert starts.of(trials[50]).dropout(trials[50].recipe) == 0.1
    for trial in trials:
        starts.forget(trial.number)
    assert sum(network() is not None for network in made) <= KEPT + 1


class Twice(nn.Module):
    """The same layers by name, used once or twice: nothing of them says which."""

    def __init__(self, inputs: int, outputs: int, wide: bool) -> None:
        super().__init__()
        self.first, self.last, self.wide = nn.Linear(inputs, inputs), nn.Linear(inputs, outputs), wide

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden = self.first(rows[:, None].expand(-1, 50, -1) if self.wide else rows)
        answer: torch.Tensor = self.last(hidden.mean(1) if self.wide else hidden)
        return answer


def test_memory_of_what_cannot_be_stacked_is_its_own(iris: Prepared) -> None:
    factory = NetworkFactory(Twice)
    starts = Starts(iris, make=factory)
    narrow, wide = (
        starts.of(Trial(number, filled(iris, f"model.factory={factory.name}", f"model.arguments.wide={wide}")))
        for number, wide in enumerate(("false", "true"))
    )
    assert narrow.kind.rpartition("\n")[0] == wide.kind.rpartition("\n")[0]  # they look alike, and are stacked apart
    assert wide.activations > 10 * narrow.activations
