"""What readers see in NumPy is what the fast version computes, gradients included."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from babysit.data._affine import Centre, ScaleToRange, Standardise
from babysit.data._decorrelate import PCA, ZCA, Whiten
from babysit.lessons import _oracles as oracles
from babysit.lessons._activation_pages import ORACLES, fast
from babysit.lessons._initialisation_pages import SCHEMES, gradient_spreads, spreads
from babysit.nn import activation_names, initialise, max_pieces
from babysit.record import Row
from babysit.rehearsal import LiveObjects
from babysit.rehearsal._look_at_rows import look_at_rows

STREAM = np.random.default_rng(0)
CLOSE = 1e-9


def gradient(function: Callable[[torch.Tensor], torch.Tensor], x: np.ndarray[Any, Any], upstream: Any) -> Any:
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    (found,) = torch.autograd.grad(function(leaf), leaf, torch.from_numpy(np.asarray(upstream)))
    return found.numpy()


@pytest.mark.parametrize("name", [name for name in activation_names() if name != "maxout"])
def test_activations(name: str) -> None:
    x = np.linspace(-8, 8, 4001) + 1.7e-4  # beside every kink
    function, slope = ORACLES[name]
    np.testing.assert_allclose(function(x), fast(name, x).detach().numpy(), atol=1e-7)
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    module: Any = nn.PReLU().double() if name == "prelu" else None
    outputs = module(leaf) if module is not None else _module(name)(leaf)
    (wanted,) = torch.autograd.grad(outputs.sum(), leaf)
    np.testing.assert_allclose(slope(x), wanted.numpy(), atol=1e-6)


def _module(name: str) -> nn.Module:
    from babysit.nn import activation

    return activation(name).double()


def test_maxout() -> None:
    function, slope = ORACLES["maxout"]
    x = STREAM.standard_normal((7, 5, 3))
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    outputs = max_pieces(leaf.movedim(-1, 1).reshape(7, 15), 3)  # all first pieces before all second ones
    np.testing.assert_allclose(function(x), outputs.detach().numpy(), rtol=CLOSE)
    (wanted,) = torch.autograd.grad(outputs.sum(), leaf)
    np.testing.assert_array_equal(slope(x), wanted.numpy())


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name not in ("constant", "zero")])
def test_initialisations_have_the_spread_of_the_fast_ones(scheme: Any) -> None:
    drawn = SCHEMES[scheme](np.random.default_rng(1), 400, 300)
    layer = nn.Linear(400, 300)
    if scheme != "pytorch":
        # Between layers and followed by what each was made for, and without output gain.
        network = nn.Sequential(layer, nn.ReLU() if scheme == "he" else nn.Tanh(), nn.Linear(300, 10))
        initialise(network, scheme)
    assert layer.weight.std().item() == pytest.approx(drawn.std(), rel=0.02)
    if scheme == "orthogonal":
        np.testing.assert_allclose(drawn.T @ drawn, np.eye(300), atol=1e-9)


def test_the_lecture_s_table() -> None:
    for scheme, tanh, wanted, tolerance in (
        ("small-random", True, (0.213081, 0.047551, 0.010630, 0.000532), 0.02),
        ("xavier", True, (0.6277, 0.4855, 0.4070, 0.3209), 0.02),
        ("he", False, (0.825, 0.828, 0.814, 0.834), 0.12),
        ("pytorch", True, (0.460, 0.249, 0.141, 0.0465), 0.04),
    ):
        found = [spreads(scheme, tanh)[layer - 1] for layer in (1, 2, 3, 5)]
        assert found == pytest.approx(wanted, rel=tolerance)


def test_backward_through_ten_layers_is_autograd_s() -> None:
    stream = np.random.default_rng(0)
    inputs = stream.standard_normal((6, 5))
    weights = [stream.standard_normal((5, 5)) for _ in range(3)]
    for tanh in (True, False):
        layers = oracles.forward(inputs, weights, tanh)
        upstream = stream.standard_normal((6, 5))
        found = oracles.backward(layers, weights, tanh, upstream)
        values = torch.from_numpy(inputs)
        kept = []
        for weight in weights:
            values = values @ torch.from_numpy(weight)
            values = (values.tanh() if tanh else values.relu()).requires_grad_()
            kept.append(values)
        wanted = torch.autograd.grad(values, kept, torch.from_numpy(upstream))
        for mine, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-12)
    assert len(gradient_spreads("he", False)) == 10


@pytest.mark.parametrize(
    ("name", "module"),
    [("centre", Centre(5)), ("standardise", Standardise(5)), ("scale_to_range", ScaleToRange(5)), ("whiten", Whiten(5)),
     ("zca", ZCA(5)), ("pca", PCA(5, components=3))],
)  # fmt: skip
def test_preprocessing(name: str, module: Any) -> None:
    train = STREAM.standard_normal((200, 5)) @ STREAM.standard_normal((5, 5)) + 3
    module.fit([torch.from_numpy(train)])
    module = module.double()
    x, upstream = train[:20] + 0.1, STREAM.standard_normal((20, 3 if name == "pca" else 5))
    extra = (3,) if name == "pca" else ()
    mine = getattr(oracles, name)(x, train, *extra)
    theirs = module(torch.from_numpy(x)).detach().numpy()
    signs = np.sign((mine * theirs).sum(axis=0)) if name in ("whiten", "pca") else 1.0  # an axis may point either way
    np.testing.assert_allclose(mine * signs, theirs, atol=1e-4)
    found = getattr(oracles, f"{name}_gradient")(upstream * signs, train, *extra)
    np.testing.assert_allclose(found, gradient(module, x, upstream), atol=1e-3)


def test_impute_and_images() -> None:
    train = STREAM.standard_normal((50, 4))
    x = train[:5].copy()
    x[0, 1] = x[3, 2] = np.nan
    filled = oracles.impute(x, train)
    assert filled[0, 1] == pytest.approx(train[:, 1].mean())
    np.testing.assert_array_equal(oracles.impute_gradient(np.ones_like(x), x)[0], [1, 0, 1, 1])
    images = STREAM.uniform(0, 255, (10, 6, 6, 3))
    assert abs(oracles.mean_image(images, images).mean(axis=0)).max() < 1e-9
    assert abs(oracles.channel_mean(images, images).mean(axis=(0, 1, 2))).max() < 1e-9
    np.testing.assert_allclose(oracles.channel_mean_std(images, images).std(axis=(0, 1, 2)), 1.0)


def test_batch_norm() -> None:
    x, scale, shift = STREAM.standard_normal((16, 5)) * 3 + 2, STREAM.uniform(0.5, 2, 5), STREAM.standard_normal(5)
    layer = nn.BatchNorm1d(5).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(scale))
        layer.bias.copy_(torch.from_numpy(shift))
    leaf = torch.from_numpy(x).requires_grad_()
    outputs = layer(leaf)
    upstream = STREAM.standard_normal((16, 5))
    wanted = torch.autograd.grad(outputs, (leaf, layer.weight, layer.bias), torch.from_numpy(upstream))
    np.testing.assert_allclose(oracles.batch_norm(x, scale, shift), outputs.detach().numpy(), rtol=1e-9)
    for mine, theirs in zip(oracles.batch_norm_gradient(upstream, x, scale), wanted, strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-9)
    layer.eval()
    mean, var = layer.running_mean, layer.running_var
    assert mean is not None
    assert var is not None
    mine = oracles.batch_norm_evaluation(x, scale, shift, mean.numpy(), var.numpy())
    np.testing.assert_allclose(mine, layer(torch.from_numpy(x)).detach().numpy(), rtol=1e-9)


def test_layer_norm_and_dropout() -> None:
    x, scale, shift = STREAM.standard_normal((6, 8)), STREAM.uniform(0.5, 2, 8), STREAM.standard_normal(8)

    def layer(values: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(values, (8,), torch.from_numpy(scale), torch.from_numpy(shift))

    upstream = STREAM.standard_normal((6, 8))
    np.testing.assert_allclose(oracles.layer_norm(x, scale, shift), layer(torch.from_numpy(x)).numpy())
    np.testing.assert_allclose(oracles.layer_norm_gradient(upstream, x, scale), gradient(layer, x, upstream), atol=1e-9)
    torch.manual_seed(0)
    dropped = functional.dropout(torch.from_numpy(x), 0.4).numpy()
    kept = (dropped != 0).astype(float)
    np.testing.assert_allclose(oracles.dropout(x, kept, 0.4), dropped)
    np.testing.assert_allclose(oracles.dropout_gradient(upstream, kept, 0.4), upstream * kept / 0.6)


@pytest.mark.parametrize(
    ("name", "loss"),
    [("softmax_cross_entropy", functional.cross_entropy),
     ("hinge", lambda scores, labels: functional.multi_margin_loss(scores, labels) * scores.shape[1])],
)  # fmt: skip
def test_losses_of_classes(name: str, loss: Any) -> None:
    scores, labels = STREAM.standard_normal((9, 4)), STREAM.integers(0, 4, 9)
    wanted = torch.from_numpy(labels)
    assert getattr(oracles, name)(scores, labels) == pytest.approx(float(loss(torch.from_numpy(scores), wanted)))
    found = getattr(oracles, f"{name}_gradient")(scores, labels)
    np.testing.assert_allclose(found, gradient(lambda values: loss(values, wanted), scores, 1.0), atol=1e-12)
    counted = oracles.numeric_gradient(lambda w: getattr(oracles, name)(w, labels), scores.copy())
    assert oracles.relative_error(counted, found) < 1e-6


@pytest.mark.parametrize(
    ("name", "loss"),
    [("mse", functional.mse_loss), ("bce_with_logits", functional.binary_cross_entropy_with_logits)],
)
def test_losses_of_numbers(name: str, loss: Any) -> None:
    answers, targets = STREAM.standard_normal(9), STREAM.uniform(0, 1, 9)
    wanted = torch.from_numpy(targets)
    assert getattr(oracles, name)(answers, targets) == pytest.approx(float(loss(torch.from_numpy(answers), wanted)))
    found = getattr(oracles, f"{name}_gradient")(answers, targets)
    np.testing.assert_allclose(found, gradient(lambda values: loss(values, wanted), answers, 1.0), atol=1e-12)


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [("sgd", torch.optim.SGD, {}), ("momentum", torch.optim.SGD, {"momentum": 0.9}),
     ("nesterov", torch.optim.SGD, {"momentum": 0.9, "nesterov": True}), ("adagrad", torch.optim.Adagrad, {}),
     ("rmsprop", torch.optim.RMSprop, {}), ("adam", torch.optim.Adam, {}), ("adamw", torch.optim.AdamW, {})],
)  # fmt: skip
def test_optimizers(name: str, kind: Any, options: dict[str, Any]) -> None:
    mine = np.array([1.0, -2.0, 0.5])
    theirs = torch.from_numpy(mine.copy()).requires_grad_()
    optimizer = kind([theirs], lr=0.05, **options)
    state: dict[str, Any] = {}
    for _ in range(12):
        optimizer.zero_grad()
        (theirs**4).sum().backward()
        mine = getattr(oracles, name)(mine, 4 * mine**3, 0.05, state)
        optimizer.step()
    np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-6)


def test_penalties_and_small_ones() -> None:
    w = STREAM.standard_normal((3, 4))
    leaf = torch.from_numpy(w.copy()).requires_grad_()
    penalty = 0.5 * 0.3 * leaf.square().sum()
    (wanted,) = torch.autograd.grad(penalty, leaf)
    assert oracles.l2(w, 0.3) == pytest.approx(float(penalty.detach()))
    np.testing.assert_allclose(oracles.l2_gradient(w, 0.3), wanted.numpy())
    assert oracles.penalty([w], 0.3) == pytest.approx(float(penalty.detach()))
    assert oracles.cosine(0.1, 0.5) == pytest.approx(0.05)
    assert oracles.first_loss(np.full(10, 0.1)) == pytest.approx((np.log(10), np.log(10)))
    assert oracles.update_ratio(w, 1.001 * w) == pytest.approx(1e-3)
    rates = np.logspace(-5, 0, 30)
    assert 3e-3 < oracles.steepest(rates, 2 - 1 / (1 + 1e-2 / rates)) < 3e-2


def test_what_is_seen_of_rows() -> None:
    train, held = STREAM.standard_normal((40, 3)) * [1, 5, 9] + 2, STREAM.standard_normal((10, 3))
    held[:4] = train[:4]
    batches = [(torch.from_numpy(train), torch.zeros(40).long())]
    network = nn.Linear(3, 2).double()
    subject = LiveObjects(
        network, nn.CrossEntropyLoss(), batches, torch.optim.Adam,
        validation=[(torch.from_numpy(held), torch.zeros(10).long())],
    )  # fmt: skip
    seen = {
        row.quantity: row.value
        for row in look_at_rows(subject.live_parts(), 0, seconds=60).rows
        if isinstance(row, Row)
    }
    assert oracles.shared_rows(train, held) == seen["duplicate-rows-share"] == 0.4
    assert np.median(oracles.scales(train)[1]) == pytest.approx(seen["feature-std-median"], rel=1e-6)
