"""The search as a pure function over scores: budgets, rungs, boxes, and whether it finds what there is to find."""

import itertools
import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch

from babysit.record import InputError, TrialScore
from babysit.search import (
    Box,
    Plan,
    Round,
    Rung,
    Space,
    Speed,
    coarse_to_fine,
    ladder,
    predicted_seconds,
    random_points,
)
from babysit.search._gaussian_process import RATE, ROUNDS, GaussianProcess
from babysit.search._plan import SMALLEST_WAVE, Bracket, brackets, waves
from babysit.search._points import counts
from babysit.search._rungs import affordable, cost, going_on, left_after, ranked

SPACE = Space(["lr=1e-6:1:log", "dropout=0:0.5", "activation=relu,tanh,sigmoid"])
FULL = 270


def hill(point: Mapping[str, object], share: float) -> float:
    """Best at lr 1e-3, dropout 0.1, relu; in the end 1."""
    rate, dropout = float(point["optimizer.lr"]), float(point["model.dropout"])  # type: ignore[arg-type]
    if rate > 0.3:
        return math.nan
    kind = {"relu": 1.0, "tanh": 0.9, "sigmoid": 0.6}[str(point["model.activation"])]
    away = (math.log10(rate) + 3) ** 2 / 2 + (dropout - 0.1) ** 2 * 8
    return kind * math.exp(-away) * (1 - 0.5 * math.exp(-6 * share))


def score(number: int, step: int, value: float, status: str = "alive") -> TrialScore:
    failed = math.isnan(value)
    return TrialScore(number, step, 1 - value, value, "accuracy", 2.3, 1.0, "diverged" if failed else status, 0.0)  # type: ignore[arg-type]


def run_rounds(
    plan: Plan, space: Space = SPACE, formula: Callable[[Mapping[str, object], float], float] = hill
) -> tuple[list[Round], dict[int, list[TrialScore]]]:
    """All rounds, and every trial's scores."""
    rounds: list[Round] = []
    courses: dict[int, list[TrialScore]] = {}
    search = coarse_to_fine(space, plan)
    asked = next(search, None)
    while asked is not None:
        rounds.append(asked)
        steps = asked.steps
        scores = {
            number: score(number, steps[number], formula(p, steps[number] / plan.full))
            for number, p in asked.points.items()
        }
        for number, one in scores.items():
            courses.setdefault(number, []).append(one)
        try:
            asked = search.send(scores)
        except StopIteration:
            asked = None
    return rounds, courses


def run(
    plan: Plan, space: Space = SPACE, formula: Callable[[Mapping[str, object], float], float] = hill
) -> tuple[list[Rung], dict[int, list[TrialScore]]]:
    """All rungs, and every trial's scores."""
    rounds, courses = run_rounds(plan, space, formula)
    return [rung for one in rounds for rung in one.rungs], courses


def spent(courses: dict[int, list[TrialScore]]) -> int:
    return sum(course[-1].step for course in courses.values())


def test_rungs_and_what_they_cost() -> None:
    assert ladder(270, lowest=10) == (10, 30, 90, 270)
    assert ladder(270, lowest=300) == (270,)
    assert ladder(100, lowest=1, factor=10) == (1, 10, 100)
    assert left_after(27, 4) == [27, 9, 3, 1]
    # By hand: 27 trials to 10, 9 on to 30, 3 on to 90, 1 on to 270.
    assert cost(27, (10, 30, 90, 270)) == 27 * 10 + 9 * 20 + 3 * 60 + 180
    for budget in (1, 200, 810, 5000):
        count = affordable(budget, (10, 30, 90, 270))
        assert count == max([n for n in range(200) if n == 0 or cost(n, (10, 30, 90, 270)) <= budget])
    with pytest.raises(InputError, match="factor"):
        ladder(100, lowest=1, factor=1)


