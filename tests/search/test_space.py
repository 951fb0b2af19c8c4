"""Spaces: every way to write one, what a point becomes, and what is refused with which words."""

import math
import pathlib

import numpy as np
import pytest

from babysit.data import prepare
from babysit.record import InputError, Recipe, with_settings
from babysit.search import (
    Choice,
    Range,
    Space,
    choice,
    default_space,
    grid_points,
    integer,
    log_uniform,
    only_if,
    random_points,
    sobol_points,
    uniform,
    with_architecture,
)
from babysit.search._conclude import study_trace
from babysit.search._parameter import Value
from babysit.search._points import counts, places, snapped
from babysit.training import decide

MIXED = Space(
    [
        "lr=1e-6:1e-1:log", "dropout=0:0.5", "depth=1:4:integer", "width=16:512:log-integer",
        "optimizer.name=sgd,adamw", "momentum=0.5:0.99 if optimizer.name=sgd",
    ]
)  # fmt: skip


def test_one_space_in_five_ways(tmp_path: pathlib.Path) -> None:
    (tmp_path / "space.toml").write_text(
        '[space]\nlr = {low = 1e-6, high = 1e-1, kind = "log"}\nactivation = ["relu", "tanh"]\ndropout = "0:0.5"\n'
    )
    (tmp_path / "sections.toml").write_text(
        'optimizer.lr = "1e-6:1e-1:log"\nmodel.activation = ["relu", "tanh"]\nmodel.dropout = {low = 0.0, high = 0.5}\n'
    )
    expected = Space.parse(["lr=1e-6:1e-1:log", "activation=relu,tanh", "dropout=0:0.5"])
    assert Space({"lr": log_uniform(1e-6, 1e-1), "activation": choice("relu", "tanh"), "dropout": uniform(0, 0.5)}) == (
        expected
    )
    assert Space.parse([str(tmp_path / "space.toml")]) == expected
    assert Space.parse([str(tmp_path / "sections.toml")]) == expected
    assert Space([parameter.text() for parameter in expected]) == expected


def test_a_text_form_reads_back_as_it_was() -> None:
    assert Space([parameter.text() for parameter in MIXED]) == MIXED


@pytest.mark.parametrize("parameter", MIXED, ids=lambda parameter: parameter.path)
def test_units_and_values_are_inverses(parameter: Range | Choice) -> None:
    for unit in np.linspace(0, 1, 41):
        value = parameter.value(float(unit))
        assert parameter.value(parameter.unit(value)) == value
        if isinstance(parameter, Range) and not parameter.whole:
            assert math.isclose(parameter.unit(value), unit, abs_tol=1e-9)
            assert parameter.low <= float(value) <= parameter.high  # type: ignore[arg-type]


def test_whole_numbers_and_options_get_equal_parts() -> None:
    depth = Range("depth", 1, 4, whole=True)
    drawn = [depth.value(unit) for unit in np.linspace(0.001, 0.999, 4000)]
    assert [drawn.count(number) for number in (1, 2, 3, 4)] == pytest.approx([1000] * 4, abs=5)


def test_what_does_not_count_is_left_out() -> None:
    with_momentum = MIXED.point([0.5, 0.5, 0.5, 0.5, 0.1, 0.5])
    without = MIXED.point([0.5, 0.5, 0.5, 0.5, 0.9, 0.5])
    assert with_momentum["optimizer.momentum"] == pytest.approx(0.745)
    assert "optimizer.momentum" not in without
    again = Space(["a=x,y", "b=u,v if a=x", "c=0:1 if b=u"], free_names=True)
    assert list(again.point([0.9, 0.1, 0.5])) == ["a"], "what depends on what does not count does not count"


def test_many_points_at_once_are_as_one_by_one() -> None:
    units = random_points(MIXED, 200, seed=3)
    together, counted, snap = places(MIXED, units), counts(MIXED, units), snapped(MIXED, units)
    for row, unit in enumerate(units):
        point = MIXED.point(unit.tolist())
        assert together[row].tolist() == pytest.approx(MIXED.place(point))
        assert [parameter.path in point for parameter in MIXED] == counted[row].tolist()
        assert MIXED.point(snap[row].tolist()) == point or all(
            math.isclose(float(point[path]), float(MIXED.point(snap[row].tolist())[path]))  # type: ignore[arg-type]
            for path in ("optimizer.lr", "model.dropout")
        )


