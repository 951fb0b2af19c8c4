"""What a Cohort promises: members do not touch each other, whatever happens to one of them."""

import dataclasses
import itertools
from collections.abc import Sequence

import pytest
import torch

from babysit.data import k_folds
from babysit.record import RecipeError, RunFolderError, Trial, TrialProgress, never_stop, silent
from babysit.training import Cohort, Member, Starts, assemble, examples_of, loss_of, pack_members, unpack_members
from babysit.training import Training as Loop
from tests.training.cohort_cases import CPU, data, trained_alone, trial
from tests.training.test_cohort import assert_same

ALL = 10_000


def stacked(trials: Sequence[Trial], *untils: int, kind: str = "table") -> list[Member]:
    cohort = Cohort(Starts(data(kind)), layout="stacked")
    members = [cohort.begin(chosen) for chosen in trials]
    for until in untils:
        cohort.train(members, until, never_stop, silent)
    return members


def assert_equal(given: Member, expected: Member) -> None:
    for group in ("network", "optimizer"):
        mine, other = getattr(given, group), getattr(expected, group)
        assert mine.keys() == other.keys()
        for name in mine:
            assert torch.equal(mine[name], other[name]), name


@pytest.mark.parametrize("settings", [(), ("batch_norm=true", "optimizer.name=adam"), ("clip_norm=1", "dropout=0.2")])
@pytest.mark.parametrize("rate", ["1e30", "3e4"])
def test_an_exploding_member_leaves_the_others_bit_identical(settings: tuple[str, ...], rate: str) -> None:
    beside = [trial("table", 0, *settings), trial("table", 2, "lr=0.05", *settings)]
    calm = stacked([beside[0], trial("table", 1, "lr=0.001", *settings), beside[1]], ALL)
    wild = stacked([beside[0], trial("table", 1, f"lr={rate}", *settings), beside[1]], ALL)
    if not settings:
        assert wild[1].failed
    for place in (0, 2):
        assert_equal(wild[place], calm[place])


@pytest.mark.parametrize("rate", ["1e30", "3e4"])
def test_an_exploding_member_leaves_the_others_bit_identical_through_torch_func(rate: str) -> None:
    settings = ("architecture=convolutional", "model.widths=[4]", "batch_norm=true", "dropout=0.2")
    beside = [trial("images", 0, *settings), trial("images", 2, "lr=0.05", *settings)]
    calm = stacked([beside[0], trial("images", 1, "lr=0.001", *settings), beside[1]], ALL, kind="images")
    wild = stacked([beside[0], trial("images", 1, f"lr={rate}", *settings), beside[1]], ALL, kind="images")
    for place in (0, 2):
        assert_equal(wild[place], calm[place])


def test_dropping_members_changes_nobodys_random_numbers() -> None:
    settings = ("dropout=0.5", "batch_norm=true", "optimizer.name=adam")
    trials = [trial("table", number, f"seed={number}", *settings) for number in range(4)]
    cohort = Cohort(Starts(data("table")), layout="stacked")
    members = [cohort.begin(chosen) for chosen in trials]
    cohort.train(members, 7, never_stop, silent)  # within an epoch of four steps
    survivors = [members[1], members[3]]
    for member in survivors:
        member.compact()
    cohort.train(survivors, ALL, never_stop, silent)
    for member in survivors:
        assert_same(member.network, trained_alone("table", member.trial))


def test_equal_shapes_that_compute_different_things_are_not_mixed() -> None:
    kinds = (
        ["activation=relu"], ["activation=tanh"], ["activation=elu"], ["loss.name=hinge"], ["optimizer.name=adam"],
        ["class_weights=balanced"], ["preprocessing.numbers=scale"], ["budget.batch_size=8"],
        ["nesterov=true", "momentum=0.5"],
    )  # fmt: skip
    members = stacked([trial("table", number, *settings) for number, settings in enumerate(kinds)], 5, ALL)
    for member in members:
        assert_same(member.network, trained_alone("table", member.trial))


