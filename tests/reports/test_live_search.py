"""A search in the live view: its panel, rendered without a terminal."""

import io
import math

from rich.console import Console

from babysit.record import RungBegan, RungEnded, SearchBegan, StudyRung, TrialProgress, TrialScore
from babysit.reports._live_search import SearchPart


def shown(part: SearchPart) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(part.draw())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def rung(number: int, generation: int, step: int, trials: tuple[int, ...]) -> StudyRung:
    return StudyRung(number, "fine" if generation else "coarse", generation, step, trials, (), (), 1.0)


def scores(step: int, trials: tuple[int, ...]) -> dict[int, TrialScore]:
    return {n: TrialScore(n, step, 1.0, 0.5, "accuracy", 2.0, 1.0, "alive", 0.0) for n in trials}


def test_rungs_at_the_same_time_stand_in_one_line() -> None:
    part = SearchPart(Console(file=io.StringIO(), width=120))
    part.take(SearchBegan((), 1000.0, 30.0))
    assert "beginning" in shown(part)
    part.take(RungBegan("coarse", 0, 900, 1, False))
    part.take(RungBegan("fine", 1, 300, 2, False))
    part.take(TrialProgress(100, 400, 3, 0.5))
    assert "coarse and fine, 3 trials alive, to step 300 and 900" in shown(part)
    part.take(RungEnded(rung(0, 0, 900, (0,)), scores(900, (0,)), None))
    part.take(RungEnded(rung(1, 1, 300, (1, 2)), scores(300, (1, 2)), None))
    picture = " ".join(shown(part).split())
    assert picture.index("coarse 900 steps 1 trials") < picture.index("fine 1 300 steps 2 trials"), "a line each"
    part.take(RungBegan("fine", 1, 900, 1, False))
    part.take(TrialProgress(0, 600, 1, math.nan))
    assert "fine, 1 trials alive, to step 900" in shown(part)
    assert "coarse and fine" not in shown(part)


def test_rungs_that_were_kept_do_not_count_as_quick() -> None:
    """What a Study holds is there at once: the time that is left is told from what was trained since."""
    part = SearchPart(Console(file=io.StringIO(), width=120))
    part.take(SearchBegan((), 2000.0, None))
    for step in (300, 900):
        part.take(RungBegan("coarse", 0, step, 1, True))
    for number, step in enumerate((300, 900)):
        part.take(RungEnded(rung(number, 0, step, (number,)), scores(step, (number,)), None))
    assert part._done == part._kept == 1200
    assert "left" not in shown(part)
    part.take(RungBegan("fine", 1, 300, 1, False))
    part.take(RungEnded(rung(2, 1, 300, (2,)), scores(300, (2,)), None))
    assert (part._done, part._kept) == (1500, 1200)
    assert "left" in shown(part)