def test_a_point_becomes_a_recipe() -> None:
    point = MIXED.point([0.6, 0.2, 0.5, 0.5, 0.1, 0.5])
    recipe = MIXED.apply(Recipe(), point)
    assert recipe.optimizer.lr == pytest.approx(1e-3)
    assert recipe.optimizer.name == "sgd"
    assert recipe.model.widths == (point["model.width"],) * int(point["model.depth"])  # type: ignore[arg-type]
    shapes = Space({"widths": [[64], [128, 64]]})
    assert shapes.apply(Recipe(), shapes.point([0.9])).model.widths == (128, 64)


@pytest.mark.parametrize(
    ("given", "point", "widths"),
    [
        (["architecture=convolutional"], {"model.depth": 3}, (32, 64, 128)),
        (["architecture=residual"], {"model.width": 16}, (16, 32)),
        (["architecture=convolutional"], {"model.depth": 7, "model.width": 64}, (64, 128, 256, 512, 512, 512, 512)),
        (["architecture=convolutional"], {"model.depth": 2, "model.width": 1024}, (1024, 1024)),
        (["architecture=mlp"], {"model.depth": 3}, (128, 128, 128)),
        (["architecture=mlp", "widths=[50]"], {"model.depth": 2}, (50, 50)),
        ([], {"model.depth": 2, "model.width": 8, "model.architecture": "convolutional"}, (8, 16)),
        (["architecture=convolutional"], {"model.depth": 2, "model.width": 8, "model.architecture": "mlp"}, (8, 8)),
    ],
)
def test_a_shape_is_what_its_kind_of_network_calls_one(
    given: list[str], point: dict[str, Value], widths: tuple[int, ...]
) -> None:
    assert Space(["depth=1,2"]).apply(with_settings(Recipe(), given), point).model.widths == widths


def test_the_shape_of_images_is_searched_around_the_usual() -> None:
    prepared = prepare(Recipe(), "digits")
    filled = decide(Recipe(), prepared)[0]
    space = default_space(Recipe(), filled, structure=True)
    assert space is not None
    assert [space.by_path[path].text().partition("=")[2] for path in ("model.depth", "model.width")] == [
        "1,2,3", "16,32,64",
    ]  # fmt: skip
    chosen = with_architecture(Recipe(), filled, space)
    assert space.apply(chosen, {"model.depth": 2, "model.width": 32}).model.widths == filled.model.widths
    assert with_architecture(Recipe(), filled, Space(["lr=1e-3:1"])) == Recipe(), "no shape is searched"
    fixed = default_space(with_settings(Recipe(), ["model.widths=[8]"]), filled, structure=True)
    assert fixed is not None
    assert "model.depth" not in fixed.by_path
    pinned = default_space(with_settings(Recipe(), ["l2=1e-4"]), filled)
    assert pinned is not None
    assert "regularisation.l2" not in pinned.by_path, "what a user sets is not searched, whatever its value"


def test_points_spread_and_continue() -> None:
    for points in (random_points, sobol_points):
        assert np.array_equal(points(MIXED, 50, 1)[:20], points(MIXED, 20, 1))
        assert not np.array_equal(points(MIXED, 20, 1), points(MIXED, 20, 2))
    space = Space(["lr=1e-6:1e-1:log", "dropout=0:0.5"])
    boxes = {tuple(box) for box in np.floor(sobol_points(space, 64, 0) * 8).astype(int)}
    assert len(boxes) == 64, "one of 64 Sobol points in each of 64 boxes"
    grid = grid_points(space, 16)
    assert len({tuple(point) for point in grid}) == 16
    assert sorted(set(grid[:, 0])) == [0.125, 0.375, 0.625, 0.875]
    assert len(grid_points(MIXED, 100)) <= 100


