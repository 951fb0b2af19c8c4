"""A search sized by time, as the README has it: with folds, with shapes among what is searched."""

import pathlib

import pytest

import babysit


@pytest.mark.parametrize("folds", [0, 3])
@pytest.mark.parametrize("structure", [False, True])
def test_a_search_is_sized_by_time(folds: int, structure: bool, tmp_path: pathlib.Path) -> None:
    tuned = babysit.tune(
        "iris", folds=folds, structure=structure, seconds=2.0, winners=3, repeats=1, settings=["epochs=3"],
        out=tmp_path / "study",
    )  # fmt: skip
    assert tuned.result is not None
    assert tuned.study.info.plan["budget"] >= 2 * tuned.study.info.plan["full"]
    best = tuned.result.winners[0]
    assert len(best.scores) + best.failed == max(1, folds)
    assert max(trial.number for trial in tuned.study.trials()) < 10**8, "those of the measurement are gone"
