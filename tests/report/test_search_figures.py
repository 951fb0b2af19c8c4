"""What the figures of a search are drawn from."""

from babysit.record import StudyRung
from babysit.report._study_figures import rung_bars


def rung(number: int, stage: str, generation: int, step: int, trials: int) -> StudyRung:
    return StudyRung(number, stage, generation, step, tuple(range(trials)), (), (), 1.0)  # type: ignore[arg-type]


def test_waves_and_generations_of_a_stage_are_one_bar() -> None:
    rungs = [
        rung(0, "coarse", 0, 80, 9),
        rung(1, "coarse", 0, 240, 3),
        rung(2, "fine", 1, 240, 5),
        rung(3, "fine", 1, 720, 2),
        rung(4, "coarse", 0, 80, 77),
        rung(5, "coarse", 0, 240, 26),
        rung(6, "fine", 2, 240, 6),
        rung(7, "full", 0, 720, 3),
    ]
    bars = [("coarse, 80 steps", 86), ("coarse, 240 steps", 29), ("fine, 240 steps", 11), ("fine, 720 steps", 2)]
    assert rung_bars(rungs) == [*bars, ("full, 720 steps", 3)]