def test_points_move_nobody_elses_random_numbers() -> None:
    import torch

    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    sobol_points(MIXED, 8, 0)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], ["nothing is to be searched", "--space lr=1e-6"]),
        (["lr"], ["'lr' says nothing to search", "NAME=LOW:HIGH"]),
        (["lr=1e-1:1e-6:log"], ["not a range", "swapped", "lr=1e-06:0.1"]),
        (["lr=0:1:log"], ["logarithmic", "infinitely many decades"]),
        (["lr=1:2:3:4"], ["not a range"]),
        (["lr=1:2:logarithmic"], ["unknown kind 'logarithmic'", "log-integer"]),
        (["lr=a:b"], ["not a number"]),
        (["depth=1.5:3:integer"], ["whole numbers", "depth=1:3"]),
        (["activation=relu"], ["two or more", "--settings"]),
        (["optimzer.lr=0:1"], ["no setting 'optimzer.lr'", "--space optimizer.lr"]),
        (["lr=0.1:0.2", "optimizer.lr=0.1:0.3"], ["twice"]),
        (["seconds=1:2"], ["cannot be searched"]),
        (["momentum=0:0.9 if optimizer.name=sgd"], ["is not searched", "optimizer.name=sgd"]),
        (["optimizer.name=adam,adamw", "momentum=0:0.9 if optimizer.name=sgd"], ["never happens", "adam, adamw"]),
        (["nesterov=true,false if momentum=0.9", "momentum=0.5:0.9"], ["never happens"]),
        (["momentum=0:0.9 if sgd"], ["not a condition"]),
        (["nowhere.toml"], ["cannot be read"]),
    ],
)
def test_what_is_no_space_is_refused(given: list[str], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        Space.parse(given)
    for word in words:
        assert word in str(error.value)


def test_ends_and_options_must_be_legal_in_the_recipe() -> None:
    with pytest.raises(InputError, match="less than 1"):
        Space(["dropout=0:1.5"]).checked_against(Recipe())
    with pytest.raises(InputError, match=r"[Ii]nput should be 'identity'"):
        Space(["activation=relu,swishy"]).checked_against(Recipe())
    with pytest.raises(InputError, match="shape of a network"):
        Space(["depth=0:3:integer"]).checked_against(Recipe())


def test_ranges_may_be_widened_as_far_as_values_stay_legal() -> None:
    space = Space(["lr=1e-4:1e-2:log", "dropout=0.1:0.9", "depth=2:3:integer"]).checked_against(Recipe())
    limits = {one.path: (one.lowest or 0.0, one.highest or 0.0) for one in space if isinstance(one, Range)}
    wanted = {"optimizer.lr": (1e-5, 1e-1), "model.dropout": (0.1 - 0.25 * 0.4, 0.9), "model.depth": (2, 3)}
    for path, (lowest, highest) in wanted.items():
        assert limits[path][0] == pytest.approx(lowest)
        assert limits[path][1] == pytest.approx(highest)
    assert all(parameter.unit_limits == (0.0, 1.0) for parameter in space.fixed())


def test_conditions_in_python() -> None:
    space = Space({"optimizer.name": ["sgd", "adamw"], "momentum": only_if(uniform(0.5, 0.9), "optimizer.name", "sgd")})
    assert "optimizer.momentum" in space.point([0.1, 0.5])
    assert "optimizer.momentum" not in space.point([0.9, 0.5])
    assert Space({"depth": integer(1, 3)}).point([0.99]) == {"model.depth": 3}


def test_a_trace_says_which_ends_cannot_be_passed() -> None:
    recipe, _ = decide(Recipe(), prepare(Recipe(), "iris"))
    space = Space({"lr": "1e-4:1e-2:log", "dropout": "0:0.5"}).checked_against(recipe)
    told = study_trace(space, [], [], [], score_name="accuracy", noise=math.nan).facts["unpassable"]
    assert told == "model.dropout lower"
    fixed = study_trace(space.fixed(), [], [], [], score_name="accuracy", noise=math.nan)
    assert "unpassable" not in fixed.facts, "nobody knows"
