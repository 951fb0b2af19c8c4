"""Figures of a search as numbers: what is drawn where, before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from babysit.record import Setting, Standing, StudyParameter, StudyResult, StudyRung, Winner

STAGES = ("coarse", "fine", "full")
MOST_LINES = 400  # of parallel coordinates; more are a cloud


class Axis(NamedTuple):
    """One axis of parallel coordinates."""

    label: str
    values: tuple[float, ...]
    ticks: tuple[float, ...]
    words: tuple[str, ...]


class Parallel(NamedTuple):
    """Parallel coordinates: a line a trial."""

    axes: tuple[Axis, ...]
    scores: tuple[float, ...]


class Cloud(NamedTuple):
    """Score against one hyper-parameter."""

    path: str
    log: bool
    options: tuple[str, ...]
    values: tuple[float | str, ...]
    scores: tuple[float, ...]
    stages: tuple[str, ...]
    low: float | None
    high: float | None


class Climb(NamedTuple):
    """Scores of trials at the rungs they stood at."""

    courses: tuple[tuple[tuple[int, ...], tuple[float, ...], str], ...]  # steps, scores, stage


class RungBar(NamedTuple):
    """How many trials stood at a rung."""

    name: str
    trials: int


def sound(standings: Sequence[Standing]) -> list[Standing]:
    """Those with a score."""
    return [standing for standing in standings if not standing.failed]


def parallel(parameters: Sequence[StudyParameter], standings: Sequence[Standing]) -> Parallel | None:
    """A line for each trial that did not fail, through its settings, to its score."""
    shown = [one for one in sound(standings) if all(parameter.path in one.settings for parameter in parameters)]
    shown = spread(shown, MOST_LINES)
    if len(shown) < 2:
        return None
    axes = []
    for parameter in parameters:
        if parameter.kind == "choice":
            places = {option: float(place) for place, option in enumerate(parameter.options)}
            values = tuple(places.get(option_text(one.settings[parameter.path]), 0.0) for one in shown)
            axes.append(Axis(last_word(parameter.path), values, tuple(places.values()), tuple(places)))
            continue
        numbers = [float(one.settings[parameter.path]) for one in shown]
        if not parameter.log:
            axes.append(Axis(last_word(parameter.path), tuple(numbers), (), ()))
            continue
        logs = tuple(math.log10(max(number, 1e-300)) for number in numbers)
        decades = range(math.floor(min(logs)), math.ceil(max(logs)) + 1)
        axes.append(Axis(last_word(parameter.path), logs, tuple(map(float, decades)), tuple(f"1e{n}" for n in decades)))
    return Parallel(tuple(axes), tuple(one.score for one in shown))


def spread(ordered: Sequence[Standing], most: int) -> list[Standing]:
    """Of many trials some of each rank, the best and the worst among them: of the best alone nothing is seen.

    Args:
        ordered: The best first.
        most: Trials, two or more.
    """
    count = len(ordered)
    if count <= most:
        return list(ordered)
    return [ordered[place * (count - 1) // (most - 1)] for place in range(most)]


def clouds(parameters: Sequence[StudyParameter], standings: Sequence[Standing]) -> list[Cloud]:
    """A scatter of scores for each hyper-parameter."""
    found = []
    for parameter in parameters:
        shown = [one for one in sound(standings) if parameter.path in one.settings]
        values: tuple[float | str, ...] = tuple(
            option_text(one.settings[parameter.path])
            if parameter.kind == "choice"
            else float(one.settings[parameter.path])
            for one in shown
        )
        found.append(
            Cloud(
                parameter.path,
                parameter.log,
                parameter.options,
                values,
                tuple(one.score for one in shown),
                tuple(one.stage for one in shown),
                parameter.low,
                parameter.high,
            )
        )
    return found


def climb(standings: Sequence[Standing], most: int = MOST_LINES) -> Climb:
    """Scores from rung to rung, of each trial that stood at several; of all where none did."""
    courses = []
    for standing in spread([one for one in standings if len(one.course) > 1] or standings, most):
        points = [(step, score) for step, score in standing.course if math.isfinite(score)]
        if points:
            steps, scores = zip(*points, strict=True)
            courses.append((steps, scores, standing.stage))
    return Climb(tuple(courses))


def rung_bars(rungs: Sequence[StudyRung]) -> list[RungBar]:
    """How many trials stood at each rung of each stage: waves, and generations, together."""
    counts: dict[str, int] = {}
    for rung in sorted(rungs, key=lambda one: (STAGES.index(one.stage), one.step)):
        name = f"{rung.stage}, {rung.step} steps"
        counts[name] = counts.get(name, 0) + len(rung.trials)
    return [RungBar(name, count) for name, count in counts.items()]


def option_text(value: float | int | str | bool) -> str:
    """An option as the parameter's description writes it.

    Example:
        >>> option_text(True), option_text("relu")
        ('true', 'relu')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def last_word(path: str) -> str:
    """The last word of a path.

    Example:
        >>> last_word("optimizer.lr")
        'lr'
    """
    return path.rpartition(".")[2]