def test_who_goes_on() -> None:
    here = {
        0: score(0, 100, 0.5), 1: score(1, 100, 0.9), 2: score(2, 100, math.nan), 3: score(3, 100, 0.7, "chance"),
        4: score(4, 100, 0.8, "stopped"),
    }  # fmt: skip
    assert going_on(here, 5, chance_from=100) == [1, 0]
    assert going_on(here, 5, chance_from=101) == [1, 3, 0]
    assert going_on(here | {9: score(9, 100, 0.6)}, 2, chance_from=100) == [1, 9]
    tied = [score(5, 10, 0.5), TrialScore(6, 10, 0.1, 0.5, "accuracy", 2.3, 1.0, "alive", 0.0)]
    assert [one.trial for one in ranked(tied)] == [6, 5], "equal scores: the lower loss"


@pytest.mark.parametrize("budget", [2, 5, 10, 40])
@pytest.mark.parametrize("generations", [0, 1, 5])
def test_the_budget_is_kept_and_nearly_spent(budget: int, generations: int) -> None:
    plan = Plan(FULL, budget * FULL, lowest=10, generations=generations)
    _, courses = run(plan)
    assert spent(courses) <= plan.budget
    if budget >= 10:
        assert spent(courses) > 0.75 * plan.budget


def test_a_budget_below_one_trial_is_refused() -> None:
    with pytest.raises(InputError, match="does not bear one trial"):
        next(coarse_to_fine(SPACE, Plan(FULL, 0.5 * FULL, lowest=10)))


@pytest.mark.parametrize("workers", [1, 2, 8, 100])
def test_points_go_on_as_they_are_and_dropped_ones_never_come_back(workers: int) -> None:
    rounds, _ = run_rounds(Plan(FULL, 20 * FULL, lowest=10, workers=workers))
    known: dict[int, Mapping[str, object]] = {}
    gone: set[int] = set()
    for one in rounds:
        gone |= set(one.dropped)
        assert not gone & set(one.points)
        assert len(one.points) == sum(len(rung.points) for rung in one.rungs), "nobody stands at two rungs"
        for number, point in one.points.items():
            assert known.setdefault(number, point) == point
    assert {rung.stage for one in rounds for rung in one.rungs} == {"coarse", "fine"}


def test_the_same_seed_asks_the_same_and_another_does_not() -> None:
    plan = Plan(FULL, 10 * FULL, lowest=10)
    first, again = run(plan)[0], run(plan)[0]
    assert [rung.points for rung in first] == [rung.points for rung in again]
    assert [rung.points for rung in first] != [rung.points for rung in run(Plan(FULL, 10 * FULL, lowest=10, seed=1))[0]]


def test_fine_finds_more_than_coarse_alone_for_the_same_cost() -> None:
    def best(generations: int, seed: int) -> float:
        _, courses = run(Plan(FULL, 15 * FULL, lowest=10, generations=generations, seed=seed))
        return max(one.score for course in courses.values() for one in course if not math.isnan(one.score))

    alone = np.mean([best(0, seed) for seed in range(6)])
    fine = np.mean([best(5, seed) for seed in range(6)])
    assert fine > alone
    assert fine > 0.98 * (1 - 0.5 * math.exp(-6)), "nearly the best there is"


def test_a_search_in_which_all_fails_ends() -> None:
    rungs, _ = run(Plan(FULL, 10 * FULL, lowest=10), formula=lambda point, share: math.nan)
    assert rungs
    assert all(rung.step == 10 for rung in rungs if rung.stage == "coarse")


def test_a_trial_whose_patience_is_spent_stands_where_full_ones_do() -> None:
    """Quick problems: whoever is good is done after a few steps, and only the bad ones train on."""
    plan = Plan(FULL, 12 * FULL, lowest=30, seed=1)
    search = coarse_to_fine(SPACE, plan)
    asked, best, box = next(search, None), 0.0, Box.whole(SPACE)
    where = np.zeros(len(SPACE))
    while asked is not None:
        scores = {}
        for number, point in asked.points.items():
            value = hill(point, 1.0)
            done = value > 0.3
            scores[number] = score(number, 20 if done else asked.steps[number], value, "stopped" if done else "alive")
            if value > best:
                best, where = value, np.array(SPACE.units(point))
        box = next((rung.box for rung in asked.rungs if rung.stage == "fine"), box)
        try:
            asked = search.send(scores)
        except StopIteration:
            asked = None
    assert best > 0.8
    assert box.low[0] <= where[0] <= box.high[0]
    assert box.high[0] - box.low[0] < 0.5


