"""The rate range: what members' losses say, what is refused, and one sweep."""

import math
import random
from collections.abc import Iterable, Iterator

import pytest
import torch

from babysit.record import BabysitError, InputError, RehearsalError
from babysit.rehearsal import (
    Ask,
    Examination,
    LiveObjects,
    Subject,
    check_rate_range,
    find_rate_range,
    one_by_one,
    rate_range,
    read_sweep,
    sweep_rates,
)
from babysit.rehearsal._check_rate_range import _from_sweep
from babysit.rehearsal._rate_ladder import find_rates_around
from tests.rehearsal.known import Known
from tests.rehearsal.subjects import CROSS_ENTROPY, SOUND, digits, given, loader_of, mlp, with_zeros


def member(rate: float, best: float, noise: float = 0.0, steps: int = 100, seed: int = 0) -> list[float]:
    """A loss that falls from 2 the faster the nearer its rate is to the best one, and leaps far above it."""
    stream = random.Random(f"{rate}{seed}")
    if rate > 30 * best:
        return [2.0, 9.0, math.inf]
    speed = 5 * math.exp(-(math.log10(rate / best) ** 2))
    return [2 * math.exp(-speed * step / steps) + stream.gauss(0, noise) for step in range(steps)]


def ladder(best: float, low: float = 1e-5, high: float = 10.0, **options: float) -> dict[float, list[list[float]]]:
    count = round(6 * math.log10(high / low))
    rates = [low * 10 ** (number / 6) for number in range(count + 1)]
    return {rate: [member(rate, best, seed=seed, **options) for seed in range(3)] for rate in rates}  # type: ignore[arg-type]


@pytest.mark.parametrize("best", [1e-3, 1e-2, 0.1])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_the_answer_is_near_the_best_and_a_little_below(best: float, noise: float) -> None:
    found = rate_range(ladder(best, noise=noise), 2.0)
    assert found.best is not None
    assert found.low is not None
    assert found.high is not None
    assert found.stable is not None
    assert abs(math.log10(found.best / best)) < 0.35
    assert found.low <= found.best <= best * 1.2
    assert found.high <= found.stable <= 40 * best
    assert found.confidence > 0.9


def test_noise_lowers_the_confidence() -> None:
    quiet, loud = (rate_range(ladder(1e-2, noise=noise), 2.0).confidence for noise in (0.0, 2.0))
    assert loud < quiet


@pytest.mark.parametrize(
    ("curves", "words"),
    [
        ({rate: [[2.0] * 50] for rate in (1e-3, 1e-2, 1e-1)}, "no rate lowers the loss"),
        ({rate: [[2.0, math.nan]] for rate in (1e-3, 1e-2)}, "every rate diverged"),
        ({rate: [member(rate, 10.0)] for rate in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)}, "the highest rate tried"),
        ({rate: [member(rate, 1e-6)] for rate in (1e-5, 1e-4, 1e-3)}, "the lowest rate tried"),
    ],
)
def test_flat_and_cut_off_answers_are_refused(curves: dict[float, list[list[float]]], words: str) -> None:
    found = rate_range(curves, 2.0)
    assert found.best is None
    assert words in found.refused


def subject(name: str) -> LiveObjects:
    torch.manual_seed(0)
    one = SOUND[name]()
    return LiveObjects(one.network, one.loss, one.loader, one.optimizer)


@pytest.mark.parametrize(("name", "low", "high"), [("mlp, adam", 1e-3, 3e-2), ("mlp, sgd", 0.05, 1.0)])
def test_on_real_rows(name: str, low: float, high: float) -> None:
    found = find_rate_range(subject(name), steps=60, seeds=2, seconds=60)
    assert found.best is not None
    assert low < found.best < high
    assert found.steps <= 60


def test_what_cannot_learn_gets_no_rate() -> None:
    torch.manual_seed(0)
    for one in (
        given(with_zeros(mlp())),
        given(mlp(), loader=loader_of(digits()[0], digits()[1][torch.randperm(1797)])),
    ):
        found = find_rate_range(LiveObjects(one.network, one.loss, one.loader, one.optimizer), steps=40, seeds=2)
        assert found.best is None, found


def test_one_sweep_reads_by_the_logarithm() -> None:
    stream = random.Random(0)
    rates = [10 ** (-7 + 8 * step / 99) for step in range(100)]
    losses = [2.3 - 1.8 / (1 + (3e-2 / rate) ** 2) + stream.gauss(0, 0.02) for rate in rates]
    found = read_sweep(rates, losses)
    assert found.best is not None
    assert 3e-3 < found.best < 1e-1
    flat = read_sweep(rates, [2.3 + stream.gauss(0, 0.02) for _ in rates])
    assert flat.best is None
    assert "varies from batch to batch" in flat.refused
    assert "diverged" in read_sweep(rates, [2.3, 40.0, math.nan, *[math.nan] * 97]).refused


