"""initialise: known answers for every scheme, any model, and nothing disturbed."""

import copy
import json
import math
import os
import pathlib
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from babysit.nn import (
    InitialisationReport,
    LayerInitialisation,
    Maxout,
    Pixels,
    activation,
    activation_facts,
    build,
    initialise,
    initialize,
)
from babysit.record import InputError, ModelSection, to_json
from tests.nn.nets import Branching, Functional, OwnWeights, PreNormTransformer, ResidualNet, Shared, normal, plain

DRAWN = ("auto", "small-random", "xavier", "xavier-uniform", "he", "orthogonal", "lsuv", "constant", "zero")


def by_name(report: InitialisationReport) -> dict[str, LayerInitialisation]:
    return {layer.name: layer for layer in report.layers}


def options(scheme: str, sample: Any) -> dict[str, Any]:
    return {"sample": sample} if scheme == "lsuv" else {"value": 0.5} if scheme == "constant" else {}


# --- each scheme's own law ----------------------------------------------------------------------------------------


def test_both_spellings_are_one_function() -> None:
    assert initialise is initialize


def test_the_laws_of_normal_and_uniform_draws() -> None:
    def drawn(scheme: Any, **more: Any) -> Tensor:
        layer = nn.Linear(400, 300)
        initialise(nn.Sequential(layer, nn.ReLU(), nn.Linear(300, 5)), scheme, **more)
        return layer.weight.detach()

    assert drawn("small-random").std().item() == pytest.approx(0.01, rel=0.01)
    assert drawn("small-random", std=0.3).std().item() == pytest.approx(0.3, rel=0.01)
    assert drawn("xavier").std().item() == pytest.approx(1 / 20, rel=0.01)
    assert drawn("he").std().item() == pytest.approx(math.sqrt(2) / 20, rel=0.01)
    uniform = drawn("xavier-uniform")
    assert uniform.abs().max().item() == pytest.approx(math.sqrt(6 / 700), rel=0.001)
    assert uniform.std().item() == pytest.approx(math.sqrt(2 / 700), rel=0.01)
    rows = drawn("orthogonal")
    assert torch.allclose(rows @ rows.T, 2 * torch.eye(300), atol=1e-4)  # gain sqrt(2), squared
    assert torch.equal(drawn("constant", value=0.5), torch.full((300, 400), 0.5))
    assert torch.equal(drawn("zero"), torch.zeros(300, 400))


@pytest.mark.parametrize(
    ("layer", "shape", "fan_in"),
    [
        (nn.Conv2d(8, 64, 3), (256, 8, 9, 9), 72),
        (nn.Conv2d(64, 64, 3, groups=64), (64, 64, 9, 9), 9),
        (nn.Conv2d(64, 64, 3, groups=4), (64, 64, 9, 9), 144),
        (nn.Conv1d(8, 32, 5), (256, 8, 30), 40),
        (nn.Conv3d(8, 64, 3), (32, 8, 6, 6, 6), 216),
        (nn.ConvTranspose2d(32, 32, 4, stride=2), (64, 32, 12, 12), 128),
        (nn.ConvTranspose2d(32, 32, 3, stride=1), (64, 32, 12, 12), 288),
    ],
    ids=str,
)
def test_layers_keep_unit_variance(layer: nn.Module, shape: tuple[int, ...], fan_in: int) -> None:
    # Rows of a transposed kernel are not the sums of its outputs: orthogonal has no such law for it.
    schemes: list[Any] = ["xavier"] if isinstance(layer, nn.ConvTranspose2d) else ["xavier", "orthogonal"]
    for scheme in schemes:
        report = initialise(layer, scheme, sample=normal(*shape))
        assert report.layers[0].fan_in == fan_in
        # Borders of a transposed convolution meet fewer taps, so a little less than one is right there.
        assert report.layers[0].output_std == pytest.approx(1.0, rel=0.15)


def test_the_gain_is_that_of_the_activation_that_follows() -> None:
    for model in (Functional(), Branching()):
        layers = by_name(initialise(model, "he", sample=normal(4, 6)))
        for name, follows in (("first", "relu"), ("second", "tanh"), ("fourth", "silu"), ("fifth", "relu")):
            assert layers[f"{name}.weight"].gain == pytest.approx(activation_facts(follows).gain)


