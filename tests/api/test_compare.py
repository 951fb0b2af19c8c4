"""Two trainings compared: scripts with the same seeds, recipes, Runs and logs; and what cannot be compared."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import pytest

import babysit
from babysit.record import Event, Row, SeedsCompared, Trace, load_recipe, with_settings

SCRIPT = """
import torch
inputs = torch.randn(64, 4)
targets = inputs.sum(1, keepdim=True)
net = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
for step in range(30):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(net(inputs), targets).backward()
    optimizer.step()
"""


def kept(losses: Sequence[float], *, accuracy: float | None = None) -> list[Trace]:
    """Traces of trainings that end at losses; NaN for one that diverges."""
    return [
        Trace(
            (
                *(Row(step, "train", "", "loss", loss) for step in range(9)),
                *([Row(8, "validation", "", "accuracy", accuracy + loss / 100)] if accuracy is not None else []),
            ),
            events=(Event(3, "not-finite", "loss"),) if loss != loss else (),
        )
        for loss in losses
    ]


NAN = float("nan")


@pytest.mark.parametrize(
    ("first", "second", "verdict", "words"),
    [
        ([0.5, 0.52, 0.49], [0.4, 0.41, 0.4], "better", "the loss differs by -0.1"),
        ([0.4, 0.41, 0.4], [0.5, 0.52, 0.49], "worse", "over 3 seeds"),
        ([0.5, 0.9, 0.2, 0.7], [0.6, 0.5, 0.5, 0.4], "not told apart", "more seeds would tell"),
        ([0.5], [0.1], "not told apart", "of one training each nothing is known of the noise"),
        ([0.5] * 4, [0.4] * 4, "not told apart", "the seed changes nothing"),
        ([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], "not told apart", "both came to the same loss"),
        ([0.5] * 5, [NAN] * 5, "worse", "5 of the second failed or diverged"),
        ([0.5] * 5, [0.5, 0.5, 0.5, 0.5, NAN], "not told apart", "1 of the second failed or diverged"),
        ([NAN] * 6, [0.5] * 6, "better", "6 of the first and 0 of the second"),
    ],
)
def test_the_word_and_its_reason(first: list[float], second: list[float], verdict: str, words: str) -> None:
    found = babysit.compare(kept(first), kept(second))
    assert (found.verdict, found.ok, found.judged) == (verdict, verdict != "worse", verdict != "not told apart")
    assert words in found.comparison.reason
    assert words in str(found)


def test_of_scores_the_higher_one_is_better_and_another_can_be_named() -> None:
    first, second = kept([0.1, 0.2, 0.3], accuracy=0.5), kept([0.11, 0.21, 0.31], accuracy=0.9)
    assert babysit.compare(first, second).comparison.score == "evaluation accuracy"
    assert babysit.compare(first, second).verdict == "better"
    assert babysit.compare(first, second, score="loss").verdict == "worse"


@pytest.mark.slow
def test_scripts_are_trained_with_the_same_seeds_until_it_is_clear(tmp_path: pathlib.Path) -> None:
    for name, rate in (("slow.py", "0.01"), ("fast.py", "0.1")):
        (tmp_path / name).write_text(SCRIPT.replace("RATE", rate))
    told: list[SeedsCompared] = []
    found = babysit.compare(
        tmp_path / "slow.py",
        tmp_path / "fast.py",
        seeds=8,
        progress=lambda event: told.append(event) if isinstance(event, SeedsCompared) else None,
    ).comparison
    assert (found.first, found.second, found.verdict) == ("slow.py", "fast.py", "better")
    assert 3 <= len(found.pairs) == len(told) < 8
    assert [pair.seed for pair in found.pairs] == [*range(len(found.pairs))]


@pytest.mark.slow
def test_a_script_that_sets_no_seed_is_the_same_training_twice(tmp_path: pathlib.Path) -> None:
    (tmp_path / "slow.py").write_text(SCRIPT.replace("RATE", "0.01"))
    found = babysit.compare(tmp_path / "slow.py", tmp_path / "slow.py").comparison
    assert (found.verdict, len(found.pairs), found.difference) == ("not told apart", 3, 0.0)
    assert len({pair.first for pair in found.pairs}) == 3


def test_recipes_are_trained_in_full() -> None:
    small = ["data.source=iris", "widths=[4]"]
    recipes = [with_settings(load_recipe("default"), [*small, f"epochs={epochs}"]) for epochs in (1, 4)]
    found = babysit.compare(*recipes, seeds=2).comparison
    assert found.score.startswith("validation ")
    assert len(found.pairs) == 2
    assert found.difference is not None
    assert (found.difference > 0) == (found.better == "higher")


def test_logs_in_folders_are_paired_in_their_order(tmp_path: pathlib.Path) -> None:
    for side, loss in (("old", 0.5), ("new", 0.3)):
        (tmp_path / side).mkdir()
        for seed in range(4):
            rows = "".join(
                f"{epoch},{loss + 0.01 * seed},{loss + 0.02 * seed + 0.003 * len(side) * seed % 0.01}\n"
                for epoch in range(5)
            )
            (tmp_path / side / f"seed{seed}.csv").write_text(f"epoch,loss,val_loss\n{rows}")
    found = babysit.compare(tmp_path / "old", tmp_path / "new").comparison
    assert (found.verdict, found.score, len(found.pairs)) == ("better", "evaluation loss", 4)


@pytest.mark.parametrize(
    ("first", "second", "options", "words"),
    [
        (kept([0.1] * 3), kept([0.1] * 2), {}, "has 3 trainings and"),
        (kept([0.1] * 3), "train.py", {}, "one of the two is a training to be done"),
        (kept([0.1] * 3), kept([0.1] * 3), {"score": "r2"}, "not every training has the score 'r2'"),
        (kept([0.1] * 3), kept([0.1] * 3), {"seeds": 1}, "a comparison of 1 seeds from 0 on"),
        (kept([0.1] * 3), kept([0.1] * 3), {"arguments": ["--x"]}, "arguments are for scripts"),
        ("nowhere", "nowhere", {}, "there is no nowhere"),
        ("nowhere.py", "nowhere.py", {}, "there is no script nowhere.py"),
        (3, 4, {}, "a int cannot be compared"),
    ],
)
def test_bad_input(first: object, second: object, options: dict[str, object], words: str) -> None:
    with pytest.raises(babysit.InputError, match=words):
        babysit.compare(first, second, **options)  # type: ignore[arg-type]
