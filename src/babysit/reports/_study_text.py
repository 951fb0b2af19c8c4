"""A search on the terminal: winners, ties, what mattered, what is wrong with it."""

from __future__ import annotations

import math

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from babysit.record import Study, StudyResult
from babysit.reports._findings import finding_line
from babysit.reports._study_figures import (
    behind_text,
    last_word,
    remarks,
    setting_text,
    settings_text,
    verdict,
    whole_percents,
)

MOST_COLUMNS = 4  # of settings; more do not fit beside each other on 80 columns, and are one that is wrapped
FEW_DECISIONS = 3  # more are a wall of text; each kind of network brings its own


def study_renderable(study: Study) -> RenderableType:
    """The same as rich draws it."""
    result = study.result
    if result is None:
        trials = len(study.trials())
        return Text(
            f"search {study.info.status}: {len(study.rungs())} rungs, {trials} trials are kept; go on with\n"
            f"  babysit resume {study.path}"
        )
    parts: list[RenderableType] = [Text.assemble((verdict(result), "bold")), Text(), _winners(study, result)]
    parts += [Text(line) for line in _lines(result)]
    if result.findings:
        parts += [Text(), *(finding_line(finding) for finding in result.findings)]
    return Group(*parts)


def _winners(study: Study, result: StudyResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", justify="right")
    paths = [parameter.path for parameter in study.info.space]
    together = len(paths) > MOST_COLUMNS
    for path in ["settings"] if together else paths:
        table.add_column(last_word(path), justify="left" if together else "right")
    table.add_column(result.score_name, justify="right", no_wrap=True)
    table.add_column("behind the best", justify="right")
    table.add_column("")
    for place, winner in enumerate(result.winners, start=1):
        spread = f" ± {winner.spread:.4f}" if math.isfinite(winner.spread) else ""
        behind = "" if place == 1 else behind_text(winner)
        settings = [setting_text(winner.settings[path]) if path in winner.settings else "" for path in paths]
        if together:
            settings = [settings_text({path: winner.settings[path] for path in paths if path in winner.settings})]
        table.add_row(str(place), *settings, f"{winner.mean:.4f}{spread}", behind, ", ".join(remarks(winner)))
    return table


def _lines(result: StudyResult) -> list[str]:
    lines = []
    if result.importance:
        ordered = sorted(result.importance.items(), key=lambda item: -item[1])
        *alone, jointly = whole_percents([*(share for _, share in ordered), result.interactions])
        told = ", ".join(
            f"{last_word(path)} {percent}%" for (path, _), percent in zip(ordered, alone, strict=True) if percent
        )
        lines.append(f"what mattered: {told or 'nothing alone'}, together {jointly}%")
    for phase, scores in result.ensemble.items():
        together = f"{scores['members']:.0f} survivors together {scores['ensemble']:.4f}, the best alone"
        lines.append(f"{phase}: {together if scores['members'] > 1 else 'the winner'} {scores['best alone']:.4f}")
    failed = f"{result.failing:.0%} of the coarse ones failed"
    lines.append(f"{result.trials:,} trials, {result.steps:,} steps, {result.seconds:.1f} s; {failed}")
    if len(result.decisions) <= FEW_DECISIONS:
        lines += list(result.decisions)
    else:
        lines.append(f"how trials were computed: {len(result.decisions)} ways, as the report tells")
    return lines