# Gains make the second moment 1 a fixed point. It is a stable one for some activations only: inputs of another size
# drift away from it with gelu and silu, layer by layer, so these are held over fewer layers.
@pytest.mark.parametrize(
    ("name", "depth"),
    [("relu", 20), ("leaky-relu", 20), ("elu", 20), ("selu", 20), ("prelu", 20), ("gelu", 5), ("silu", 3), ("mish", 5)],
)
def test_auto_keeps_the_size_of_activations(name: str, depth: int) -> None:
    model = plain(depth, 256, type(activation(name)))
    report = initialise(model, sample=normal(512, 256))
    stds = [layer.output_std for layer in report.layers[:-1]]
    assert all(0.3 < std < 3 for std in stds if std is not None)
    assert len(stds) == depth - 1


def test_auto_starts_classifiers_at_the_loss_of_chance() -> None:
    model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    initialise(model)
    loss = nn.functional.cross_entropy(model(normal(500, 64)), torch.arange(500) % 10)
    assert loss.item() == pytest.approx(math.log(10), abs=0.02)


def test_auto_keeps_deep_residual_nets_in_size() -> None:
    report = initialise(ResidualNet(24, batch_norm=False), sample=normal(16, 3, 8, 8))
    layers = by_name(report)
    assert layers["blocks.0.conv2.weight"].gain == pytest.approx(math.sqrt(2 / 24))
    assert layers["blocks.0.conv1.weight"].gain == pytest.approx(math.sqrt(2))
    last = layers["blocks.23.conv1.weight"].output_std
    unscaled = by_name(initialise(ResidualNet(24, batch_norm=False), "he", sample=normal(16, 3, 8, 8)))
    grown = unscaled["blocks.23.conv1.weight"].output_std
    assert last is not None
    assert grown is not None
    assert last < 10
    assert grown > 100


def test_zero_last_norm_makes_each_branch_begin_as_nothing() -> None:
    model = ResidualNet(3)
    report = initialise(model, zero_last_norm=True)
    assert [name for name, scale in report.normalisations.items() if scale == 0] == [
        f"blocks.{block}.norm2" for block in range(3)
    ]
    hidden = normal(4, 8, 5, 5).relu()
    assert torch.equal(model.blocks(hidden), hidden)
    with pytest.raises(InputError, match="no normalisation at the end"):
        initialise(Functional(), zero_last_norm=True)


def test_lsuv_gives_every_layer_unit_variance() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Softplus(), nn.Conv2d(8, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(128, 20), nn.ReLU(),
        nn.Linear(20, 4),
    )  # fmt: skip
    report = initialise(model, "lsuv", sample=5 * normal(64, 3, 8, 8) + 3)
    assert [layer.output_std for layer in report.layers] == pytest.approx([1.0] * 4, rel=0.01)
    hidden = 5 * normal(64, 3, 8, 8) + 3
    for layer in model:  # the slow way to see it
        hidden = layer(hidden)
        if hasattr(layer, "weight"):
            assert hidden.std(correction=0).item() == pytest.approx(1.0, rel=0.01)


def test_maxout_keeps_its_size() -> None:
    model = nn.Sequential(*(Maxout(200, 200, pieces=3) for _ in range(8)), nn.Linear(200, 2))
    report = initialise(model, sample=normal(300, 200))
    assert {layer.followed_by for layer in report.layers[:-1]} == {"maxout"}
    stds = [layer.output_std for layer in report.layers[:-1]]
    assert all(std is not None and 0.5 < std < 2 for std in stds)


def test_real_images_start_at_the_loss_of_chance() -> None:
    folder = os.environ.get("BABYSIT_DATA")
    if folder is None or not pathlib.Path(folder, "mnist70k.npz").exists():
        pytest.skip("BABYSIT_DATA names no folder with mnist70k.npz")
    with np.load(pathlib.Path(folder, "mnist70k.npz"), allow_pickle=False) as content:
        images, labels = content["x_test"][:256], content["y_test"][:256]
    rows = torch.tensor(images, dtype=torch.float32).unsqueeze(1)
    rows = (rows - rows.mean()) / rows.std()
    section = ModelSection(architecture="residual", widths=(8, 16), batch_norm=False, dropout=0.0)
    network = build(section, Pixels(1, 28, 28), outputs=10)
    report = initialise(network, sample=rows)
    assert all(0.2 < layer.output_std < 5 for layer in report.layers[:-1] if layer.output_std is not None)
    loss = nn.functional.cross_entropy(network(rows), torch.tensor(labels, dtype=torch.int64))
    assert loss.item() == pytest.approx(math.log(10), abs=0.05)


