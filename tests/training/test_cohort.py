"""Stacked members end where each would have ended alone."""

import pytest
import torch
from torch import Tensor

from babysit.record import never_stop
from babysit.training import Cohort, Member, Starts, pack_members, unpack_members
from tests.training.cohort_cases import CASES, CPU, data, trained_alone, trials


def trained(case: str, *untils: int) -> list[Member]:
    """Members stacked from rung to rung, each time through bytes as in another process."""
    kind, _ = CASES[case]
    members = None
    for until in untils:
        cohort = Cohort(Starts(data(kind)), layout="stacked")
        if members is None:
            members = [cohort.begin(trial) for trial in trials(case)]
        members, _ = unpack_members(pack_members(members, {}), CPU)
        cohort.train(members, until, never_stop, lambda progress: None)
    assert members is not None
    return members


def assert_alone(kind: str, members: list[Member]) -> None:
    for member in members:
        expected = trained_alone(kind, member.trial)
        given = member.best if member.trial.recipe.budget.patience else member.network
        assert_same(given, expected)


def assert_same(given: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert given.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(given[name], value, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("case", CASES)
def test_a_stacked_member_is_the_trial_alone(case: str) -> None:
    assert_alone(CASES[case][0], trained(case, 3, 10_000))


MOVED = (
    "momentum", "nesterov", "adam", "adamw", "l2-in-loss", "decoupled", "modes-of-l2", "l1", "max-norm", "clip",
    "clip-adam", "batch-norm", "schedules",
)  # fmt: skip


@pytest.mark.parametrize("case", MOVED)
def test_optimizers_member_by_member_do_the_same(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.training._stacked_optimizer.LARGE", {"adam": 0, "sgd": 0})
    assert_alone(CASES[case][0], trained(case, 3, 10_000))
