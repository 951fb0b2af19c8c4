"""The best points trained in full, some of which fail there though they did not in the search."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from babysit.record import Recipe, Study, StudyRung, Trial, TrialScore, Until
from babysit.reports._study_figures import verdict
from babysit.search import Members, Plan, Searching, Space, coarse_to_fine, conclude, recipe_builder, train_in_full
from babysit.search._search import MOST_ROUNDS, best_points
from tests.search.engines import FormulaEngine

SPACE = Space({"optimizer.lr": "1e-6:1e2:log"})
PLAN = Plan(full=270, budget=2700.0, lowest=10)


class FailsLater(FormulaEngine):
    """Trials of the search last; of those in full some explode, and which is said by place and seed."""

    def __init__(self, fails: Callable[[int, int], bool]) -> None:
        super().__init__()
        self.fails = fails
        self.settings: list[float] = []  # of what was trained in full, in that order

    def train(self, trials: Sequence[Trial], until_step: Until, **options: Any) -> dict[int, TrialScore]:
        scores = super().train(trials, until_step, **options)
        for trial in trials:
            if not trial.recipe.seed:
                continue
            rate = float(trial.settings["optimizer.lr"])
            if rate not in self.settings:
                self.settings.append(rate)
            if self.fails(self.settings.index(rate), trial.recipe.seed):
                nothing = math.nan
                scores[trial.number] = dataclasses.replace(
                    scores[trial.number], step=7, loss=nothing, score=nothing, status="exploded"
                )
        return scores


def searched(engine: FailsLater, folder: Study | None = None) -> Searching:
    build = recipe_builder(SPACE, Recipe(seed=0), lambda recipe: recipe)
    searching = Searching(Members(SPACE, build), engine, folder=folder)
    searching.search(coarse_to_fine(SPACE, PLAN))
    return searching


def test_where_all_fail_the_next_best_are_trained() -> None:
    engine = FailsLater(lambda place, seed: place < 3)
    searching = searched(engine)
    ordered = best_points(searching.standings())
    in_full = train_in_full(searching, 2, 1, PLAN.full)
    assert [*in_full] == ordered[:4], "two of which both failed, then two of which one did not"
    result = conclude(searching, SPACE, engine, in_full, None, seed=0)
    assert [winner.point for winner in result.winners] == [ordered[3]]
    assert len({trial.number for trial in searching.trials.values()}) == len(searching.trials)
    assert [trial for trial in searching.trials.values() if trial.repeat][-1].number == max(searching.trials)


def test_where_one_lasts_no_more_are_trained() -> None:
    engine = FailsLater(lambda place, seed: place == 0)
    assert len(train_in_full(searched(engine), 2, 2, PLAN.full)) == 2
    steady = FailsLater(lambda place, seed: False)
    assert len(train_in_full(searched(steady), 1, 1, PLAN.full)) == 1


def test_it_ends_where_the_whole_space_fails() -> None:
    engine = FailsLater(lambda place, seed: True)
    searching = searched(engine)
    in_full = train_in_full(searching, 1, 1, PLAN.full)
    assert len(in_full) == MOST_ROUNDS
    result = conclude(searching, SPACE, engine, in_full, None, seed=0)
    assert not result.winners
    assert verdict(result) == "trained in full, none of the best points survived"


def test_one_that_fails_now_and_then_comes_last() -> None:
    engine = FailsLater(lambda place, seed: place == 0 and seed == 3)
    searching = searched(engine)
    result = conclude(searching, SPACE, engine, train_in_full(searching, 2, 3, PLAN.full), None, seed=0)
    steady, unsteady = result.winners
    assert (steady.failed, unsteady.failed) == (0, 1)
    assert (len(steady.scores), len(unsteady.scores)) == (3, 2)
    assert unsteady.mean > steady.mean, "else the order shows nothing"
    assert verdict(result).endswith("over 3 trainings"), "to one that fails now and then nobody is compared"


def test_one_that_fails_says_so_where_it_is_the_best() -> None:
    engine = FailsLater(lambda place, seed: seed == 2)
    searching = searched(engine)
    result = conclude(searching, SPACE, engine, train_in_full(searching, 1, 3, PLAN.full), None, seed=0)
    assert len(result.winners) == MOST_ROUNDS, "a steadier one was looked for"
    assert "1 of its 3 trainings failed" in verdict(result)


def test_a_search_out_of_time_still_answers() -> None:
    """The first round took longer than all was to take: no other is begun, and the best is trained in full."""
    build = recipe_builder(SPACE, Recipe(seed=0), lambda recipe: recipe)
    whole, cut = FailsLater(lambda place, seed: False), FailsLater(lambda place, seed: False)
    for engine, seconds in ((whole, 1e6), (cut, 1e-9)):
        searching = Searching(Members(SPACE, build), engine, seconds=seconds)
        searching.search(coarse_to_fine(SPACE, PLAN))
        assert searching.out_of_time == (engine is cut)
        assert len(train_in_full(searching, 1, 1, PLAN.full)) == 1
    assert len(cut.calls) == 2
    assert len(whole.calls) > 10


@pytest.mark.parametrize(("spent", "over"), [(10.9, False), (11.1, True)])
def test_a_tenth_more_than_was_asked_for_is_out_of_time(spent: float, over: bool) -> None:
    build = recipe_builder(SPACE, Recipe(seed=0), lambda recipe: recipe)
    searching = Searching(Members(SPACE, build), FailsLater(lambda place, seed: False), seconds=10.0)
    searching.rungs = [StudyRung(n, "coarse", 0, 10, (n,), (), (), spent / 2) for n in range(2)]
    assert searching.out_of_time == over


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_a_search_taken_up_amid_them_ends_the_same(rounds: int, tmp_path: pathlib.Path) -> None:
    """The Study holds the search and the first of what was trained in full; the rest is trained after."""

    def fails(place: int, seed: int) -> bool:
        return place < 3

    whole = searched(FailsLater(fails))
    expected = train_in_full(whole, 1, 2, PLAN.full)
    info = {"kind": "script", "subject": "", "space": (), "given": (), "plan": {}, "options": {}, "fingerprint": ""}
    folder = Study.create(tmp_path / "study", info, None)
    with folder.writing():
        begun = searched(FailsLater(fails), folder)
        for place in range(rounds):
            begun.in_full(best_points(begun.standings())[place : place + 1], 2, PLAN.full)
        again = FailsLater(fails)
        again.settings = [float(trial.settings["optimizer.lr"]) for trial in whole.trials.values() if trial.repeat][::2]
        taken_up = searched(again, Study(folder.path))
        found = train_in_full(taken_up, 1, 2, PLAN.full)
    assert repr(found) == repr(expected)
    assert [*taken_up.trials] == [*whole.trials]