def test_a_sweep_of_real_rows() -> None:
    found = sweep_rates(subject("mlp, adam"))
    assert found.best is not None
    assert 3e-4 < found.best < 0.1
    assert found.rates[0] == pytest.approx(1e-7)
    assert len(found.rates) == len(found.losses)


def test_a_sweep_warns_only_of_rates_that_are_far_off() -> None:
    rates = tuple(10 ** (-6 + 7 * step / 59) for step in range(60))
    losses = tuple(2.3 - 1.8 / (1 + (1e-2 / rate) ** 2) if rate < 0.5 else 1e3 for rate in rates)
    found = read_sweep(rates, losses)
    verdicts = {rate: _from_sweep(found, rate) for rate in (1e-7, 1e-4, 1e-2, 0.5, 1e3)}
    assert [step.verdict for step in verdicts.values()] == ["warn", "pass", "pass", "pass", "warn"]
    assert [one.name for one in verdicts[1e-7].findings] == ["learning-rate-too-low"]
    assert [one.name for one in verdicts[1e3].findings] == ["learning-rate-too-high"]
    assert _from_sweep(found, 1e3, ["learning-rate-too-high"]).verdict == "pass"
    assert _from_sweep(found, 1e-7, learned=True).verdict == "pass"


def test_whoever_goes_on_from_a_trained_network_may_go_slowly() -> None:
    torch.manual_seed(0)
    network = mlp()
    batches = loader_of(*digits())
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    verdicts = []
    for _ in range(2):
        slow = LiveObjects(network, CROSS_ENTROPY, batches, lambda some: torch.optim.Adam(some, lr=2e-5))
        step = check_rate_range(Examination(slow, steps=20, seconds=600))
        verdicts.append([one.name for one in step.findings])
        for _ in range(3):
            for inputs, labels in batches:
                optimizer.zero_grad()
                CROSS_ENTROPY(network(inputs), labels).backward()
                optimizer.step()
    assert verdicts == [["learning-rate-too-low"], []]


def test_members_may_be_trained_by_somebody_else() -> None:
    """All of a ladder's members at once, with the same answer."""
    asked: list[int] = []

    def all_at_once(subject: Subject, asks: Iterable[Ask]) -> Iterator[list[float]]:
        together = list(asks)
        asked.append(len(together))
        return iter([list(one) for one in one_by_one(subject, together)])

    plain, stacked = (
        find_rate_range(subject("mlp, adam"), low=1e-4, high=0.1, steps=20, seeds=2, seconds=100, train=train)
        for train in (one_by_one, all_at_once)
    )
    assert plain == stacked
    assert max(asked) > 3


def test_lost_rates_get_no_more_members() -> None:
    trained: list[tuple[float, int]] = []

    def counted(subject: Subject, asks: Iterable[Ask]) -> Iterator[list[float]]:
        for one in asks:
            rate = float(one.remedies[0].value or 0)
            trained.append((rate, one.seed))
            yield member(rate, 1e-2, steps=one.steps, seed=one.seed)

    found = find_rate_range(subject("mlp, adam"), seeds=3, seconds=100, train=counted)
    whole = rate_range(ladder(1e-2), 2.0)
    assert found.best == pytest.approx(whole.best, rel=0.3)
    assert len(trained[2:]) == len(set(trained[2:])), "nobody is trained twice, but for the two that are timed"
    assert {rate for rate, seed in trained if seed == 2} < {rate for rate, _ in trained}


def test_a_ladder_around_a_rate_keeps_its_time_and_says_what_it_left_out() -> None:
    subject = Known(lambda remedies, _: 0.9 if 0.05 < float(remedies["lr"]) < 0.5 else 0.5)
    found, left_out = find_rates_around(subject, 0.1)
    assert not left_out
    assert found.best is not None
    assert 0.05 < found.best < 0.5
    assert [round(float(remedies["lr"]), 3) for remedies, *_ in subject.asked[:3]] == [0.1, 0.032, 0.316]
    found, left_out = find_rates_around(subject, 0.1, seconds=0.0)
    assert found.best is None
    assert len(left_out) == 8


def test_a_member_that_fails_does_not_end_the_ladder() -> None:
    def reached(remedies: dict[str, str], _: int) -> float | BabysitError:
        rate = float(remedies["lr"])
        return RehearsalError("it failed") if rate > 5 else 0.9 if 0.05 < rate < 0.5 else 0.5

    found, left_out = find_rates_around(Known(reached), 0.1)
    assert found.best is not None
    assert left_out == [10.0]


def test_bad_ladders_are_refused() -> None:
    with pytest.raises(InputError, match="0 < low < high"):
        find_rate_range(subject("mlp, adam"), low=1.0, high=0.1)
    with pytest.raises(InputError, match="a sweep from"):
        sweep_rates(subject("mlp, adam"), low=0.0)
