"""What is decided from the data, and the check before the first step."""

import numpy as np
import pytest
import torch
from torch import nn

from babysit.data import prepare
from babysit.record import Recipe, RecipeError, with_settings
from babysit.training import assemble, check_first_loss, choose_device, decide, examples_of, loss_of

CPU = torch.device("cpu")


@pytest.mark.parametrize("source", ["iris", "digits", "diabetes"])
def test_everything_is_filled_in_and_each_decision_has_a_reason(source: str) -> None:
    filled, decisions = decide(Recipe(), prepare(Recipe(), source))
    assert filled.loss.name != "auto"
    assert filled.model.architecture != "auto"
    for value in (
        filled.model.widths, filled.model.batch_norm, filled.model.dropout, filled.optimizer.lr,
        filled.budget.epochs, filled.budget.batch_size, filled.budget.patience,
    ):  # fmt: skip
        assert value is not None
    assert all(decision.why and decision.value for decision in decisions)
    again, none = decide(filled, prepare(Recipe(), source))
    assert again == filled
    assert none == ()


def test_what_the_recipe_says_is_left_alone() -> None:
    chosen = with_settings(
        Recipe(),
        ["loss.name=hinge", "widths=[]", "lr=0.5", "batch_size=7", "epochs=3", "batch_norm=false", "dropout=0", "l2=0"],
    )
    filled, decisions = decide(chosen, prepare(chosen, "iris"))
    assert {decision.setting for decision in decisions} == {"model.architecture", "budget.patience"}
    assert filled.model.widths == ()
    assert filled.optimizer.lr == 0.5


@pytest.mark.parametrize(
    ("shape", "settings", "architecture"),
    [
        ((60, 5), [], "mlp"),
        ((60, 8, 8), [], "convolutional"),
        ((60, 4, 4), [], "mlp"),
        ((60, 8, 8), ["preprocessing.images=pca"], "mlp"),
        ((60, 8, 8), ["architecture=residual"], "residual"),
        ((60, 9, 8, 3), [], "convolutional"),
    ],
)
def test_the_network_suits_the_data(shape: tuple[int, ...], settings: list[str], architecture: str) -> None:
    inputs = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    chosen = with_settings(Recipe(), settings)
    prepared = prepare(chosen, (inputs, np.arange(60) % 3))
    filled, _ = decide(chosen, prepared)
    assert filled.model.architecture == architecture
    model, layers = assemble(filled, prepared)
    assert model(prepared.inputs[torch.arange(4)]).shape == (4, 3)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in model.network.parameters())


def test_a_device_that_is_not_there_is_refused() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    if not torch.cuda.is_available():
        with pytest.raises(RecipeError, match="no cuda device"):
            choose_device("cuda")


@pytest.mark.parametrize("loss", ["cross-entropy", "hinge"])
def test_the_first_loss_is_what_nothing_costs(loss: str) -> None:
    chosen = with_settings(Recipe(), [f"loss.name={loss}"])
    prepared = prepare(chosen, "iris")
    filled, _ = decide(chosen, prepared)
    model, _ = assemble(filled, prepared)
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    check = check_first_loss(model.network, loss_of(prepared, filled, CPU), examples_of(model, prepared, filled, CPU))
    assert check.verdict == "pass"
    assert check.expected == pytest.approx(np.log(3) if loss == "cross-entropy" else 2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert model.network.training


def test_a_badly_scaled_start_is_noticed() -> None:
    prepared = prepare(Recipe(), "iris")
    filled, _ = decide(Recipe(), prepared)
    model, _ = assemble(filled, prepared)
    output = [module for module in model.network.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        output.weight.mul_(300)
    check = check_first_loss(model.network, loss_of(prepared, filled, CPU), examples_of(model, prepared, filled, CPU))
    assert check.verdict == "warn"


def test_a_poisson_loss_keeps_counts_as_they_are() -> None:
    counts = np.random.default_rng(0).poisson(5, 200).astype(float) + 0.25
    inputs = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    chosen = with_settings(Recipe(), ["loss.name=poisson-nll", "data.task=regression"])
    prepared = prepare(chosen, (inputs, counts))
    filled, _ = decide(chosen, prepared)
    model, _ = assemble(filled, prepared)
    assert (model(prepared.inputs[torch.arange(9)]) > 0).all()
    assert torch.equal(examples_of(model, prepared, filled, CPU).targets, prepared.targets)
    below = prepare(chosen, (inputs, counts - 5))
    with pytest.raises(RecipeError, match="negative in places"):
        examples_of(assemble(filled, below)[0], below, filled, CPU)
    with pytest.raises(RecipeError, match="not counts"):
        assemble(with_settings(filled, ["preprocessing.targets=standardise"]), prepared)