# --- any model ----------------------------------------------------------------------------------------------------

MODELS: list[tuple[str, Callable[[], nn.Module], Any]] = [
    ("functional", Functional, normal(8, 6)),
    ("branching", Branching, normal(8, 6)),
    ("residual", ResidualNet, normal(4, 3, 6, 6)),
    ("shared", Shared, torch.arange(12).view(4, 3)),
    ("own weights", OwnWeights, normal(8, 6)),
    ("transformer", PreNormTransformer, torch.arange(20).view(4, 5) % 10),
    ("lstm", lambda: nn.LSTM(4, 6, 2, bidirectional=True, proj_size=3), normal(5, 3, 4)),
    ("gru", lambda: nn.GRU(4, 6), normal(5, 3, 4)),
    ("rnn cell", lambda: nn.RNNCell(4, 6), normal(5, 4)),
    ("weight norm", lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 6)), normal(5, 4)),
    ("spectral norm", lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 6)), normal(5, 4)),
    ("bilinear", lambda: nn.Bilinear(4, 3, 6), (normal(5, 4), normal(5, 3))),
    ("embedding bag", lambda: nn.Sequential(nn.EmbeddingBag(9, 4), nn.Linear(4, 2)), torch.arange(8).view(4, 2)),
    ("double", lambda: nn.Linear(4, 6).double(), normal(5, 4).double()),
    ("half", lambda: nn.Linear(4, 6).bfloat16(), normal(5, 4).bfloat16()),
    ("no weights", nn.ReLU, normal(5, 4)),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("scheme", DRAWN)
@pytest.mark.parametrize(("make", "sample"), [m[1:] for m in MODELS], ids=[m[0] for m in MODELS])
def test_every_scheme_on_every_model(make: Callable[[], nn.Module], sample: Any, scheme: Any) -> None:
    model, again = make(), make()
    report = initialise(model, scheme, **options(scheme, sample))
    initialise(again, scheme, **options(scheme, sample))
    left = {left.name for left in report.left}
    for (name, one), (_, two) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        # Two models drawn differently agree afterwards in all that was set: nothing was forgotten.
        assert name in left or torch.allclose(one, two, rtol=1e-4), name
    named = {layer.name for layer in report.layers} | set(report.biases) | left
    norms = tuple(report.normalisations)
    for name, _ in model.named_parameters():
        assert name in named or name.startswith(norms) or "parametrizations" in name, name
    json.dumps(to_json(report))
    assert scheme in str(report)


def test_nothing_else_is_disturbed() -> None:
    model = ResidualNet()
    model.blocks[1].eval()
    sample = normal(4, 3, 6, 6)
    model(sample)
    modes = [module.training for module in model.modules()]
    generator = torch.get_rng_state()
    initialise(model, "lsuv", sample=sample)
    assert torch.equal(generator, torch.get_rng_state())
    assert [module.training for module in model.modules()] == modes
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # fresh, and not what the sample would have made of them
            assert module.running_mean is not None
            assert torch.equal(module.running_mean, torch.zeros(8))
            assert module.num_batches_tracked == 0
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_the_seed_decides() -> None:
    def weights(seed: int) -> Tensor:
        model = Functional()
        initialise(model, seed=seed)
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_pytorch_leaves_everything() -> None:
    model = ResidualNet()
    before = copy.deepcopy(model.state_dict())
    report = initialise(model, "pytorch", sample=normal(4, 3, 6, 6))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert {left.name for left in report.left} == {name for name, _ in model.named_parameters()}
    assert all(layer.output_std is not None for layer in report.layers)


def test_biases() -> None:
    first, last = nn.Linear(4, 3), nn.Linear(3, 2)
    report = initialise(nn.Sequential(first, nn.ReLU(), last), bias=0.01)
    assert torch.equal(first.bias, torch.full((3,), 0.01))
    assert torch.equal(last.bias, torch.zeros(2))
    assert report.biases == {"0.bias": "0.01", "2.bias": "0"}