def test_members_of_several_folds_and_seeds_see_their_own_rows() -> None:
    prepared = data("table")
    folds = k_folds(prepared.targets, 3, seed=0)
    settings = ("batch_norm=true", "dropout=0.1")
    trials = [
        trial("table", number, f"seed={seed}", *settings, fold=fold)
        for number, (fold, seed) in enumerate(itertools.product(range(3), range(2)))
    ]
    cohort = Cohort(Starts(prepared, folds), layout="stacked")
    members = [cohort.begin(chosen) for chosen in trials]
    measured = cohort.train(members, ALL, never_stop, silent)
    for member in members:
        fold = member.trial.fold
        assert fold is not None
        train, held_out = folds[fold]
        rows = dataclasses.replace(prepared, split={**prepared.split, "train": train, "validation": held_out})
        recipe = member.trial.recipe
        model, _ = assemble(recipe, rows)
        examples = examples_of(model, rows, recipe, CPU)
        loss = loss_of(rows, recipe, CPU)
        Loop(model.network, loss, dataclasses.replace(examples, validation=examples.validation[:0]), recipe).run()
        assert_same(member.network, model.network.state_dict())
        with torch.no_grad():
            inputs, targets = examples.cut(examples.validation)
            assert measured[member.trial.number].loss == pytest.approx(
                float(loss(model.network(inputs), targets)), rel=1e-4
            )


def test_a_stopped_cohort_goes_on_as_if_nothing_had_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.training._cohort_stack.LOOK_EVERY", 0.0)
    trials = [trial("table", number, f"lr={10.0**-number}", "dropout=0.3") for number in range(3)]
    cohort = Cohort(Starts(data("table")), layout="stacked")
    members = [cohort.begin(chosen) for chosen in trials]
    asked = itertools.count()
    told: list[TrialProgress] = []
    assert cohort.train(members, ALL, lambda: next(asked) >= 5, told.append) == {}
    assert {member.course.step for member in members} == {5}
    assert (told[-1].done, told[-1].steps, told[-1].alive) == (15, 36, 3)
    members, _ = unpack_members(pack_members(members, {}), CPU)
    measured = cohort.train(members, ALL, never_stop, silent)
    assert set(measured) == {0, 1, 2}
    for member, expected in zip(members, stacked(trials, ALL), strict=True):
        assert_equal(member, expected)
        assert member.course == expected.course


def test_early_stops_are_each_members_own() -> None:
    patience = ("epochs=30", "budget.patience=1")
    members = stacked(
        [trial("table", 0, "lr=2", *patience), trial("table", 1, "lr=0.01", *patience), trial("table", 2, "epochs=30")],
        ALL,
    )
    assert members[0].course.ended == "stopped"
    assert members[0].course.step < members[1].course.step <= members[2].course.step == 120
    assert_same(members[0].best, trained_alone("table", members[0].trial))


def test_a_damaged_state_is_refused() -> None:
    state = pack_members(stacked([trial("table", 0)], 3), {})
    for damaged in (b"", state[:50], state[:-8], state.replace(b'"course', b'"coarse')):
        with pytest.raises(RunFolderError):
            unpack_members(damaged, CPU)


def test_open_decisions_are_refused() -> None:
    chosen = trial("table", 4)
    undecided = chosen.recipe.model_copy(update={"budget": chosen.recipe.budget.model_copy(update={"epochs": None})})
    with pytest.raises(RecipeError, match="trial 4 leaves decisions open"):
        Cohort(Starts(data("table"))).begin(Trial(4, undecided))


def test_members_come_back_from_bytes_as_they_were() -> None:
    member = Cohort(Starts(data("table"))).begin(trial("table", 3))
    member.network = {
        "matrix": torch.arange(6.0).view(2, 3).t(),
        "none": torch.empty(0, 3),
        "number": torch.tensor(7),
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "flags": torch.tensor([True, False]),
        "learned": torch.nn.Parameter(torch.ones(2)),
    }
    member.random = torch.get_rng_state()
    (found,), settings = unpack_members(pack_members([member], {"until": 3}), CPU)
    assert settings == {"until": 3}
    assert found.trial == member.trial
    assert found.random is not None
    assert torch.equal(found.random, member.random)
    assert found.network.keys() == member.network.keys()
    for name, value in member.network.items():
        assert torch.equal(found.network[name], value), name
        assert found.network[name].dtype == value.dtype
