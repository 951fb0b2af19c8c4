"""What a terminal shows of a search, its panel rendered without a terminal."""

import io
import math

from rich.console import Console

from babysit.record import RungBegun, StudyRung, TrialProgress, TrialScore
from babysit.reports import StudyProgress


def shown(progress: StudyProgress) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(progress._picture())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def rung(number: int, generation: int, step: int, trials: tuple[int, ...]) -> StudyRung:
    return StudyRung(number, "fine" if generation else "coarse", generation, step, trials, (), (), 1.0)


def scores(step: int, trials: tuple[int, ...]) -> dict[int, TrialScore]:
    return {n: TrialScore(n, step, 1.0, 0.5, "accuracy", 2.0, 1.0, "alive", 0.0) for n in trials}


def test_rungs_at_the_same_time_stand_in_one_line() -> None:
    progress = StudyProgress(console=Console(file=io.StringIO(), width=120))
    progress.began(parameters=(), steps=1000.0, seconds=30.0)
    assert "beginning" in shown(progress)
    progress.rung_began(RungBegun("coarse", 0, 900, 1, False))
    progress.rung_began(RungBegun("fine", 1, 300, 2, False))
    progress.progress(TrialProgress(100, 400, 3, 0.5))
    assert "coarse and fine, 3 trials alive, to step 300 and 900" in shown(progress)
    progress.rung_ended(rung(0, 0, 900, (0,)), scores(900, (0,)), None)
    progress.rung_ended(rung(1, 1, 300, (1, 2)), scores(300, (1, 2)), None)
    picture = " ".join(shown(progress).split())
    assert picture.index("coarse 900 steps 1 trials") < picture.index("fine 1 300 steps 2 trials"), "a line each"
    progress.rung_began(RungBegun("fine", 1, 900, 1, False))
    progress.progress(TrialProgress(0, 600, 1, math.nan))
    assert "fine, 1 trials alive, to step 900" in shown(progress)
    assert "coarse and fine" not in shown(progress)


def test_rungs_that_were_kept_do_not_count_as_quick() -> None:
    """What a Study holds is there at once: the time that is left is told from what was trained since."""
    progress = StudyProgress(console=Console(file=io.StringIO(), width=120))
    progress.began(parameters=(), steps=2000.0, seconds=None)
    for step in (300, 900):
        progress.rung_began(RungBegun("coarse", 0, step, 1, True))
    for number, step in enumerate((300, 900)):
        progress.rung_ended(rung(number, 0, step, (number,)), scores(step, (number,)), None)
    assert progress._done == progress._kept == 1200
    assert "left" not in shown(progress)
    progress.rung_began(RungBegun("fine", 1, 300, 1, False))
    progress.rung_ended(rung(2, 1, 300, (2,)), scores(300, (2,)), None)
    assert (progress._done, progress._kept) == (1500, 1200)
    assert "left" in shown(progress)
