"""fit, end to end on real bundled data."""

import pathlib

import numpy as np
import pytest
import torch

import babysit
from babysit.api import Fitted
from babysit.record import DataError, EpochEnded, ProgressEvent, RecipeError, Run, RunFolderError

QUICK = ["epochs=3", "widths=[16]", "architecture=mlp"]


class Interrupting:
    """Asks for an end, as Ctrl-C does, when an epoch has ended."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, event: ProgressEvent, /) -> None:
        if isinstance(event, EpochEnded) and event.epoch == self.epoch:
            import signal

            signal.raise_signal(signal.SIGINT)


def test_a_run_holds_everything_and_the_model_answers(tmp_path: pathlib.Path) -> None:
    fitted = babysit.fit("iris", settings=["epochs=30"], out=tmp_path / "run", seconds=0)
    run = Run(tmp_path / "run")
    assert run.info.status == "finished"
    assert {path.name for path in run.path.iterdir()} >= {
        "recipe.toml", "summary.json", "model.json", "split.npz", "weights.safetensors", "trace.sqlite", "run.json",
        "evaluation-test.json", "evaluation-validation.json", "report.html",
    }  # fmt: skip
    assert fitted.evaluations["test"].score("accuracy").value > 0.8
    trace = run.trace()
    assert len(trace.series("loss").values) == fitted.outcome.position.step
    assert len(trace.series("accuracy", phase="validation").values) == fitted.outcome.position.epoch
    model = babysit.load(run.path)
    raw = torch.tensor([[5.1, 3.5, 1.4, 0.2]])
    assert torch.equal(model(raw), fitted.model(raw))
    assert model.task.classes[int(model(raw).argmax())] == "setosa"


def test_every_decision_is_filled_in_and_said(tmp_path: pathlib.Path) -> None:
    run = babysit.fit("iris", settings=["epochs=1"], out=tmp_path / "run", seconds=0).run
    said = {decision.setting for decision in run.summary.decisions}
    assert {"loss.name", "model.architecture", "model.widths", "optimizer.lr", "budget.batch_size"} <= said
    recipe = run.recipe
    assert recipe.loss.name == "cross-entropy"
    assert recipe.optimizer.lr is not None
    assert recipe.model.widths
    assert all(decision.why for decision in run.summary.decisions)


def test_the_same_recipe_seed_and_machine_give_the_same_numbers(tmp_path: pathlib.Path) -> None:
    weights = [
        (
            babysit.fit("digits", settings=QUICK, out=tmp_path / name, seconds=0).run.path / "weights.safetensors"
        ).read_bytes()
        for name in ("a", "b")
    ]
    other = (
        babysit.fit("digits", settings=[*QUICK, "seed=1"], out=tmp_path / "c", seconds=0).run.path
        / "weights.safetensors"
    )
    assert weights[0] == weights[1]
    assert weights[0] != other.read_bytes()


def test_the_callers_random_numbers_are_left_alone(tmp_path: pathlib.Path) -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002, the global stream is what is tested
    expected = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    babysit.fit("iris", settings=["epochs=1", "dropout=0.5"], out=tmp_path / "run", seconds=0)
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])  # noqa: NPY002


def test_interrupted_and_resumed_it_ends_as_if_it_had_never_stopped(tmp_path: pathlib.Path) -> None:
    settings = [*QUICK, "dropout=0.3", "epochs=6"]
    whole = babysit.fit("digits", settings=settings, out=tmp_path / "whole", seconds=0)
    first = babysit.fit("digits", settings=settings, out=tmp_path / "parts", progress=Interrupting(2), seconds=0)
    assert not first.outcome.finished
    assert first.evaluations == {}
    assert first.run.info.status == "interrupted"
    second = babysit.resume(tmp_path / "parts")
    assert isinstance(second, Fitted)
    assert second.outcome.finished
    for file in ("weights.safetensors", "evaluation-test.json"):
        assert (whole.run.path / file).read_bytes() == (second.run.path / file).read_bytes()
    assert whole.run.trace().series("loss") == second.run.trace().series("loss")


def test_a_finished_run_that_is_resumed_stays_as_it_is(tmp_path: pathlib.Path) -> None:
    first = babysit.fit("iris", settings=["epochs=2"], out=tmp_path / "run", seconds=0)
    before = (first.run.path / "weights.safetensors").read_bytes()
    again = babysit.resume(first.run)
    assert again.outcome.finished
    assert (first.run.path / "weights.safetensors").read_bytes() == before
    assert again.run.trace().series("loss") == first.run.trace().series("loss")


def test_resuming_on_other_data_is_refused(tmp_path: pathlib.Path) -> None:
    table = tmp_path / "table.csv"
    generator = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in generator.normal(size=(60, 2))]
    table.write_text("\n".join(["a,b,answer", *lines]))
    babysit.fit(table, settings=["epochs=2"], out=tmp_path / "run", progress=Interrupting(1), seconds=0)
    table.write_text("\n".join(["a,b,answer", *reversed(lines)]))
    with pytest.raises(RunFolderError, match="has changed"):
        babysit.resume(tmp_path / "run")


@pytest.mark.parametrize("target", ["classes", "numbers"])
def test_arrays_in_python(tmp_path: pathlib.Path, target: str) -> None:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(200, 3)).astype(np.float32)
    sums = inputs.sum(axis=1)
    targets = (sums > 0).astype(np.int64) if target == "classes" else 1000 + 50 * sums
    fitted = babysit.fit((inputs, targets), settings=["epochs=60"], out=tmp_path / "run", seconds=0)
    score = "accuracy" if target == "classes" else "R2"
    assert fitted.evaluations["test"].score(score).value > 0.8


def test_a_training_that_diverges_says_so_and_is_kept(tmp_path: pathlib.Path) -> None:
    settings = [*QUICK, "optimizer.name=sgd", "lr=1e25", "momentum=0", "loss.name=cross-entropy"]
    fitted = babysit.fit("digits", settings=settings, out=tmp_path / "run", seconds=0)
    assert fitted.outcome.diverged
    assert fitted.outcome.finished
    assert "the loss became" in fitted.outcome.reason
    assert [event.kind for event in fitted.run.trace().events] == ["not-finite"]
    assert fitted.page is not None


def test_refusals_come_before_hours_are_spent(tmp_path: pathlib.Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("")
    with pytest.raises(RunFolderError, match="exists already"):
        babysit.fit("iris", out=tmp_path / "taken", seconds=0)
    with pytest.raises(RecipeError, match="no data was given"):
        babysit.fit()
    with pytest.raises(DataError):
        babysit.fit(tmp_path / "none.csv", out=tmp_path / "run", seconds=0)
    with pytest.raises(RecipeError, match="needs images"):
        babysit.fit("iris", settings=["architecture=residual"], out=tmp_path / "run", seconds=0)
    with pytest.raises(RecipeError, match="does not fit"):
        babysit.fit("iris", settings=["loss.name=mse"], out=tmp_path / "run", seconds=0)
    with pytest.raises(RecipeError, match="two classes"):
        babysit.fit("iris", settings=["loss.name=bce-with-logits"], out=tmp_path / "run", seconds=0)
    assert not (tmp_path / "run").exists()
