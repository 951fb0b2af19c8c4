"""What the figures of a search are drawn from."""

from babysit.record import Standing, StudyRung
from babysit.reports._study_figures import climb, rung_bars, spread


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


def test_lines_are_of_every_rank() -> None:
    ordered = [Standing(n, "coarse", 0, {}, {}, 100, 1 - n / 999, 0.0, "alive", ()) for n in range(1000)]
    shown = spread(ordered, 400)
    assert len(shown) == len({one.point for one in shown}) == 400
    assert (shown[0].score, shown[-1].score) == (1.0, 0.0)
    assert abs(sum(one.score for one in shown) / 400 - 0.5) < 0.01
    assert spread(ordered[:7], 400) == ordered[:7]


def test_lines_from_rung_to_rung_are_of_trials_that_went_on() -> None:
    short = [Standing(n, "coarse", 0, {}, {}, 10, 0.5, 0.0, "alive", ((10, 0.5),)) for n in range(5)]
    long = [Standing(9, "coarse", 0, {}, {}, 30, 0.7, 0.0, "alive", ((10, 0.6), (30, 0.7)))]
    assert [steps for steps, _, _ in climb([*long, *short]).courses] == [(10, 30)]
    assert len(climb(short).courses) == 5
