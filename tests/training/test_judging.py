"""Within its first epoch a trial is judged on a part of the validation rows, the same for all; from then on, on all."""

import dataclasses
import math
from typing import Literal

import pytest
import torch

from babysit.record import never_stop, silent
from babysit.training import Cohort, Member, Starts, judged_rows
from babysit.training._judging import judged
from babysit.training._phase import PhaseNumbers, measure_phase
from babysit.training._side_by_side import FORKS, Helpers
from babysit.training._trial_rules import constant_answer, learned_constant
from tests.training.cohort_cases import CPU, data, trial

PER_EPOCH = 4  # steps of 16 rows


def test_how_many_rows() -> None:
    for rows in (1, 500, 1000, 1001, 9000, 10**6):
        for batch_size in (1, 64, 4096):
            counts = [judged_rows(step, batch_size, 700, rows) for step in range(1, 701)]
            assert counts == sorted(counts)
            assert counts[-1] == rows, "all after an epoch"
            assert min(counts) >= min(rows, 1000)
            assert len(set(counts)) <= 12, "few sets of rows are kept"
            for step, count in enumerate(counts[:-1], start=1):
                assert count in (rows, min(rows, 1000)) or step * batch_size / 2 <= count < step * batch_size


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.training._judging.LEAST_JUDGED", 4)


def trained(cohort: Cohort, until: int, fold: int | None = None) -> tuple[list[Member], dict[int, PhaseNumbers]]:
    members = [cohort.begin(trial("table", number, f"lr=0.0{number + 1}", fold=fold)) for number in range(3)]
    return members, cohort.train(members, until, never_stop, silent)


@pytest.mark.parametrize("layout", ["stacked", "alone"])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("until", [1, 2, PER_EPOCH, PER_EPOCH + 1])
def test_scores_are_those_of_the_rows(
    layout: Literal["stacked", "alone"], kept: bool, until: int, few_rows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kept:
        monkeypatch.setattr("babysit.training._batches.KEPT_BYTES", 0)
    starts = Starts(data("table"), (), CPU)
    members, measured = trained(Cohort(starts, layout), until)
    for member in members:
        start = starts.of(member.trial)
        part = judged(start, member)
        assert len(part.validation) == {1: 8, 2: 14}.get(until, 14)
        assert set(part.validation.tolist()) <= set(start.examples.validation.tolist())
        if part.held_out is not None:
            assert torch.equal(part.held_out, part.cut(part.validation)[0])
        assert (part.held_out is None) == (not kept)
        network = start.fresh_network(member.trial.recipe)
        network.load_state_dict(member.network)
        # As another tensor: nothing that was kept is taken.
        expected = measure_phase(network, start.loss, start.examples, part.validation.clone())
        found = measured[member.trial.number]
        assert found.score == pytest.approx(expected.score, abs=1e-12)
        assert found.loss == pytest.approx(expected.loss, rel=1e-5)


def test_all_trials_are_judged_on_the_same_rows_and_folds_on_their_own(few_rows: None) -> None:
    prepared = data("table")
    rows = prepared.split["train"]
    starts = Starts(prepared, ((rows[20:], rows[:20]), (rows[:-20], rows[-20:])), CPU)
    cohort = Cohort(starts, "stacked")
    parts = [[judged(starts.of(m.trial), m) for m in trained(cohort, 1, fold)[0]] for fold in (0, 1)]
    for fold, held_out in enumerate((rows[:20], rows[-20:])):
        assert all(part is parts[fold][0] for part in parts[fold])
        assert set(parts[fold][0].validation.tolist()) < set(held_out.tolist())


def test_chance_is_told_on_the_same_rows(few_rows: None) -> None:
    starts = Starts(data("table"), (), CPU)
    cohort = Cohort(starts, "stacked")
    members, _ = trained(cohort, 1)
    start, part = starts.of(members[0].trial), judged(starts.of(members[0].trial), members[0])
    learned = learned_constant(start.loss, start.examples, start.outputs)
    expected = constant_answer(start.loss, part, learned)
    assert cohort.constant(members[0]) == expected
    assert expected.margin == pytest.approx(2 * math.sqrt(expected.score * (1 - expected.score) / 8))
    cohort.train(members, PER_EPOCH, never_stop, silent)
    assert cohort.constant(members[0]) == constant_answer(start.loss, start.examples, learned)


def test_best_epochs_are_found_on_all_rows(few_rows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience and plateaus decide as they do in a training alone."""
    starts = Starts(data("table"), (), CPU)
    settings = ("epochs=30", "lr=0.3", "budget.patience=2")
    alone, stacked = (
        [cohort.begin(trial("table", number, *settings, f"seed={number}")) for number in range(2)]
        for cohort in (Cohort(starts, "alone"), Cohort(starts, "stacked"))
    )
    Cohort(starts, "alone").train(alone, 1000, never_stop, silent)
    Cohort(starts, "stacked").train(stacked, 1000, never_stop, silent)
    for one, other in zip(alone, stacked, strict=True):
        start = starts.of(one.trial)
        assert (one.best_epoch, one.course.ended) == (other.best_epoch, other.course.ended)
        network = start.fresh_network(one.trial.recipe)
        network.load_state_dict(one.best)
        whole = dataclasses.replace(start.examples)
        assert measure_phase(network, start.loss, whole, whole.validation).loss == pytest.approx(one.best_loss)


@pytest.mark.skipif(not FORKS, reason="processes are forked on Linux alone")
@pytest.mark.parametrize(("seconds", "processes"), [(1e-7, 0), (1e-2, 2)])
def test_few_steps_that_take_long_go_to_processes(
    seconds: float, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer steps than are worth comparing layouts are timed once: eleven steps of four may be a second's work."""
    asked: list[int] = []
    train = Helpers.train

    def told(self: Helpers, jobs: object, count: int, watch: object) -> object:
        asked.append(count)
        return train(self, jobs, count, watch)  # type: ignore[arg-type]

    monkeypatch.setattr(Helpers, "train", told)
    monkeypatch.setattr("babysit.training._cohort.pace", lambda member, start: seconds)
    cohort = Cohort(Starts(data("table"), (), CPU))
    cohort._threads = 2
    members = [cohort.begin(trial("table", number, f"lr=0.0{number + 1}")) for number in range(4)]
    cohort.train(members, 11, never_stop, silent)
    cohort.close()
    assert asked == ([processes] if processes else [])
    assert {member.course.step for member in members} == {11}


@pytest.mark.parametrize("kind", ["table", "images"])
def test_a_step_that_is_timed_changes_nothing(kind: str) -> None:
    from babysit.training._layouts import pace

    starts = Starts(data(kind), (), CPU)
    cohort = Cohort(starts)
    member = cohort.begin(trial(kind, 0, "dropout=0.2"))
    before = {name: value.clone() for name, value in member.network.items()}
    stream = torch.get_rng_state()
    assert 0 < pace(member, starts.of(member.trial)) < 10
    assert member.course.step == 0
    assert not member.optimizer
    assert all(torch.equal(value, member.network[name]) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), stream)
