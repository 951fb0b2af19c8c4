"""The plain loop of a Cohort against `Training`, bit for bit, in one go and cut into pieces."""

import pytest
import torch

from babysit.record import never_stop
from babysit.training import Cohort, Member, Starts, pack_members, unpack_members
from tests.training.cohort_cases import CASES, CPU, data, trained_alone, trials


def trained(case: str, *untils: int) -> list[Member]:
    """Members brought from rung to rung, each time through bytes as in another process."""
    kind, _ = CASES[case]
    members = None
    for until in untils:
        cohort = Cohort(Starts(data(kind)), layout="alone")
        if members is None:
            members = [cohort.begin(trial) for trial in trials(case)]
        members, _ = unpack_members(pack_members(members, {}), CPU)
        cohort.train(members, until, never_stop, lambda progress: None)
    assert members is not None
    return members


@pytest.mark.parametrize("case", CASES)
def test_a_trial_alone_is_the_loop(case: str) -> None:
    kind, _ = CASES[case]
    for member in trained(case, 3, 10_000):
        expected = trained_alone(kind, member.trial, torch.get_num_threads())
        given = member.best if member.trial.recipe.budget.patience else member.network
        assert given.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(given[name], value), name
