"""The page of a search: one HTML file that needs nothing else."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from babysit.record import Study, write_atomic
from babysit.reports._draw_study import (
    draw_best_of,
    draw_climb,
    draw_cloud,
    draw_importance,
    draw_parallel,
    draw_rungs,
)
from babysit.reports._environment import filled
from babysit.reports._pictures import Picture
from babysit.reports._study_figures import (
    MOST_LINES,
    behind_text,
    climb,
    clouds,
    last_word,
    parallel,
    remarks,
    rung_bars,
    setting_text,
    verdict,
)

FEW_AXES = 4  # that fit into a column beside each other
LEADERS = 15  # trials of the table; the figures have all


def write_study_page(study: Study, path: str | pathlib.Path | None = None) -> pathlib.Path:
    """Write the report of a search as one HTML file.

    Args:
        study: The Study; an unfinished one is shown the results so far.
        path: Where to; None takes `report.html` in the Study folder.

    Returns:
        The path.

    Raises:
        StorageError: The disk refused it; nothing is left half-written.
    """
    target = pathlib.Path(path) if path is not None else study.path / "report.html"
    write_atomic(target, render_study_page(study))
    return target


def render_study_page(study: Study) -> str:
    """The page as text."""
    result, standings = study.result, study.standings()
    pictures = study_pictures(study)
    return filled(
        "study.html",
        {found.name: found.figure for found in pictures if found.figure is not None},
        info=study.info,
        title=pathlib.Path(study.info.subject).name,
        name=study.path.name,
        result=result,
        verdict=verdict(result) if result is not None else f"{study.info.status}: the results so far",
        leaders=[standing for standing in standings if not standing.failed][:LEADERS],
        settings=[parameter.path for parameter in study.info.space],
        last_word=last_word,
        setting_text=setting_text,
        remarks=remarks,
        behind_text=behind_text,
        plan=plan_text(study.info.plan),
        boxes=[rung for rung in study.rungs() if rung.box and rung.stage == "fine"],
        pictures=pictures,
    )


def plan_text(plan: Mapping[str, Any]) -> str:
    """The plan's numbers on a line; what is empty is left out.

    Example:
        >>> plan_text({"full": 240, "budget": 85497.26557, "chance_from": 100, "first": []})
        'full 240, budget 85,497, chance from 100'
    """
    told = {
        name.replace("_", " "): f"{value:,.0f}" if isinstance(value, float) and value >= 1000 else setting_text(value)
        for name, value in plan.items()
        if value not in (None, [], ())
    }
    return ", ".join(f"{name} {value}" for name, value in told.items())


def study_pictures(study: Study) -> list[Picture]:
    """The figures of a search, each with the sentence that says how to read it."""
    result, standings, rungs = study.result, study.standings(), study.rungs()
    score = result.score_name if result is not None else "score"
    pictures = []
    lines = parallel(study.info.space, standings)
    if lines is not None and len(lines.axes) > 1:
        text = "One line for each trial, through its settings to its score. Drag along an axis to select a range."
        if len(lines.scores) == MOST_LINES:
            text += f" {MOST_LINES} of the trials are shown, from the best to the worst."
        across = len(lines.axes) > FEW_AXES
        pictures.append(Picture("parallel", "All settings together", text, draw_parallel(lines, score), across))
    for number, cloud in enumerate(clouds(study.info.space, standings)):
        text = "One dot for each trial, at its last score. Dotted lines: the ends of the range that was given."
        title = last_word(cloud.path)
        pictures.append(Picture(f"setting-{number}", title, text, draw_cloud(cloud, score)))
    if result is not None and result.importance:
        text = (
            "The share of the variance of the trials' ranks that each setting explains alone, and what they explain"
            f" only together. A forest of trees learned the ranks; of trials it had not seen it explains"
            f" {result.explained:.0%}, and as far as that the shares can be believed."
        )
        figure = draw_importance(result.importance, result.interactions)
        pictures.append(Picture("importance", "What mattered", text, figure))
    if result is not None and len(result.best_of) > 2:
        text = (
            "What the best of so many coarse trials scores. A curve that is flat at its right end says that more"
            " trials of the kind would have found nothing better."
        )
        pictures.append(Picture("best-of", "Best of n", text, draw_best_of(result.best_of, score)))
    if standings:
        text = "Each trial's score at the rungs it stood at. Lines that cross much say that early rungs misjudge."
        pictures.append(Picture("climb", "From rung to rung", text, draw_climb(climb(standings), score)))
    if rungs:
        text = "How many trials stood at each rung of each stage."
        pictures.append(Picture("rungs", "Rungs", text, draw_rungs(rung_bars(rungs))))
    return pictures