def test_a_box_that_opens_again_within_its_range_is_not_widened() -> None:
    space = Space(["lr=1e-4:1e-2:log", "dropout=0:0.5"])
    inside = np.array([[0.5, 0.5], [0.4, 0.6], [0.6, 0.4]])
    closed = Box.whole(space).refitted(inside, counts(space, inside))
    at_end = np.array([[closed.high[0], 0.5]])
    again = closed.refitted(at_end, counts(space, at_end))
    assert again.high[0] > closed.high[0]
    assert not again.widened


def test_the_box_closes_in_and_widens_where_the_best_is_at_an_end() -> None:
    from babysit.record import Recipe

    space = Space(["lr=1e-4:1e-2:log", "dropout=0:0.5"]).checked_against(Recipe())
    box = Box.whole(space)
    inside = np.array([[0.5, 0.5], [0.4, 0.6], [0.6, 0.4]])
    closed = box.refitted(inside, counts(space, inside))
    assert 0 < closed.low[0] < 0.4
    assert 0.6 < closed.high[0] < 1
    assert not closed.widened
    at_end = np.array([[0.99, 0.5], [0.9, 0.6], [0.95, 0.4]])
    wider = box.refitted(at_end, counts(space, at_end))
    assert wider.high[0] > 1
    assert wider.widened == (("optimizer.lr", "high"),)
    assert box.space.fixed()[0].unit_limits == (0.0, 1.0)
    fixed = Box.whole(space.fixed()).refitted(at_end, counts(space, at_end))
    assert fixed.high[0] == 1.0
    assert not fixed.widened


def test_a_search_goes_beyond_an_end_where_the_best_lies() -> None:
    from babysit.record import Recipe

    space = Space(["lr=1e-6:1e-4:log"]).checked_against(Recipe())

    def formula(point: Mapping[str, object], share: float) -> float:
        return math.exp(-((math.log10(float(point["optimizer.lr"])) + 3.3) ** 2))  # type: ignore[arg-type]

    rungs, _ = run(Plan(FULL, 20 * FULL, lowest=10), space, formula)
    rates = [float(point["optimizer.lr"]) for rung in rungs for point in rung.points.values()]  # type: ignore[arg-type]
    assert max(rates) > 2e-4, "beyond the end"
    assert max(rates) <= 1e-3 * 1.0001, "a decade at most"


def test_the_box_keeps_options_that_survived() -> None:
    units = np.array([[0.5, 0.5, 0.1], [0.5, 0.5, 0.5]])
    box = Box.whole(SPACE).refitted(units, counts(SPACE, units))
    drawn = box.stretch(random_points(SPACE, 50, 0))
    assert {SPACE.point(one.tolist())["model.activation"] for one in drawn} == {"relu", "tanh"}
    assert np.allclose(box.inside(drawn), drawn)