def setting_text(value: Setting) -> str:
    """A setting's value for people: four digits say enough.

    Example:
        >>> setting_text(0.00123456), setting_text(3), setting_text("relu")
        ('0.001235', '3', 'relu')
    """
    return f"{value:.4g}" if isinstance(value, float) else option_text(value)


def settings_text(settings: Mapping[str, Setting]) -> str:
    """Settings in one line."""
    return ", ".join(f"{last_word(path)} {setting_text(value)}" for path, value in settings.items())


def behind_text(winner: Winner) -> str:
    """How far a winner lies behind the best, with its interval.

    Example:
        >>> behind_text(Winner(7, {}, (0.8, 0.7), 0.75, 0.07, (0.05, -0.00001, 0.1), True, (1, 2)))
        '0.0500 (0.0000 to 0.1000)'
    """
    mean, low, high = (round(value, 4) + 0.0 for value in winner.behind)  # no minus before a zero
    return f"{mean:.4f} ({low:.4f} to {high:.4f})" if math.isfinite(high - low) else f"{mean:.4f}, one training each"


def remarks(winner: Winner) -> list[str]:
    """What else is to be said of a winner, in a few words each."""
    trainings = len(winner.scores) + winner.failed
    return [
        *(["a tie"] if winner.tied else []),
        *([f"{winner.failed} of {trainings} trainings failed"] if winner.failed else []),
    ]


def verdict(result: StudyResult) -> str:
    """What was found, in a sentence.

    Example:
        >>> verdict(StudyResult("accuracy"))
        'no trial survived'
    """
    if not result.winners:
        tried = any(status not in ("diverged", "exploded") for status in result.by_status)
        return "trained in full, none of the best points survived" if tried else "no trial survived"
    best = result.winners[0]
    # One that fails now and then comes after the rest, and may score more in the trainings that lasted.
    rivals = [winner for winner in result.winners[1:] if best.failed or not winner.failed]
    tied = [winner for winner in rivals if winner.tied]
    what = f"{result.score_name} {best.mean:.4f}"
    if math.isfinite(best.spread):
        what += f" ± {best.spread:.4f} over {len(best.scores)} trainings"
    if best.failed:
        what += f"; {best.failed} of its {len(best.scores) + best.failed} trainings failed"
    if tied:
        others = "the next" if len(tied) == 1 else f"the next {len(tied)}"
        known = all(math.isfinite(winner.behind[2]) for winner in tied)
        why = (
            "their difference is within its uncertainty" if known else "of one training each, their order may be chance"
        )
        return f"{what}; a tie with {others}: {why}"
    if rivals:
        return f"{what}; better than the next by {rivals[0].behind[0]:.4f}, beyond its uncertainty"
    return what


def whole_percents(shares: Sequence[float]) -> list[int]:
    """Shares of a whole in percent, so that what is shown adds up to what there is: the largest remainders round up.

    Example:
        >>> whole_percents([0.284, 0.284, 0.284, 0.148])
        [29, 28, 28, 15]
    """
    percents = [100 * share for share in shares]
    whole = [math.floor(one) for one in percents]
    missing = round(sum(percents)) - sum(whole)
    order = sorted(range(len(shares)), key=lambda place: (whole[place] - percents[place], place))
    for place in order[:missing]:
        whole[place] += 1
    return whole
