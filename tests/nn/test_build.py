"""Networks from a recipe: any activation, any image, and what must work on them."""

import pytest
import torch
from torch import nn

from babysit.nn import Features, Pixels, build
from babysit.record import Activation, ModelSection, RecipeError

ACTIVATIONS = Activation.__args__  # type: ignore[attr-defined]


def section(**changes: object) -> ModelSection:
    return ModelSection.model_validate({"widths": (6, 5), "batch_norm": True, "dropout": 0.2, **changes})


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("architecture", ["mlp", "convolutional", "residual"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_choice_gives_outputs_and_gradients(activation: str, architecture: str, batch_norm: bool) -> None:
    inputs = Features(4, (3, 7)) if architecture == "mlp" else Pixels(3, 8, 9)
    model = section(activation=activation, architecture=architecture, batch_norm=batch_norm)
    network = build(model, inputs, 2)
    batch = torch.rand(5, 6) if architecture == "mlp" else torch.randn(5, 3, 8, 9)
    outputs = network(batch)
    assert outputs.shape == (5, 2)
    outputs.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    kinds = [type(module) for module in network.modules()]
    assert (nn.BatchNorm1d in kinds or nn.BatchNorm2d in kinds) == batch_norm


def test_batch_norm_stands_between_the_linear_map_and_the_nonlinearity_and_takes_the_bias() -> None:
    network = build(section(), Features(4), 2)
    assert [name for name, _ in network.named_children()] == [
        "linear1", "norm1", "activation1", "dropout1", "linear2", "norm2", "activation2", "dropout2", "output",
    ]  # fmt: skip
    parameters = dict(network.named_parameters())
    assert "linear1.bias" not in parameters
    assert "output.bias" in parameters


@pytest.mark.parametrize("side", [1, 2, 3, 7, 8, 28, 32, 97, 224])
@pytest.mark.parametrize("architecture", ["convolutional", "residual"])
def test_images_of_any_size(architecture: str, side: int) -> None:
    network = build(section(architecture=architecture, widths=(4, 6, 8)), Pixels(1, side, side + 3), 2).eval()
    assert network(torch.randn(2, 1, side, side + 3)).shape == (2, 2)


def test_no_hidden_layer_is_a_linear_model() -> None:
    network = build(section(widths=()), Features(4), 2)
    assert [type(module) for module in network.children()] == [nn.Linear]


def test_category_codes_choose_their_vectors() -> None:
    network = build(section(widths=(), embedding=3), Features(1, (4,)), 1)
    embedding = network[0]
    vectors = dict(network.named_parameters())["embedding.embeddings.0.weight"]
    rows = torch.tensor([[0.5, 0.0], [0.5, 3.0]])
    assert torch.equal(embedding(rows)[:, 1:], vectors[[0, 3]])
    assert torch.equal(embedding(rows)[:, 0], rows[:, 0])


def test_a_table_cannot_be_convolved() -> None:
    with pytest.raises(RecipeError, match="needs images"):
        build(section(architecture="residual"), Features(4), 2)


@pytest.mark.parametrize("architecture", ["mlp", "convolutional", "residual"])
def test_stacking_and_exporting_work(architecture: str) -> None:
    inputs = Features(4, (3,)) if architecture == "mlp" else Pixels(1, 8, 8)
    batch = torch.rand(3, 5) if architecture == "mlp" else torch.randn(3, 1, 8, 8)
    networks = [build(section(architecture=architecture), inputs, 2).eval() for _ in range(2)]
    parameters, buffers = torch.func.stack_module_state(list(networks))

    def forward(parameters: dict[str, torch.Tensor], buffers: dict[str, torch.Tensor]) -> torch.Tensor:
        result: torch.Tensor = torch.func.functional_call(networks[0], (parameters, buffers), (batch,))
        return result

    stacked = torch.func.vmap(forward)(parameters, buffers)
    alone = torch.stack([network(batch) for network in networks])
    torch.testing.assert_close(stacked, alone, rtol=1e-4, atol=1e-5)
    exported = torch.export.export(networks[0], (batch,)).module()
    torch.testing.assert_close(exported(batch), alone[0])
