"""The lecture's table of initialisations comes out of `initialise` itself."""

import statistics
from typing import Any

import pytest
import torch
from torch import nn

from babysit.nn import activation, initialise
from tests.nn.nets import normal, plain


def lecture(name: str, scheme: Any, std: float | None, seeds: int, *, bias: bool = True) -> list[dict[int, float]]:
    """Std of activations by layer, averaged over seeds; the same for the share of never-active units."""
    stds: dict[int, list[float]] = {layer: [] for layer in (1, 2, 3, 5, 10)}
    never: dict[int, list[float]] = {1: [], 5: [], 10: []}
    for seed in range(seeds):
        torch.manual_seed(seed)
        model = plain(10, 500, type(activation(name)), bias=bias)
        report = initialise(model, scheme, std=std, sample=normal(1000, 500, seed=100 + seed), seed=seed)
        for layer, values in stds.items():
            value = report.layers[layer - 1].activation_std
            assert value is not None
            values.append(value)
        for layer, values in never.items():
            share = report.layers[layer - 1].never_active
            if share is not None:
                values.append(share)
    return [{layer: statistics.mean(values) for layer, values in rows.items() if values} for rows in (stds, never)]


@pytest.mark.parametrize(
    ("name", "scheme", "std", "expected", "tolerance"),
    [
        ("tanh", "small-random", 0.01, (0.213081, 0.047551, 0.010630, 0.000532, 0.0), 0.01),
        ("tanh", "small-random", 1.0, (0.982, 0.982, 0.982, 0.982, 0.982), 0.002),
        ("tanh", "xavier", None, (0.6277, 0.4855, 0.4070, 0.3209, 0.2279), 0.02),
        ("relu", "xavier", None, (0.584, 0.414, 0.295, 0.153, 0.026), 0.2),
        ("tanh", "pytorch", None, (0.460, 0.249, 0.141, 0.0465, 0.0030), 0.03),
        ("relu", "pytorch", None, (0.337, 0.138, 0.057, 0.0098, 1.1e-4), 0.35),
    ],
)
def test_the_lectures_table(
    name: str, scheme: str, std: float | None, expected: tuple[float, ...], tolerance: float
) -> None:
    # The table's default nets have no biases: PyTorch's own would hold the deep layers up.
    stds, _ = lecture(name, scheme, std, seeds=2, bias=scheme != "pytorch")
    for value, wanted in zip(stds.values(), expected, strict=True):
        assert value == pytest.approx(wanted, rel=tolerance, abs=1e-6)


def test_the_lectures_table_with_he_and_its_never_active_units() -> None:
    stds, never = lecture("relu", "he", None, seeds=5)
    # Slides, one seed each: five seeds here spread by .001 in the first layer and by .05 in the tenth.
    for layer, wanted, spread in (
        (1, 0.825, 0.005),
        (2, 0.828, 0.03),
        (3, 0.814, 0.06),
        (5, 0.834, 0.1),
        (10, 0.845, 0.2),
    ):
        assert stds[layer] == pytest.approx(wanted, abs=spread)
    assert never[1] == 0
    assert never[5] == pytest.approx(0.021, abs=0.012)
    assert never[10] == pytest.approx(0.098, abs=0.04)


def test_std_one_saturates_nine_tenths_of_tanh() -> None:
    model = plain(10, 500, nn.Tanh)
    initialise(model, "small-random", std=1.0)
    with torch.no_grad():
        share = (model(normal(1000, 500)).abs() > 0.99).double().mean().item()
    assert share == pytest.approx(0.904, abs=0.01)
