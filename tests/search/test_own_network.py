"""Networks that a function of the user's makes, searched like those of a recipe."""

from __future__ import annotations

import pathlib

import pytest
import torch
from torch import nn

import babysit
from babysit.data import Prepared, prepare
from babysit.nn import CategoryEmbedding, NetworkFactory
from babysit.record import InputError, Recipe, Trial, parse_recipe, recipe_to_toml, with_settings
from babysit.search import LocalEngine, Space
from babysit.training import Cohort, Starts, decide, load
from babysit.training._stacked_network import without_rule
from babysit.training._vmap_network import unlike_alone

DROPOUTS = (0.0, 0.3, 0.3)
BAD_DEFAULT = 7


def perceptron(inputs: int, outputs: int, width: int = 16, dropout: float = 0.0, activation: str = "relu") -> nn.Module:
    between = nn.Tanh() if activation == "tanh" else nn.ReLU()
    return nn.Sequential(nn.Linear(inputs, width), between, nn.Dropout(dropout), nn.Linear(width, outputs))


class TwoPaths(nn.Module):
    """No plain sequence: it has no stacked rule, and draws from the global stream."""

    def __init__(self, inputs: int, outputs: int, width: int = 8) -> None:
        super().__init__()
        self.wide, self.deep = nn.Linear(inputs, outputs), nn.Linear(inputs, width)
        self.last = nn.Linear(width, outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden = nn.functional.dropout(self.deep(rows).relu(), 0.2, self.training)
        result: torch.Tensor = self.wide(rows) + self.last(hidden)
        return result


def iris() -> Prepared:
    return prepare(Recipe(), "iris")


def trials(prepared: Prepared, factory: NetworkFactory, settings: list[list[str]]) -> list[Trial]:
    made = []
    for number, own in enumerate(settings):
        recipe = with_settings(Recipe(), [f"model.factory={factory.name}", "epochs=3", *own])
        made.append(Trial(number, decide(recipe, prepared)[0]))
    return made


@pytest.mark.parametrize("function", [perceptron, TwoPaths])
def test_a_stacked_trial_is_the_same_trial(function: type[nn.Module]) -> None:
    prepared, factory = iris(), NetworkFactory(function)
    own = [[f"lr={lr}"] for lr in (0.001, 0.01, 0.03)]
    if function is perceptron:
        own = [[*one, f"model.arguments.dropout={share}"] for one, share in zip(own, DROPOUTS, strict=True)]
    chosen = trials(prepared, factory, own)
    alone = LocalEngine(prepared, layout="alone", make=factory, device="cpu").train(chosen, 20)
    together = LocalEngine(prepared, layout="stacked", make=factory, device="cpu").train(chosen, 20)
    for number, score in alone.items():
        assert together[number].loss == pytest.approx(score.loss, rel=1e-4)
    assert len({score.loss for score in alone.values()}) == len(chosen)


def test_dropout_is_what_the_function_gave_unless_the_recipe_names_one() -> None:
    prepared, factory = iris(), NetworkFactory(perceptron)
    own = [["model.arguments.dropout=0.5"], ["model.arguments.dropout=0.5", "model.dropout=0"], []]
    scores = LocalEngine(prepared, make=factory, device="cpu").train(trials(prepared, factory, own), 12)
    assert scores[1].loss == pytest.approx(scores[2].loss, rel=1e-5)
    assert scores[0].loss != pytest.approx(scores[2].loss, rel=1e-3)


def test_first_weights_are_the_functions_own_unless_the_recipe_names_a_scheme() -> None:
    def constant(inputs: int, outputs: int) -> nn.Module:
        layer = nn.Linear(inputs, outputs)
        nn.init.constant_(layer.weight, BAD_DEFAULT)
        return nn.Sequential(layer)

    prepared, factory = iris(), NetworkFactory(constant)
    engine = LocalEngine(prepared, make=factory, device="cpu")
    kept, drawn = trials(prepared, factory, [["lr=1e-9"], ["lr=1e-9", "scheme=xavier"]])
    scores = engine.train([kept, drawn], 1)
    assert scores[0].first_loss > 0
    weights = [engine.weights(number) for number in (0, 1)]
    values = [_network_weights(one) for one in weights]
    assert torch.allclose(values[0], torch.full_like(values[0], BAD_DEFAULT))
    assert values[1].abs().max() < BAD_DEFAULT / 2


def _network_weights(content: bytes) -> torch.Tensor:
    import safetensors.torch

    return safetensors.torch.load(content)["network.0.weight"]


def test_a_search_over_its_arguments_is_kept_and_goes_on(tmp_path: pathlib.Path) -> None:
    space = {"lr": "1e-3:1e-1:log", "width": [4, 16], "activation": ["relu", "tanh"]}
    tuned = babysit.tune(
        "iris", model=perceptron, space=space, trials=4, settings=["epochs=4", "dropout=0.1"], winners=1, repeats=1,
        out=tmp_path / "study",
    )  # fmt: skip
    assert tuned.recipe is not None
    assert tuned.result is not None
    arguments = tuned.recipe.model.arguments
    assert arguments.keys() == {"dropout", "width", "activation"}
    assert arguments["dropout"] == 0.1
    assert parse_recipe(recipe_to_toml(tuned.recipe)) == tuned.recipe
    run = tmp_path / "study" / "winners" / "1"
    network = load(run, perceptron).network
    assert isinstance(network, nn.Sequential)
    assert network[0].out_features == arguments["width"]
    assert babysit.evaluate(run, model=perceptron).score("accuracy").value > 0.5
    with pytest.raises(InputError, match="which was not given"):
        load(run)
    with pytest.raises(InputError, match="TwoPaths was given"):
        load(run, TwoPaths)
    again = babysit.resume(tuned.study, model=perceptron)
    assert again.best == tuned.best


def test_a_table_with_categories_says_its_levels() -> None:
    frame = {"size": [1.0, 2.0, 3.0, 4.0] * 20, "place": ["a", "b", "c", "b"] * 20, "dear": [0, 0, 1, 1] * 20}
    import polars as pl

    prepared = prepare(with_settings(Recipe(), ["data.target=dear"]), pl.DataFrame(frame))

    def embedding(inputs: int, outputs: int, levels: tuple[int, ...]) -> nn.Module:
        first = CategoryEmbedding(inputs - len(levels), levels)
        return nn.Sequential(first, nn.Linear(first.out_features, outputs))

    factory = NetworkFactory(embedding)
    scores = LocalEngine(prepared, make=factory, device="cpu").train(trials(prepared, factory, [["lr=0.05"]]), 10)
    assert scores[0].status == "alive"
    unaware = NetworkFactory(perceptron)
    with pytest.raises(InputError, match="does not ask for their `levels`"):
        LocalEngine(prepared, make=unaware).train(trials(prepared, unaware, [["lr=0.05"]]), 10)


def _too_narrow(inputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 2))


