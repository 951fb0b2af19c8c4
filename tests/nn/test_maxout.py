"""Maxout against a slow readable oracle, its gradients, its ties, and everything that transforms it."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from babysit.nn import Maxout, MaxoutConv2d, MaxPieces, max_pieces
from babysit.record import InputError


def slow_max_pieces(inputs: Tensor, pieces: int, dim: int) -> tuple[Tensor, Tensor]:
    """Values and, for a gradient of ones, the gradient; unit by unit, the first of equal pieces winning."""
    moved = inputs.movedim(dim, 0)
    units = moved.shape[0] // pieces
    values = torch.empty(units, *moved.shape[1:], dtype=inputs.dtype)
    gradient = torch.zeros_like(moved)
    for place in itertools.product(*(range(size) for size in moved.shape[1:])):
        for unit in range(units):
            candidates = [moved[(piece * units + unit, *place)].item() for piece in range(pieces)]
            winner = max(range(pieces), key=lambda piece: (candidates[piece], -piece))
            values[(unit, *place)] = candidates[winner]
            gradient[(winner * units + unit, *place)] = 1.0
    return values.movedim(0, dim), gradient.movedim(0, dim)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["small", "large"], autouse=True)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test takes the way of small inputs and that of large ones."""
    if request.param == "large":
        monkeypatch.setattr("babysit.nn._maxout.SMALL", 0)


@pytest.mark.parametrize("pieces", [2, 3, 5])
@pytest.mark.parametrize(("shape", "dim"), [((4, 30), 1), ((4, 30), -1), ((3, 2, 30), -1), ((2, 30, 3, 2), 1)])
@pytest.mark.parametrize("ties", [False, True])
def test_equals_the_slow_oracle(shape: tuple[int, ...], dim: int, pieces: int, ties: bool) -> None:
    inputs = normal(*shape)
    inputs = inputs.round() if ties else inputs
    inputs.requires_grad_()
    values = max_pieces(inputs, pieces, dim)
    values.sum().backward()
    expected, gradient = slow_max_pieces(inputs.detach(), pieces, dim)
    assert torch.equal(values, expected)
    assert inputs.grad is not None
    assert torch.equal(inputs.grad, gradient)
    with torch.no_grad():
        assert torch.equal(max_pieces(inputs, pieces, dim), expected)


# PyTorch compiles its own forward-mode rules with the deprecated script compiler.
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("pieces", [2, 3])
def test_gradients_of_both_orders_and_both_modes(pieces: int) -> None:
    inputs = normal(3, 6 * pieces).double().requires_grad_()

    def curved(values: Tensor) -> Tensor:
        return max_pieces(values, pieces).pow(3)

    assert torch.autograd.gradcheck(curved, (inputs,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(curved, (inputs,))


def test_an_infinite_gradient_stays_with_the_winner() -> None:
    inputs = torch.tensor([[1.0, 2.0]], requires_grad=True)
    max_pieces(inputs, 2).backward(torch.tensor([[torch.inf]]))
    assert inputs.grad is not None
    assert inputs.grad.tolist() == [[0.0, torch.inf]]


@pytest.mark.parametrize("pieces", [2, 3])
def test_nan_is_passed_on_and_takes_one_gradient(pieces: int) -> None:
    inputs = torch.tensor([[torch.nan] + [1.0] * (pieces - 1)], requires_grad=True)
    values = max_pieces(inputs, pieces)
    values.sum().backward()
    assert values.isnan().all()
    assert inputs.grad is not None
    assert inputs.grad.sum() == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_number_types(dtype: torch.dtype) -> None:
    inputs = normal(4, 6).to(dtype).requires_grad_()
    values = max_pieces(inputs, 3)
    values.sum().backward()
    assert values.dtype == dtype
    assert inputs.grad is not None
    assert inputs.grad.dtype == dtype


def test_a_channels_last_image_gives_the_same() -> None:
    layer = MaxoutConv2d(3, 4, 3, pieces=3)
    inputs = normal(2, 3, 6, 5)
    assert torch.allclose(layer(inputs.to(memory_format=torch.channels_last)), layer(inputs), atol=1e-6)


LAYERS: list[tuple[str, Callable[[], nn.Module], tuple[int, ...]]] = [
    ("dense", lambda: Maxout(6, 4, pieces=3), (5, 6)),
    ("sequence", lambda: Maxout(6, 4), (5, 3, 6)),
    ("convolution", lambda: MaxoutConv2d(3, 4, 3, stride=2, padding=1, pieces=2), (5, 3, 8, 8)),
    ("pool", lambda: nn.Sequential(nn.Linear(6, 8), MaxPieces(2)), (5, 6)),
]
EACH_LAYER = pytest.mark.parametrize(
    ("make", "shape"), [layer[1:] for layer in LAYERS], ids=[name for name, *_ in LAYERS]
)


@EACH_LAYER
def test_vmap_over_stacked_weights(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    models = [make() for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(models)
    inputs = normal(*shape)

    def loss(weights: dict[str, Tensor]) -> Tensor:
        output: Tensor = torch.func.functional_call(models[0], (weights, buffers), (inputs,))
        return output.square().mean()

    gradients = torch.func.vmap(torch.func.grad(loss))(parameters)
    for number, model in enumerate(models):
        model(inputs).square().mean().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            assert torch.allclose(gradients[name][number], parameter.grad, atol=1e-6)


@EACH_LAYER
def test_exports(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    model = make().eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(model, (normal(*shape),), dynamic_shapes=({0: batch},))
    other = normal(2, *shape[1:], seed=1)
    assert torch.allclose(exported.module()(other), model(other), atol=1e-6)


@EACH_LAYER
def test_symbolic_tracing_sees_one_step(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    model = make()
    traced = torch.fx.symbolic_trace(model)
    assert [node for node in traced.graph.nodes if node.target is max_pieces or "MaxPieces" in str(node.target)] or any(
        isinstance(module, MaxPieces) for module in traced.modules()
    )
    assert torch.equal(traced(normal(*shape)), model(normal(*shape)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_onnx_computes_the_same() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = nn.Sequential(MaxoutConv2d(3, 4, 3, pieces=3), nn.Flatten(), Maxout(4 * 36, 5)).eval()
    inputs = normal(2, 3, 8, 8)
    program = torch.onnx.export(model, (inputs,), dynamo=True, verbose=False)
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    (output,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    assert np.allclose(output, model(inputs).detach().numpy(), atol=1e-5)


def test_keeps_one_byte_a_unit_for_the_backward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.nn._maxout.SMALL", 0)
    inputs = normal(10, 40).requires_grad_()
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.nbytes) or t, lambda t: t):  # type: ignore[func-returns-value]
        max_pieces(inputs * 1.0, 2)
    assert kept == [10 * 20]


def test_a_training_step_lowers_the_loss() -> None:
    inputs, targets = normal(64, 6), normal(64, 1, seed=1)
    model = nn.Sequential(Maxout(6, 16, pieces=3), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        loss = nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("pieces", [-1, 0, 1, 256])
def test_refuses_senseless_pieces(pieces: int) -> None:
    with pytest.raises(InputError, match=f"{pieces} pieces") as caught:
        Maxout(3, 2, pieces=pieces)
    assert caught.value.legal == "2 to 255"


def test_refuses_widths_that_cannot_be_shared() -> None:
    with pytest.raises(InputError, match="7 numbers along dimension 1 cannot be shared by 2 pieces"):
        max_pieces(torch.zeros(3, 7), 2)
