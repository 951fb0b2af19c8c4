"""Every verb on a real Run, as a user types it."""

import json
import os
import pathlib

import polars as pl
import pytest

import babysit
from babysit.cli import run
from babysit.record import parse_recipe


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("cli") / "iris"
    assert (
        run(["fit", "iris", "--seconds", "0", "--out", str(path), "--plain", "--json", "--set", "epochs=10", "lr=0.01"])
        == 0
    )
    return path


def flowers(path: pathlib.Path) -> pathlib.Path:
    from sklearn.datasets import load_iris

    data = load_iris()
    frame = pl.DataFrame(data.data, schema=list(data.feature_names))
    names = [str(data.target_names[code]) for code in data.target]
    frame.with_columns(pl.Series("target", names)).write_csv(path)
    return path


def test_fit_says_what_it_decided_and_how_well_it_does(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["fit", "iris", "--seconds", "0", "--set", "epochs=3"]) == 0
    out, err = capsys.readouterr()
    assert "training: 3 epochs" in err
    assert "training ended: all 3 epochs are done" in err
    for part in ("150 rows", "3 classes (setosa, versicolor, virginica)", "optimizer.lr", "accuracy", "95 % interval"):
        assert part in out, part
    assert out.rstrip().endswith("report: runs/iris-1/report.html")
    assert run(["fit", "iris", "--seconds", "0", "--set", "epochs=1"]) == 0
    assert (tmp_path / "runs" / "iris-2").is_dir()


def test_fit_as_json(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "wine", "--seconds", "0", "--out", str(tmp_path / "run"), "--json", "--set", "epochs=2"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == 1
    assert answer["status"] == "finished"
    assert {score["name"] for score in answer["evaluations"]["test"]["scores"]} >= {"accuracy", "AUC", "log loss"}
    assert pathlib.Path(answer["report"]).exists()
    assert {decision["setting"] for decision in answer["decisions"]} >= {"model.widths", "optimizer.lr"}


def test_a_recipe_file_is_used(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.toml"
    assert run(["recipe", "--set", "epochs=2", "activation=tanh", "--out", str(recipe)]) == 0
    assert run(["recipe", "--out", str(recipe)]) == 2
    capsys.readouterr()
    assert (
        run(["fit", "iris", "--seconds", "0", "--recipe", str(recipe), "--out", str(tmp_path / "run"), "--json"]) == 0
    )
    assert parse_recipe((tmp_path / "run" / "recipe.toml").read_text()).model.activation == "tanh"


def test_a_training_that_diverges_exits_with_1(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["epochs=3", "optimizer.name=sgd", "lr=1e25", "batch_norm=false", "clip_norm=unset"]
    assert run(["fit", "iris", "--seconds", "0", "--out", str(tmp_path / "run"), "--set", *settings]) == 1
    out, _ = capsys.readouterr()
    assert "the loss became" in out


def test_evaluate(iris: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(iris)]) == 0
    assert "accuracy" in capsys.readouterr().out
    table = flowers(tmp_path / "flowers.csv")
    assert run(["evaluate", str(iris), "--data", str(table), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows"] == 150
    assert answer["classes"] == ["setosa", "versicolor", "virginica"]


def test_predict(iris: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = flowers(tmp_path / "flowers.csv")
    assert run(["predict", str(iris), str(table), "--keep", "target"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == "row,target,prediction,confidence,probability_setosa,probability_versicolor,probability_virginica"
    )
    assert len(lines) == 151
    for name in ("answers.csv", "answers.parquet", "answers.json"):
        assert run(["predict", str(iris), str(table), "--out", str(tmp_path / name)]) == 0
        read = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".json": pl.read_json}[pathlib.Path(name).suffix]
        assert read(tmp_path / name).height == 150  # type: ignore[operator]
    assert run(["predict", str(iris), str(table), "--json"]) == 0
    capsys.readouterr()
    assert run(["predict", str(iris), str(table), "--out", str(tmp_path / "answers.xlsx")]) == 2
    assert ".parquet" in capsys.readouterr().err


def test_report_and_export(iris: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert run(["report", str(iris), "--out", str(page)]) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert run(["report", str(iris), "--json"]) == 0
    capsys.readouterr()
    assert run(["export", str(iris), str(tmp_path / "model.pt2"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"].endswith("model.pt2")


@pytest.mark.usefixtures("healed_at_once")
def test_demo(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fit = babysit.fit
    quick = ["epochs=1", "widths=[4]"]
    monkeypatch.setattr(babysit, "fit", lambda data, **named: fit(data, **{**named, "settings": quick}))
    assert run(["demo", "--seconds", "0", "--out", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "report:" in out
    assert (tmp_path / "run-sick" / "train_healed.py").is_file()
    for command in ("check", "diff", "fit", "predict", "explain", "--help"):
        assert command in out.partition("what to type next")[2]
    assert run(["demo", "--seconds", "0", "--out", str(tmp_path / "run")]) == 2
    assert "run-sick exists already" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_demo(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sick script is found, healed and written; the copy is what the remedy says; the other training is well."""
    monkeypatch.chdir(tmp_path)
    assert run(["demo", "--plain"]) == 0
    out = capsys.readouterr().out
    assert "softmax-over-one-unit" in out
    assert "sigmoid-output" in out
    assert "nn.Softmax" in (tmp_path / "runs/demo-1/train.py").read_text()
    assert "nn.Softmax" not in (tmp_path / "runs/demo-1/train_healed.py").read_text()
    assert (tmp_path / "runs/digits-1/report.html").is_file()


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("empty.csv", "", "empty"),
        ("header.csv", "a,b,c\n", ""),
        ("one.csv", "a\n1\n2\n", ""),
        ("same.csv", "a,b\n" + "1,x\n" * 20, "every row"),
        ("ragged.csv", "a,b,c\n1,2,x\n3,4,y,5\n" + "1,2,x\n" * 20, ""),
        ("text.npy", "not an array", ""),
        ("cut.parquet", "PAR1", ""),
    ],
)
def test_bad_files_give_one_error_and_nothing_half_written(
    name: str, content: str, part: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content)
    assert run(["fit", str(tmp_path / name), "--seconds", "0", "--out", str(tmp_path / "run")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert part in err
    assert name in err
    assert os.listdir(tmp_path) == [name]
