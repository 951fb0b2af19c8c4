"""Scores of answers that are images, grey pixels and other numbers, beside what a constant image would have."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from babysit.scripts._answers_seen import score_of, tally

torch.manual_seed(0)
MEAN = torch.rand(1, 8, 8).mul(0.8).add(0.1)  # a mean image, far from grey in most places
IMAGES = (MEAN + 0.05 * torch.randn(64, 8, 8)).clamp(0.01, 0.99)


def scored(name: str, outputs: Tensor, targets: Tensor, batch: int = 16) -> float:
    pairs = zip(outputs.split(batch), targets.split(batch), strict=True)
    found = score_of([one for pair in pairs if (one := tally(name, *pair)) is not None])
    assert found is not None
    assert found[0] == "r2"
    return found[1]


@pytest.mark.parametrize("name", ["mse", "bce", "bce-with-logits"])
def test_the_mean_image_is_a_constant_answer(name: str) -> None:
    mean, best = IMAGES.mean(0, keepdim=True).expand_as(IMAGES), IMAGES
    if name == "bce-with-logits":
        mean, best = mean.logit(), best.logit()
    assert scored(name, mean, IMAGES) == pytest.approx(0, abs=1e-4)
    assert scored(name, best, IMAGES) == pytest.approx(1, abs=1e-4)


def test_in_pieces_it_is_what_it_is_at_once() -> None:
    outputs = IMAGES + 0.02 * torch.randn_like(IMAGES)
    slow = 1 - (outputs - IMAGES).square().sum() / (IMAGES - IMAGES.mean(0)).square().sum()
    assert scored("mse", outputs, IMAGES, batch=5) == pytest.approx(float(slow), rel=1e-4)


def test_one_picture_alone_is_compared_with_grey() -> None:
    picture = MEAN.expand(16, 8, 8)
    assert scored("mse", picture * 0.9, picture) < 1
    assert scored("mse", picture, picture) == pytest.approx(1)


def test_rows_of_differing_lengths_have_no_places() -> None:
    parts = [torch.randn(12, 3), torch.randn(12, 5)]
    found = score_of([one for part in parts if (one := tally("mse", part * 0, part)) is not None])
    assert found is not None
    assert found[1] == pytest.approx(0, abs=0.05)


def test_labels_of_zero_and_one_are_classes() -> None:
    found = tally("bce-with-logits", torch.randn(8, 1), torch.tensor([0.0, 1.0] * 4).unsqueeze(1))
    assert found is not None
    assert found.all == {0: 4, 1: 4}
