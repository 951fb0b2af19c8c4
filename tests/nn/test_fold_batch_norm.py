"""Batch norm folded away changes no output; and all of it together on real digits."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from babysit.nn import fold_batch_norm, initialise, insert_batch_norm, recalibrate_batch_norm
from babysit.record import InputError
from tests.nn.nets import Branching, ResidualNet, normal, plain


def trained(model: nn.Module, inputs: Tensor) -> nn.Module:
    """With scales, shifts and statistics that are not the fresh ones."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and module.affine:
            nn.init.uniform_(module.weight, -2, 2)
            nn.init.normal_(module.bias)
    for _ in range(3):
        model(inputs)
    return model.eval()


FOLDS: list[tuple[str, Callable[[], nn.Module], Tensor, int]] = [
    ("dense", lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU()), normal(9, 6), 1),
    (
        "no bias, no affine",
        lambda: nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5, affine=False)),
        normal(9, 6),
        1,
    ),
    ("grouped", lambda: nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6)), normal(9, 4, 7, 7), 1),
    ("transposed", lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, 2), nn.BatchNorm2d(6)), normal(9, 4, 7, 7), 1),
    (
        "transposed in groups",
        lambda: nn.Sequential(nn.ConvTranspose1d(4, 6, 3, 2, groups=2), nn.BatchNorm1d(6)),
        normal(9, 4, 7),
        1,
    ),
    ("residual", ResidualNet, normal(9, 3, 6, 6), 6),
    (
        "wrong order",
        lambda: nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 5), nn.ReLU(), nn.BatchNorm1d(5)),
        normal(9, 6),
        0,
    ),
    ("sequence", lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)), normal(9, 5, 6), 0),
]  # fmt: skip


@pytest.mark.parametrize(("make", "inputs", "pairs"), [f[1:] for f in FOLDS], ids=[f[0] for f in FOLDS])
def test_folding_changes_no_output(make: Callable[[], nn.Module], inputs: Tensor, pairs: int) -> None:
    torch.manual_seed(0)
    model = trained(make(), inputs)
    before = model(inputs)
    folded = fold_batch_norm(model, sample=inputs)
    assert len(folded) == pairs
    assert torch.allclose(model(inputs), before, atol=1e-5)
    for _, norm in folded:
        assert isinstance(model.get_submodule(norm), nn.Identity)


def test_folding_agrees_with_pytorchs_own() -> None:
    dense, dense_norm = nn.Linear(6, 5), nn.BatchNorm1d(5)
    image, image_norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)
    dense_model = trained(nn.Sequential(dense, dense_norm), normal(9, 6))
    image_model = trained(nn.Sequential(image, image_norm), normal(9, 3, 6, 6))
    expected: tuple[Any, Any] = (fuse_linear_bn_eval(dense, dense_norm), fuse_conv_bn_eval(image, image_norm))
    fold_batch_norm(dense_model)
    fold_batch_norm(image_model)
    layers: tuple[nn.Linear | nn.Conv2d, ...] = (dense, image)
    for ours, theirs in zip(layers, expected, strict=True):
        assert ours.bias is not None
        assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)
        assert torch.allclose(ours.bias, theirs.bias, atol=1e-6)


def test_what_was_inserted_can_be_folded_back() -> None:
    model = Branching()
    inputs = normal(32, 6)
    insert_batch_norm(model, sample=inputs)
    trained(model, inputs)
    before = model(inputs)
    # Tracing cannot follow this forward; the pairs stand side by side all the same.
    assert len(fold_batch_norm(model)) == 5
    assert torch.allclose(model(inputs), before, atol=1e-5)


def test_a_layer_that_feeds_two_is_not_folded() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)

        def forward(self, inputs: Tensor) -> Tensor:
            hidden = self.layer(inputs)
            return hidden + self.norm(hidden)  # type: ignore[no-any-return]

    model = Fork().eval()
    assert fold_batch_norm(model) == fold_batch_norm(model, sample=normal(4, 4)) == ()


def test_training_mode_is_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    with pytest.raises(InputError, match="training mode") as caught:
        fold_batch_norm(model)
    assert caught.value.write == "model.eval()"


# --- all of it, on real digits ------------------------------------------------------------------------------------


def test_inserted_in_mid_training_on_real_digits_then_folded() -> None:
    digits = load_digits()
    inputs = torch.tensor(digits.data, dtype=torch.float32) / 16
    targets = torch.tensor(digits.target)
    model = plain(5, 64, nn.ReLU).append(nn.Linear(64, 10))
    initialise(model, "small-random", std=0.02)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)

    def train(epochs: int) -> None:
        model.train()
        for epoch in range(epochs):
            order = torch.randperm(1200, generator=torch.Generator().manual_seed(epoch))
            for rows in torch.split(order, 100):
                loss = nn.functional.cross_entropy(model(inputs[rows]), targets[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    def accuracy() -> float:
        model.eval()
        return float((model(inputs[1200:]).argmax(1) == targets[1200:]).double().mean())

    train(1)
    assert accuracy() < 0.5
    assert len(insert_batch_norm(model, optimizer=optimizer).inserted) == 5
    train(6)
    recalibrate_batch_norm(model, torch.split(inputs[:1200], 300))
    reached = accuracy()
    assert reached > 0.85
    before = model(inputs)
    assert len(fold_batch_norm(model)) == 5
    assert accuracy() == reached
    assert torch.allclose(model(inputs), before, atol=1e-4)