def test_recurrent_gates() -> None:
    model = nn.LSTM(5, 7)
    initialise(model)
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    assert weights["bias_ih_l0"].view(4, 7).sum(1).tolist() == [0.0, 7.0, 0.0, 0.0]
    assert torch.equal(weights["bias_hh_l0"], torch.zeros(28))
    for gate in weights["weight_hh_l0"].chunk(4):
        assert torch.allclose(gate @ gate.T, torch.eye(7), atol=1e-5)


def test_weights_of_ones_own_are_layers_too() -> None:
    for sample in (None, normal(500, 6)):
        model = OwnWeights()
        report = initialise(model, bias=0.01, sample=sample)
        layers = by_name(report)
        assert {name: (layer.followed_by, layer.fan_in) for name, layer in layers.items()} == {
            "first": ("relu", 6),
            "second": ("tanh", 8),
            "middle.weight": ("gelu", 8),
            "last": ("the model's end", 10),
        }
        assert layers["last"].gain == 0.1
        assert [left.name for left in report.left] == ["scale"]
        assert torch.equal(model.first_bias, torch.full((8,), 0.01))
        assert torch.equal(model.last_bias, torch.zeros(3))
        assert (layers["first"].output_std is None) == (sample is None)
    initialise(model, "orthogonal")
    product = model.second.detach().mT @ model.second.detach()
    assert torch.allclose(product, torch.eye(8), atol=1e-5)


def test_what_is_left_alone_is_said() -> None:
    model = PreNormTransformer()
    model.head.weight.requires_grad_(False)
    before = model.head.weight.clone()
    report = initialise(model)
    reasons = {left.name: left.why for left in report.left}
    assert set(reasons) == {"positions", "head.weight"}
    assert "frozen" in reasons["head.weight"]
    assert "PreNormTransformer" in reasons["positions"]
    assert torch.equal(model.head.weight, before)
    padded = nn.Embedding(4, 3, padding_idx=1)
    initialise(padded)
    assert torch.equal(padded.weight[1], torch.zeros(3))


def test_spectral_norm_still_has_norm_one() -> None:
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(30, 20))
    initialise(layer, "xavier")
    layer.eval()
    weight = layer.weight
    assert isinstance(weight, Tensor)
    assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1.0, rel=0.05)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_compiled_model_is_seen_as_it_was_written() -> None:
    model = Functional()
    model.compile(backend="eager")
    wrapped = torch.compile(Functional(), backend="eager")
    assert isinstance(wrapped, nn.Module)
    for compiled in (model, wrapped):
        report = initialise(compiled, sample=normal(8, 6))
        assert [layer.followed_by for layer in report.layers][:4] == ["relu", "tanh", "relu", "silu"]


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_models_that_cannot_be_drawn_anew_are_refused() -> None:
    with pytest.raises(InputError, match="a scripted model"):
        initialise(cast(nn.Module, torch.jit.script(nn.Sequential(nn.Linear(2, 2)))))
    with torch.inference_mode():
        frozen = nn.Linear(2, 2)
    with pytest.raises(InputError, match="made for inference"):
        initialise(frozen)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: initialise(m, scheme=cast(Any, "kaiming")), "no initialisation 'kaiming'"),
        (lambda m: initialise(m, scheme=cast(Any, "xavier_uniform")), "no initialisation"),
        (lambda m: initialise(m, "lsuv"), "needs a sample"),
        (lambda m: initialise(m, "he", std=0.1), "std = 0.1 was given with he"),
        (lambda m: initialise(m, "small-random", std=0.0), "not a standard deviation"),
        (lambda m: initialise(m, "small-random", std=math.nan), "not a standard deviation"),
        (lambda m: initialise(m, "constant"), "needs a value"),
        (lambda m: initialise(m, "zero", value=1.0), "value = 1.0 was given with zero"),
        (lambda m: initialise(m, bias=math.inf), "bias = inf"),
        (lambda m: initialise(m, sample=torch.zeros(2, 5)), "cannot be run through"),
        (lambda m: initialise(nn.LazyLinear(3)), "weight has no values yet"),
        (lambda m: initialise(nn.Linear(2, 2, device="meta")), "weight has no values yet"),
    ],
)
def test_bad_input_is_refused_before_anything_is_drawn(call: Callable[[nn.Module], Any], message: str) -> None:
    layer = nn.Linear(4, 3)
    before = layer.weight.clone()
    with pytest.raises(InputError, match=message):
        call(nn.Sequential(layer, nn.ReLU()))
    assert torch.equal(layer.weight, before)
