"""The winners of a Study as one model: scored, asked and exported like a Run."""

from __future__ import annotations

import json
import pathlib

import pytest
import sklearn.datasets
import torch

import babysit
from babysit.cli._app import run
from babysit.data import prepare
from babysit.record import InputError, Study
from babysit.training import load, predict


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("ensemble") / "study"
    babysit.tune("wine", space={"lr": "1e-4:1e-1:log"}, trials=5, settings=["epochs=5"], repeats=1, out=path)
    return path


def test_it_answers_with_the_mean_of_probabilities(study: pathlib.Path) -> None:
    winners = [load(path) for path in sorted((study / "winners").iterdir())]
    assert len(winners) == 3
    rows = prepare(Study(study).recipe).inputs[torch.tensor([0, 70, 170])]
    expected = sum(model(rows).softmax(dim=1) for model in winners) / 3
    assert torch.allclose(load(study)(rows).softmax(dim=1), expected, atol=1e-6)
    assert not torch.allclose(winners[0](rows).softmax(dim=1), expected, atol=1e-4)


def test_each_parameter_counts_once(study: pathlib.Path) -> None:
    ensemble = load(study)
    winners = [load(path) for path in sorted((study / "winners").iterdir())]
    assert len([*ensemble.parameters()]) == sum(len([*model.parameters()]) for model in winners)
    state = ensemble.state_dict()
    assert len(state) == sum(len(model.state_dict()) for model in winners)
    assert all(name.startswith("models.") for name in state)
    places = [value.data_ptr() for name, value in state.items() if name.endswith("weight")]
    assert len(places) == len(set(places))


def test_numbers_are_averaged_in_the_targets_own_unit(tmp_path: pathlib.Path) -> None:
    babysit.tune("diabetes", space={"lr": "1e-3:1e-1:log"}, trials=4, settings=["epochs=3"], winners=2, repeats=1,
                 out=tmp_path / "study")  # fmt: skip
    winners = [load(path) for path in sorted((tmp_path / "study" / "winners").iterdir())]
    rows = prepare(Study(tmp_path / "study").recipe).inputs[torch.arange(5)]
    expected = (winners[0](rows) + winners[1](rows)) / 2
    assert torch.allclose(load(tmp_path / "study")(rows), expected)
    assert 50 < float(expected.detach().mean()) < 300


def test_a_study_is_scored_asked_and_exported_like_a_run(
    study: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", str(study), "--json"]) == 0
    scores = {one["name"]: one["value"] for one in json.loads(capsys.readouterr().out)["scores"]}
    result = Study(study).result
    assert result is not None
    assert scores["accuracy"] > 0.6
    table = sklearn.datasets.load_wine(as_frame=True).data
    assert predict(study, table).height == len(table)
    assert run(["export", str(study), str(tmp_path / "wine.pt2")]) == 0
    assert (tmp_path / "wine.pt2").exists()


def test_a_study_without_winners_has_no_model(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import sys; print('accuracy:', sys.argv[1])")
    babysit.tune(
        script, arguments=["{x}"], space={"x": "0:1"}, score="accuracy", trials=2, generations=0, out=tmp_path / "study"
    )
    with pytest.raises(InputError, match="has no models"):
        load(tmp_path / "study")
    with pytest.raises(InputError, match="has no models"):
        babysit.evaluate(tmp_path / "study")
