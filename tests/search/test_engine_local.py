"""The engine of this process: scores, states, predictions, and what it refuses."""

import dataclasses
import math

import numpy as np
import pytest
import safetensors.torch
import torch

from babysit.data import Prepared, k_folds
from babysit.record import Engine, InputError, Recipe, Trial, never_stop, with_settings
from babysit.search import LocalEngine
from babysit.training import assemble, decide
from tests.training.cohort_cases import data, trial

RATES = ("1e-9", "0.01", "0.1", "1e30")


def trials(kind: str = "table", *settings: str) -> list[Trial]:
    return [trial(kind, number, f"lr={rate}", "epochs=10", *settings) for number, rate in enumerate(RATES)]


def test_it_is_an_engine() -> None:
    engine: Engine = LocalEngine(data("table"))
    engine.close()


def test_scores_say_how_each_trial_stands() -> None:
    engine = LocalEngine(data("table"))
    scores = engine.train(trials(), 20)
    assert [scores[number].step for number in range(4)] == [20, 20, 20, scores[3].step]
    assert scores[3].step < 20
    assert [scores[number].status for number in (0, 2)] == ["chance", "alive"]
    assert scores[3].status in ("diverged", "exploded")
    assert math.isnan(scores[3].loss)
    assert scores[3].failed
    assert scores[2].loss < scores[1].loss < scores[0].loss
    assert scores[2].train_loss < scores[2].first_loss
    assert {score.score_name for score in scores.values()} == {"accuracy"}
    assert all(score.seconds > 0 for score in scores.values())
    # Asked again for what it has: nothing is computed, nothing changes.
    assert repr(engine.train(trials(), 20)) == repr(scores)
    later = engine.train(trials()[:3], 10_000)
    assert {score.step for score in later.values()} == {40}  # its own budget: ten epochs of four batches


def test_a_state_goes_on_in_another_engine_bit_for_bit() -> None:
    prepared, chosen = data("table"), trials("table", "dropout=0.2", "batch_norm=true", "optimizer.name=adam")
    whole, first, second = LocalEngine(prepared), LocalEngine(prepared), LocalEngine(prepared)
    whole.train(chosen, 7)
    expected = whole.train(chosen[:3], 31)
    first.train(chosen, 7)
    second.restore(first.state([0, 1]))
    second.restore(first.state([2, 3]))
    found = second.train(chosen[:3], 31)
    assert {n: (s.loss, s.score, s.train_loss, s.step) for n, s in found.items()} == {
        n: (s.loss, s.score, s.train_loss, s.step) for n, s in expected.items()
    }
    for number in range(3):
        assert second.weights(number) == whole.weights(number)


def test_answers_are_those_of_the_whole_model() -> None:
    for kind, settings in (("table", ()), ("two", ("loss.name=bce-with-logits",)), ("number", ("loss.name=mse",))):
        prepared = data(kind)
        engine = LocalEngine(prepared)
        chosen = trial(kind, 5, "lr=0.05", *settings)
        engine.train([chosen], 12)
        model, _ = assemble(chosen.recipe, prepared)
        model.load_state_dict(safetensors.torch.load(engine.weights(5)))
        rows = torch.from_numpy(prepared.split["test"])
        with torch.no_grad():
            expected = model.eval()(prepared.inputs[rows]).numpy()
        given = engine.predict([5], "test")[5]
        assert given.dtype == np.float32
        np.testing.assert_allclose(given, expected, rtol=1e-6)


def test_a_score_is_that_of_the_predictions() -> None:
    prepared = data("table")
    engine = LocalEngine(prepared)
    score = engine.train(trials()[2:3], 20)[2]
    answers = engine.predict([2], "validation")[2]
    targets = prepared.targets[torch.from_numpy(prepared.split["validation"])]
    assert score.score == pytest.approx(float((answers.argmax(axis=1) == targets.numpy()).mean()))
    assert score.loss == pytest.approx(
        float(torch.nn.functional.cross_entropy(torch.from_numpy(answers), targets)), rel=1e-5
    )


