"""Initialisations compared: the lecture's numbers on somebody's own network, and a verdict that follows from them."""

import json

import pytest
import torch
from torch import nn

import babysit
from babysit.record import InputError, SchemeResult
from babysit.rehearsal import compare_initialisations
from babysit.rehearsal._compare_initialisations import decided
from babysit.rehearsal._live_objects import LiveObjects
from babysit.reports import comparison_lesson, render_lessons_page
from tests.rehearsal.subjects import CROSS_ENTROPY, SOUND


def deep(act: type[nn.Module]) -> tuple[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]]:
    torch.manual_seed(0)
    layers = [layer for _ in range(10) for layer in (nn.Linear(200, 200), act())]
    means = torch.randn(4, 200)
    labels = torch.arange(256) % 4
    inputs = torch.randn(256, 200) + 0.5 * means[labels]
    return nn.Sequential(*layers, nn.Linear(200, 4)), [(inputs, labels)]


def test_ten_layers_of_tanh_show_the_lecture_s_spread() -> None:
    network, batches = deep(nn.Tanh)
    before = [parameter.clone() for parameter in network.parameters()]
    subject = LiveObjects(network, CROSS_ENTROPY, batches, torch.optim.Adam)
    found = compare_initialisations(subject, schemes=["small-random", "xavier"], steps=5, seeds=1)
    small, xavier = (
        [layer.std for layer in found.result(name).layers if not layer.weighted] for name in ("small-random", "xavier")
    )
    assert len(small) == 10
    assert small[0] / small[1] == pytest.approx(small[1] / small[2], rel=0.1)  # each layer takes the same share away
    assert small[-1] < 1e-6 < 0.2 < xavier[-1]
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


@pytest.mark.slow
def test_deep_relu_layers_ask_for_a_scheme_that_keeps_the_spread() -> None:
    network, batches = deep(nn.ReLU)
    found = babysit.compare_init(network, CROSS_ENTROPY, batches, torch.optim.Adam, steps=30, seeds=2)
    assert found.take in ("he", "auto", "lsuv", "orthogonal")
    assert found.result("small-random").losses[0] > 1.3
    assert sum(sum(layer.counts) > 0 for layer in found.result("he").layers) == 21


def test_where_nothing_differs_nothing_changes() -> None:
    torch.manual_seed(0)
    one = SOUND["mlp, batch norm, dropout, decay"]()
    found = babysit.compare_init(one.network, one.loss, one.loader, one.optimizer, schemes=["as given", "xavier"])
    assert found.take == "as given"
    assert "none is clearly better" in found.comparison.why


def result(scheme: str, *losses: float) -> SchemeResult:
    return SchemeResult(scheme, (), 2.3, losses)


def test_the_verdict_knows_noise_from_difference() -> None:
    assert decided([result("as given", 1.0, 1.1), result("he", 0.4, 0.45)])[0] == "he"
    assert decided([result("as given", 1.0, 1.6), result("he", 0.9, 1.5)])[0] == "as given"
    assert "every scheme diverged" in decided([result("he", float("inf"))])[1]


def test_its_lesson_and_json() -> None:
    found = babysit.compare_init("iris", schemes=["as given", "he", "zero"], steps=10, seeds=1)
    lesson = comparison_lesson(found.comparison)
    assert [figure.name for figure in lesson.figures] == ["table", "histograms", "forwards", "backwards"]
    assert "initialisations-compared--histograms" in render_lessons_page([lesson], lesson.title)
    content = json.loads(found.to_json())
    assert content["schema"] == 1
    assert {one["scheme"] for one in content["results"]} == {"as given", "he", "zero"}


def test_bad_schemes_are_one_clear_error() -> None:
    with pytest.raises(InputError, match="no initialisation 'hee'") as caught:
        babysit.compare_init("iris", schemes=["hee"])
    assert caught.value.write == "he"
    with pytest.raises(InputError, match="0 seeds"):
        babysit.compare_init("iris", seeds=0)
