"""A rehearsal of a recipe takes the training's own step: what acts beside the loss and the optimizer included."""

import math

import pytest

from babysit.record import load_recipe, with_settings
from babysit.rehearsal import RecipeSubject


def losses(*settings: str) -> list[float]:
    recipe = with_settings(load_recipe("default"), ["data.source=iris", "optimizer.name=sgd", *settings])
    return [float(value) for value in RecipeSubject(recipe).rehearse(8, probes="losses").series("loss").values]


@pytest.mark.parametrize("setting", ["clip_norm=1e-3", "max_norm=0.01", "l2=2"])
def test_clipping_norms_and_decay_act(setting: str) -> None:
    plain, changed = losses("lr=0.05"), losses("lr=0.05", setting)
    assert changed[0] == plain[0]
    assert changed[-1] != pytest.approx(plain[-1], rel=1e-3)


def test_a_recipe_that_clips_is_not_said_to_diverge() -> None:
    settings = ("batch_norm=false", "lr=1e6", "l2=0", "momentum=0")
    assert not math.isfinite(losses(*settings)[-1]) or losses(*settings)[-1] > 1e3
    assert losses(*settings, "clip_norm=1e-7")[-1] < 2