def test_dropped_trials_are_forgotten_and_survivors_keep_their_numbers() -> None:
    engine = LocalEngine(data("table"))
    engine.train(trials(), 10)
    before = engine.weights(2)
    engine.drop([0, 1, 77])
    assert engine.weights(2) == before
    for number in (0, 3):
        with pytest.raises(InputError, match=f"trial {number} "):
            engine.predict([number], "test")
    again = engine.train(trials()[:1], 10)
    assert again[0].step == 10


def test_folds_are_validated_on_what_they_hold_out() -> None:
    prepared = data("number")
    folds = k_folds(prepared.targets, 3, seed=0)
    engine = LocalEngine(prepared, folds=folds)
    scores = engine.train([trial("number", fold, "lr=0.05", fold=fold) for fold in range(3)], 30)
    answers = engine.predict(range(3), "validation")
    for fold, (_, held_out) in enumerate(folds):
        wanted = prepared.targets[torch.from_numpy(held_out)].double().numpy()
        errors = ((answers[fold] - wanted) ** 2).sum() / ((wanted - wanted.mean()) ** 2).sum()
        assert scores[fold].score == pytest.approx(1 - errors, rel=1e-4)
        assert scores[fold].score_name == "r2"


def without_validation() -> Prepared:
    prepared = data("table")
    return dataclasses.replace(prepared, split={**prepared.split, "validation": np.empty(0, dtype=np.int64)})


def test_what_cannot_be_trained_is_refused_with_what_to_write() -> None:
    chosen = trials()
    engine = LocalEngine(data("table"))
    with pytest.raises(InputError, match="two trials have the number 1"):
        engine.train([chosen[1], chosen[1]], 5)
    with pytest.raises(InputError, match="no fold 0"):
        engine.train([trial("table", 9, fold=0)], 5)
    engine.train(chosen[:1], 5)
    with pytest.raises(InputError, match="another recipe"):
        engine.train([trial("table", 0, "lr=0.3")], 5)
    with pytest.raises(InputError, match="validation"):
        LocalEngine(without_validation()).train(chosen[:1], 5)
    with pytest.raises(InputError, match="that PyTorch can use"):
        LocalEngine(data("table"), device="mps" if torch.cuda.is_available() else "cuda")


def test_layouts_are_measured_once_said_and_kept() -> None:
    engine = LocalEngine(data("table"))
    many = [trial("table", number, "epochs=40", f"lr=0.0{number + 1}") for number in range(8)]
    engine.train(many, 100)
    (decision,) = engine.decisions()
    assert decision.setting == "layout"
    assert "microseconds for a step of one member" in decision.why
    other = LocalEngine(data("table"))
    other.restore(engine.state())
    assert other.decisions() == engine.decisions()


def test_stopping_at_once_trains_nothing_and_scores_nothing() -> None:
    engine = LocalEngine(data("table"))
    assert engine.train(trials(), 20, stop=lambda: True) == {}
    assert set(engine.train(trials(), 20, stop=never_stop)) == {0, 1, 2, 3}


def test_a_recipe_decided_from_data_trains() -> None:
    recipe, _ = decide(with_settings(Recipe(), ["epochs=2"]), data("images"))
    scores = LocalEngine(data("images")).train([Trial(0, recipe)], 4)
    assert scores[0].step == 4


def test_each_trial_may_be_brought_to_a_step_of_its_own() -> None:
    prepared, chosen = data("table"), trials()[:3]
    together, apart = LocalEngine(prepared, layout="stacked"), LocalEngine(prepared, layout="stacked")
    found = together.train(chosen, {0: 8, 1: 20, 2: 8})
    assert {number: score.step for number, score in found.items()} == {0: 8, 1: 20, 2: 8}
    expected = apart.train([chosen[0], chosen[2]], 8) | apart.train([chosen[1]], 20)
    assert [repr(dataclasses.replace(found[number], seconds=0.0)) for number in range(3)] == [
        repr(dataclasses.replace(expected[number], seconds=0.0)) for number in range(3)
    ]
    for number in (1, 2):
        assert together.weights(number) == apart.weights(number)
    # From unlike steps to one.
    assert {score.step for score in together.train(chosen, 30).values()} == {30}
    with pytest.raises(InputError, match="no step for trial 1"):
        together.train(chosen, {0: 40, 2: 40})
    before = together.score_of(0)
    assert before is not None
    assert before.step == 30