def test_the_process_agrees_with_the_textbook() -> None:
    """Mean and variance by the formulas of Rasmussen and Williams (2.23, 2.24), written out with explicit inverses."""
    random = np.random.default_rng(0)
    places, scores = random.random((12, 2)), random.random(12)
    process = GaussianProcess(places, scores)
    lengths, height = process.lengths, math.exp(float(process.parameters[-2]))
    noise = math.exp(2 * float(process.parameters[-1])) + 1e-6

    def covariance(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        away = np.sqrt((((left[:, None] - right[None]) / lengths) ** 2).sum(-1)) * math.sqrt(5)
        return np.asarray(height**2 * (1 + away + away**2 / 3) * np.exp(-away))

    asked = random.random((5, 2))
    inverse = np.linalg.inv(covariance(places, places) + noise * np.eye(12))
    across = covariance(asked, places)
    centred = (scores - scores.mean()) / scores.std()
    mean = across @ inverse @ centred * scores.std() + scores.mean()
    spread = np.sqrt(height**2 - np.einsum("ij,jk,ik->i", across, inverse, across)) * scores.std()
    found_mean, found_spread = process.at(asked)
    assert found_mean == pytest.approx(mean, abs=1e-5)
    assert found_spread == pytest.approx(spread, abs=1e-4)


def test_waves_hold_all_points_and_grow() -> None:
    for count in (1, 8, 9, 35, 36, 67, 300, 1000):
        for together in (1, 24, 100):
            cuts = [0, *waves(count, together=together), count]
            sizes = [after - before for before, after in itertools.pairwise(cuts)]
            assert sum(sizes) == count
            assert sizes == sorted(sizes), "each is larger than the one before"
            assert len(sizes) == 1 or sizes[0] == max(SMALLEST_WAVE, together)
            assert len(sizes) > 1 or count < 4 * max(SMALLEST_WAVE, together)


@pytest.mark.parametrize("budget", [2, 7, 19, 50, 100, 400])
@pytest.mark.parametrize("generations", [0, 6])
@pytest.mark.parametrize("full", [30, FULL, 100_000])  # two, four and eight rungs
def test_waves_cost_no_more_than_the_coarse_stage_has(budget: int, generations: int, full: int) -> None:
    plan = Plan(full, budget * full, lowest=10 if full < 100_000 else 40, generations=generations)
    coarse = [one for one in asked_for(plan) if one.stage == "coarse"]
    costs = sum(cost(one.points, one.rungs) for one in coarse)
    assert costs <= plan.coarse_budget < costs + 0.2 * plan.coarse_budget + full
    sizes = [one.points for one in coarse]
    assert sizes == sorted(sizes), "each is larger than the one before"
    assert sizes[0]
    assert sum(one.points for one in coarse) <= plan.coarse_points, "no more than are drawn"


def test_the_first_full_trial_comes_early() -> None:
    """Of the coarse stage's steps, a small part is spent before a trial has been trained in full."""
    space = Space({"lr": "1e-5:1e-1:log"})
    search = coarse_to_fine(space, Plan(full=900, budget=60 * 900, lowest=100, generations=0))
    spent, first, at = 0, None, dict[int, int]()
    asked = next(search, None)
    while asked is not None:
        (rung,) = asked.rungs
        spent += sum(rung.step - at.get(number, 0) for number in rung.points)
        at |= dict.fromkeys(rung.points, rung.step)
        if first is None and rung.step == 900:
            first = spent
        scores = {
            number: TrialScore(number, rung.step, 1.0, 0.5 + number % 7 / 100, "accuracy", 2.0, 1.0, "alive", 0.0)
            for number in rung.points
        }
        try:
            asked = search.send(scores)
        except StopIteration:
            break
    assert first is not None
    assert first < 0.1 * spent


@pytest.mark.parametrize("seed", range(4))
def test_a_long_search_knows_something_good_early(seed: int) -> None:
    """Generations begin after the first wave, not after all coarse points."""
    rungs, courses = run(Plan(FULL, 60 * FULL, lowest=10, seed=seed))
    order = [(rung.stage, rung.generation) for rung in rungs]
    assert order[0] == ("coarse", 0)
    assert sum(here == "coarse" and before == "fine" for (before, _), (here, _) in itertools.pairwise(order)) >= 1
    generations = [generation for stage, generation in order if stage == "fine"]
    assert generations == sorted(generations), "numbered over the whole search"
    early, cost_so_far, at = 0.0, 0, dict[int, int]()
    for rung in rungs:
        cost_so_far += sum(rung.step - at.get(number, 0) for number in rung.points)
        at |= dict.fromkeys(rung.points, rung.step)
        if cost_so_far > 0.25 * spent(courses):
            break
        early = max(early, *(hill(point, rung.step / FULL) for point in rung.points.values()))
    top = hill({"optimizer.lr": 1e-3, "model.dropout": 0.1, "model.activation": "relu"}, 1.0)
    assert early > 0.97 * top


def asked_for(plan: Plan) -> list[Bracket]:
    asked, found, steps = brackets(plan), [], 0
    bracket: Bracket | None = next(asked)
    while bracket is not None:
        found.append(bracket)
        steps += cost(bracket.points, bracket.rungs)
        try:
            bracket = asked.send(steps)
        except StopIteration:
            bracket = None
    assert steps <= plan.budget
    assert all(one.points for one in found)
    return found


def test_fewer_than_no_generations_are_refused() -> None:
    with pytest.raises(InputError, match="-1 generations"):
        Plan(FULL, 10 * FULL, lowest=10, generations=-1)


def test_a_large_engine_learns_from_generations_too() -> None:
    found = asked_for(Plan(FULL, 100 * FULL, lowest=10, together=100))
    assert [one.points for one in found if one.stage == "fine"] == [76, 77, 77]


@pytest.mark.parametrize("budget", range(5, 400, 13))
def test_the_last_wave_is_learned_from(budget: int) -> None:
    found = asked_for(Plan(FULL, budget * FULL, lowest=10))
    last = max(place for place, one in enumerate(found) if one.stage == "coarse")
    after = sum(cost(one.points, one.rungs) for one in found[last + 1 :])
    assert after > 0.2 * budget * FULL


@pytest.mark.parametrize("budget", [10, 60, 200])
@pytest.mark.parametrize("together", [8, 24, 100])
def test_a_generation_keeps_an_engine_busy(budget: int, together: int) -> None:
    """No wave is smaller than what an engine trains at once, no generation than half of it, but where one is alone."""
    found = asked_for(Plan(FULL, budget * FULL, lowest=10, together=together))
    assert found[0].points >= min(together, sum(one.points for one in found if one.stage == "coarse"))
    for before, here, after in zip(found[:-1], found[1:], [*found[2:], None], strict=True):
        if here.stage == "fine" and here.points < together // 2 - 1:
            assert before.stage == "coarse"
            assert after is None or after.stage == "coarse"


def test_after_each_wave_the_box_is_drawn_anew() -> None:
    """What later waves find counts, though the generations before had closed in elsewhere."""
    plan = Plan(FULL, 100 * FULL, lowest=10)
    found = asked_for(plan)
    for before, here in itertools.pairwise(found):
        assert here.afresh == (before.stage == "coarse" and here.stage == "fine")
    assert [one.stage for one in found if one.afresh or one.stage == "coarse"] == ["coarse", "fine"] * 4
    rungs, _ = run(plan)
    assert all(rung.box == Box.whole(SPACE) for rung in rungs if rung.stage == "coarse")
    assert min(rung.box.high[0] - rung.box.low[0] for rung in rungs) < 0.3


@pytest.mark.parametrize("budget", [3, 12, 60, 200])
@pytest.mark.parametrize("together", [1, 24])
def test_the_time_of_a_plan_is_that_of_what_it_asks_for(budget: int, together: int) -> None:
    plan = Plan(FULL, budget * FULL, lowest=10, together=together)
    _, courses = run(plan, Space(["dropout=0:0.5"]), lambda point, share: 0.5 + 0.1 * share)
    assert predicted_seconds(plan, Speed(once=0.0, each=1.0)) == pytest.approx(spent(courses), rel=0.05)


def test_the_process_is_fitted_as_by_adam() -> None:
    """The steps written out against PyTorch's optimizer, on the same slopes."""
    random = np.random.default_rng(0)
    places = random.random((40, 3))
    scores = np.sin(6 * places[:, 0]) + places[:, 1] + 0.1 * random.normal(size=40)
    process = GaussianProcess(places, scores)
    parameters = process._prior.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([parameters], lr=RATE)
    for _ in range(ROUNDS):
        parameters.grad = process._slope(process._places, process._scores, parameters)
        optimizer.step()
    torch.testing.assert_close(process.parameters, parameters.detach(), rtol=1e-9, atol=1e-9)
