"""What is done with a Run: load, evaluate, predict, export, on tables with all kinds of columns and on images."""

import importlib.util
import pathlib

import numpy as np
import polars as pl
import pytest
import torch

import babysit
from babysit.record import DataError, InputError, Run, RunFolderError
from babysit.training import evaluate, example_rows, export, load, predict

ROWS = 240


def houses(path: pathlib.Path, rows: int = ROWS, seed: int = 0) -> pathlib.Path:
    """Houses with a text column, a truth value, a date, missing numbers, and a price that follows from them."""
    generator = np.random.default_rng(seed)
    area = generator.uniform(40, 200, rows)
    town = generator.choice(["Delft", "Gouda", "Leiden"], rows)
    garden = generator.random(rows) < 0.5
    built = [f"{1950 + int(years)}-06-01" for years in generator.integers(0, 70, rows)]
    price = 3000 * area + 40_000 * (town == "Leiden") + 20_000 * garden
    frame = pl.DataFrame({"area": area, "town": town, "garden": garden, "built": built, "price": price})
    missing = pl.Series(generator.random(rows) < 0.1)
    frame = frame.with_columns(pl.when(missing).then(None).otherwise(pl.col("area")).alias("area"))
    frame.write_csv(path)
    return path


@pytest.fixture(scope="module")
def house_run(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("houses")
    babysit.fit(houses(folder / "houses.csv"), "price", settings=["epochs=30"], out=folder / "run", seconds=0)
    return folder / "run"


@pytest.fixture(scope="module")
def digit_run(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("digits")
    babysit.fit("digits", settings=["epochs=2", "widths=[8]"], out=folder / "run", seconds=0)
    return folder / "run"


def test_the_kept_test_scores_are_reproduced(house_run: pathlib.Path, digit_run: pathlib.Path) -> None:
    for run in (house_run, digit_run):
        kept = Run(run).evaluations["test"]
        again = evaluate(run)
        assert [score.name for score in again.scores] == [score.name for score in kept.scores]
        for score in kept.scores:
            assert again.score(score.name).value == pytest.approx(score.value, rel=1e-4)


def test_a_table_is_scored_and_predicted(house_run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    newer = houses(tmp_path / "newer.csv", seed=1)
    evaluation = evaluate(house_run, newer)
    assert evaluation.phase == "newer.csv"
    assert evaluation.score("R2").value > 0.5
    unsold = pl.read_csv(newer).drop("price")
    found = predict(house_run, unsold, keep=["town"])
    assert found.columns == ["row", "town", "prediction"]
    assert found.height == ROWS
    error = (found["prediction"] - pl.read_csv(newer)["price"]).abs().mean()
    assert error == pytest.approx(evaluation.score("MAE").value, rel=1e-4)


def test_the_module_takes_what_the_columns_encode(house_run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    model = load(house_run)
    assert model.columns is not None
    frame = pl.read_csv(houses(tmp_path / "new.csv", rows=5, seed=2))
    values = model(model.columns.encode(frame)).detach()
    assert values.shape == (5,)
    assert float(values.mean()) > 50_000, "answers come in the target's own unit"
    assert values.tolist() == pytest.approx(predict(house_run, frame)["prediction"].to_list(), rel=1e-5)


def test_a_model_answers_for_rows_as_they_come(house_run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    model = load(house_run)
    frame = pl.read_csv(houses(tmp_path / "new.csv", rows=5, seed=2)).drop("price")
    wanted = predict(house_run, frame)["prediction"].to_list()
    for rows in (frame, frame.to_dict(as_series=False), frame.to_dicts(), tmp_path / "new.csv"):
        assert model.predict(rows)["prediction"].to_list() == pytest.approx(wanted, rel=1e-5)
    assert model.predict(frame.row(0, named=True))["prediction"][0] == pytest.approx(wanted[0], rel=1e-5)


def test_surplus_columns_are_ignored_and_blank_rows_keep_their_places(
    house_run: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    frame = pl.read_csv(houses(tmp_path / "new.csv", rows=5, seed=2)).with_columns(street=pl.lit("High Street"))
    said: list[str] = []
    found = predict(house_run, frame, keep=["street"], tell=said.append)
    assert found["street"].to_list() == ["High Street"] * 5
    assert said == ["1 column that the training data did not have, ignored: 'street'"]
    lines = frame.drop("street").write_csv().splitlines()
    (tmp_path / "blank.csv").write_text("\n".join([*lines[:3], ",,,,", *lines[3:]]))
    answers = predict(house_run, str(tmp_path / "blank.csv"))["prediction"]
    assert len(answers) == 6
    assert answers[3] == pytest.approx(found["prediction"][2], rel=1e-5)


def test_unknown_and_missing_levels_are_answered(house_run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    frame = pl.read_csv(houses(tmp_path / "new.csv", rows=4, seed=3))
    strange = frame.with_columns(pl.Series("town", ["Paris", None, "Delft", "Delft"]))
    answers = predict(house_run, strange)["prediction"]
    assert answers.is_finite().all()
    alone = predict(house_run, frame[2:3].with_columns(town=pl.lit("Delft")))["prediction"]
    assert answers[2] == pytest.approx(alone[0], rel=1e-4)


def test_other_columns_are_refused_by_name(house_run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    frame = pl.read_csv(houses(tmp_path / "new.csv", rows=4)).rename({"area": "areas"})
    with pytest.raises(DataError, match="'area'") as caught:
        predict(house_run, frame)
    assert "'areas' for 'area'" in str(caught.value)
    with pytest.raises(DataError, match="no column 'price' to score"):
        evaluate(house_run, frame.rename({"areas": "area"}).drop("price"))
    with pytest.raises(DataError, match="no column 'street' to keep"):
        predict(house_run, frame.rename({"areas": "area"}), keep=["street"])


def test_images_in_a_folder_are_predicted_by_name(digit_run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    from PIL import Image
    from sklearn.datasets import load_digits

    images = load_digits().images.astype(np.uint8)[:6]
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    found = predict(digit_run, tmp_path)
    assert found["file"].to_list() == [f"{number}.png" for number in range(6)]
    assert {f"probability_{digit}" for digit in range(10)} < set(found.columns)
    sums = found.select(pl.sum_horizontal(pl.col("^probability_.*$"))).to_series()
    assert sums.to_list() == pytest.approx([1.0] * 6)
    alike = predict(digit_run, images)
    assert alike["prediction"].to_list() == found["prediction"].to_list()
    with pytest.raises(DataError, match="shape"):
        predict(digit_run, np.zeros((2, 9, 9), np.uint8))


def test_bytes_floats_and_doubles_give_the_same_answers(digit_run: pathlib.Path) -> None:
    model = load(digit_run)
    raw = example_rows(model).remainder(17)
    for dtype in (torch.float32, torch.float64, torch.int64):
        torch.testing.assert_close(model(raw.to(dtype)), model(raw), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
@pytest.mark.parametrize("kind", ["houses", "digits"])
def test_an_exported_model_answers_the_same_on_real_rows(
    suffix: str, kind: str, house_run: pathlib.Path, digit_run: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    if suffix == ".onnx" and importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed")
    run = house_run if kind == "houses" else digit_run
    model = load(run)
    prepared = babysit.prepare(Run(run).recipe)
    raw = prepared.inputs[torch.from_numpy(prepared.split["test"])]
    path = export(run, tmp_path / f"model{suffix}")
    expected = model(raw).detach()
    if suffix == ".pt2":
        answers = torch.export.load(path).module()(raw)
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        answers = torch.from_numpy(session.run(["answer"], {"raw": raw.numpy()})[0])
    torch.testing.assert_close(answers, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


def test_what_cannot_be_exported_or_scored_is_said(digit_run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"ends in '\.pkl'"):
        export(digit_run, tmp_path / "model.pkl")
    with pytest.raises(RunFolderError, match="no Run folder"):
        predict(tmp_path / "none", "digits")


def test_a_phase_without_rows_is_refused(tmp_path: pathlib.Path) -> None:
    babysit.fit("iris", settings=["epochs=1", "validation=0"], out=tmp_path / "run", seconds=0)
    with pytest.raises(DataError, match="no rows of phase 'validation'"):
        evaluate(tmp_path / "run", phase="validation")
