"""Optuna's samplers by ask and tell, and a finished search in Optuna's storage."""

import math
import pathlib
from collections.abc import Mapping

import pytest

import babysit
from babysit.record import InputError, Study, TrialScore
from babysit.search import Plan, Sampler, Space, export_to_optuna, optuna_search
from tests.search.test_coarse_to_fine import FULL, score

optuna = pytest.importorskip("optuna")
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
SPACE = Space(
    ["lr=1e-6:1:log", "depth=1:4:integer", "optimizer.name=sgd,adamw", "momentum=0:0.9 if optimizer.name=sgd"]
)


def hill(point: Mapping[str, object], share: float) -> float:
    rate = float(point["optimizer.lr"])  # type: ignore[arg-type]
    return math.nan if rate > 0.3 else math.exp(-((math.log10(rate) + 3) ** 2) / 2) * (1 - 0.5 * math.exp(-6 * share))


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "qmc"])
def test_a_sampler_searches_within_the_budget(sampler: Sampler) -> None:
    space = SPACE if sampler != "cmaes" else Space(["lr=1e-6:1:log", "dropout=0:0.5"])
    plan = Plan(FULL, 8 * FULL, lowest=10, seed=1)
    search = optuna_search(space, plan, sampler)
    courses: dict[int, list[TrialScore]] = {}
    asked = next(search)
    while True:
        (rung,) = asked.rungs
        assert all(("optimizer.momentum" in p) == (p.get("optimizer.name") == "sgd") for p in rung.points.values())
        scores = {number: score(number, rung.step, hill(p, rung.step / FULL)) for number, p in rung.points.items()}
        for number, one in scores.items():
            courses.setdefault(number, []).append(one)
        try:
            asked = search.send(scores)
        except StopIteration:
            break
    assert sum(course[-1].step for course in courses.values()) <= plan.budget
    assert max(one.score for course in courses.values() for one in course if not one.failed) > 0.5


def test_a_search_by_tpe_is_kept_resumed_and_exported(tmp_path: pathlib.Path) -> None:
    tuned = babysit.tune(
        "iris", space=["lr=1e-4:1e-1:log", "activation=relu,tanh"], trials=4, sampler="tpe", winners=1, repeats=1,
        settings=["epochs=4"], out=tmp_path / "study",
    )  # fmt: skip
    again = babysit.resume(Study(tmp_path / "study"))
    assert tuned.result is not None
    assert again.result is not None
    assert again.result.winners == tuned.result.winners
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    study = Study(tmp_path / "study")
    assert export_to_optuna(study, storage) == len(study.standings())
    loaded = optuna.load_study(study_name="study", storage=storage)
    assert len(loaded.trials) == len(study.standings())
    best = study.standings()[0]
    assert loaded.best_value == pytest.approx(best.score)
    assert loaded.best_params["optimizer.lr"] == pytest.approx(best.settings["optimizer.lr"])
    with pytest.raises(InputError, match="already"):
        export_to_optuna(study, storage)
    with pytest.raises(InputError, match="cannot use the storage"):
        export_to_optuna(study, "nonsense://x")


def test_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(InputError, match="own, tpe, gp, cmaes, qmc"):
        babysit.tune("iris", trials=3, sampler="best")