def _other_rows() -> nn.Module:
    return nn.Sequential(nn.Linear(9, 3))


def _none(width: int = 3) -> nn.Module:
    return width  # type: ignore[return-value]


def _frozen(inputs: int, outputs: int) -> nn.Module:
    return nn.Linear(inputs, outputs).requires_grad_(False)


def _needs(inputs: int, outputs: int, heads: int) -> nn.Module:
    return nn.Linear(inputs, outputs)


def _by_place(inputs: int, /, outputs: int) -> nn.Module:
    return nn.Linear(inputs, outputs)


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (nn.Linear(4, 3), {}, "a Linear does not make networks"),
        (_too_narrow, {}, r"gives \[2, 2\] for 2 rows"),
        (_other_rows, {}, r"does not take 2 rows \[2, 4\]"),
        (_none, {}, "gave a int"),
        (_frozen, {}, "nothing that can be trained"),
        (_needs, {}, "needs 'heads'"),
        (_by_place, {}, "takes 'inputs' by position only"),
        (perceptron, {"space": {"heads": [1, 2]}}, "nor an argument of the function"),
        (perceptron, {"space": {"model.activation": ["relu", "tanh"]}}, "so activation has no effect"),
        (perceptron, {"settings": ["model.widths=[3]"]}, "so widths has no effect"),
        (perceptron, {"settings": ["model.arguments.heads=2"]}, "no argument 'heads'"),
        (None, {"settings": ["model.arguments.heads=2"]}, "factory is not set"),
        (None, {"settings": ["model.factory=mine:net"]}, "mine:net, which was not given"),
    ],
)
def test_what_makes_no_network_is_refused_before_anything_is_written(
    model: object, given: dict[str, object], said: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(InputError, match=said):
        babysit.tune("iris", model=model, trials=2, out=tmp_path / "study", **given)  # type: ignore[arg-type]
    assert not [*tmp_path.iterdir()]


def test_what_the_function_raises_is_passed_on(tmp_path: pathlib.Path) -> None:
    def broken(width: int = 3) -> nn.Module:
        raise ZeroDivisionError(width)

    with pytest.raises(ZeroDivisionError):
        babysit.tune("iris", model=broken, trials=2, out=tmp_path / "study")
    assert not [*tmp_path.iterdir()]


def test_arguments_are_never_searched_beyond_what_was_given() -> None:
    prepared, factory = iris(), NetworkFactory(perceptron)
    recipe = with_settings(Recipe(), [f"model.factory={factory.name}"])
    space = Space({"lr": "1e-3:1e-1:log", "dropout": "0:0.5"}, arguments=factory.arguments)
    rate, dropout = space.checked_against(decide(recipe, prepared)[0])
    assert rate.unit_limits[0] < 0
    assert dropout.path == "model.arguments.dropout"
    assert dropout.unit_limits == (0.0, 1.0)


def test_a_few_short_trials_without_a_stacked_rule_are_trained_one_by_one() -> None:
    """Too few steps to measure a layout: what has no rule is not a stack all the same."""
    prepared, factory = iris(), NetworkFactory(TwoPaths)
    engine = LocalEngine(prepared, make=factory, device="cpu")
    scores = engine.train(trials(prepared, factory, [["lr=0.01"], ["lr=0.03"]]), 3)
    assert [score.step for score in scores.values()] == [3, 3]


def test_layers_of_dropout_that_differ_are_no_stack_and_keep_their_shares() -> None:
    def two(inputs: int, outputs: int, first: float = 0.0) -> nn.Module:
        between = [nn.Linear(inputs, 16), nn.Dropout(first), nn.ReLU(), nn.Dropout(0.6)]
        return nn.Sequential(*between, nn.Linear(16, outputs))

    assert without_rule(two(4, 3, 0.6)) == ""
    assert "several shares" in without_rule(two(4, 3))
    prepared, factory = iris(), NetworkFactory(two)
    own = [[], ["model.dropout=0.6"], ["model.arguments.first=0.6"]]
    losses = [s.loss for s in LocalEngine(prepared, make=factory).train(trials(prepared, factory, own), 9).values()]
    assert losses[1] == pytest.approx(losses[2], rel=1e-4)
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


class Counting(nn.Module):
    """Keeps a number beside its buffers: through torch.func, one would count for all."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)
        self.seen: torch.Tensor | float = 0.0

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.layer(rows) * (1.0 + self.seen)
        if self.training:
            self.seen = outputs.detach().abs().mean().clamp(max=1.0)
        return outputs


class Deciding(nn.Module):
    """Looks at a number to decide what it computes: vmap cannot."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.layer(rows)
        return outputs if bool(outputs.mean() > 0) else outputs * 2


class Residual(nn.Module):
    """Two paths, batch norm and dropout: without a stacked rule, but torch.func takes it."""

    def __init__(self, inputs: int, outputs: int, width: int = 8) -> None:
        super().__init__()
        self.first, self.norm, self.drop = nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.Dropout(0.2)
        self.second, self.last = nn.Linear(width, width), nn.Linear(width, outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.first(rows)).relu()
        result: torch.Tensor = self.last(hidden + self.drop(self.second(hidden)))
        return result


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (Residual, ""),
        (TwoPaths, "torch.func cannot compute it"),
        (Deciding, "torch.func cannot compute it"),
        (Counting, "its answers through torch.func differ"),
    ],
)
def test_what_torch_func_would_compute_otherwise_is_trained_one_by_one(function: type[nn.Module], said: str) -> None:
    prepared, factory = iris(), NetworkFactory(function)
    own = [["lr=0.001"], ["lr=0.01", "model.dropout=0.5"], ["lr=0.03", "seed=3"]]
    # Adam makes whole steps of the rounding that is the gradient of a bias before batch norm.
    chosen = trials(prepared, factory, [["optimizer.name=sgd", *one] for one in own])
    starts = Starts(prepared, make=factory)
    cohort = Cohort(starts, layout="stacked")
    member = cohort.begin(chosen[0])
    unlike = unlike_alone(starts.of(chosen[0]), member)
    assert unlike.startswith(said) if said else not unlike
    alone = LocalEngine(prepared, layout="alone", make=factory, device="cpu").train(chosen, 13)
    together = LocalEngine(prepared, layout="stacked", make=factory, device="cpu").train(chosen, 13)
    for number, score in alone.items():
        assert together[number].loss == pytest.approx(score.loss, rel=1e-4)


def test_a_layer_that_would_write_into_shared_rows_has_no_rule() -> None:
    for first in (nn.Tanh(), nn.BatchNorm1d(4), nn.Dropout(0.5)):
        assert "as the first layer" in without_rule(nn.Sequential(first, nn.Linear(4, 3)))
