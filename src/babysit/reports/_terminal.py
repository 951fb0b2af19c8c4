"""A Run on the terminal: data, decisions, model, checks, scores."""

from __future__ import annotations

import math
import pathlib

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from babysit.record import Evaluation, Run, RunSummary, Score, TrainingAnswer
from babysit.reports._console import CleanConsole
from babysit.reports._data_text import data_lines, doubt_texts
from babysit.reports._findings import finding_line

SHOWN_LAYERS = 30  # a deeper model is told by its ends; the page has all


def print_summary(run: Run, console: Console | None = None) -> None:
    """Print what a Run is and how well it does.

    Args:
        run: The Run.
        console: Where to; None takes the standard output.
    """
    (console or CleanConsole()).print(summary_renderable(run), crop=False)


def summary_renderable(run: Run) -> RenderableType:
    """What a Run is and how well it does, as rich draws it."""
    summary = run.summary
    parts: list[RenderableType] = [*map(Text, data_lines(summary.data)), *doubt_texts(summary.decisions)]
    parts += [Text(), _decisions(summary)]
    parts += [Text(f"preprocessing: {step}") for step in summary.preprocessing]
    parts.append(_layers(summary))
    for check in summary.checks:
        text = f"check: {check.name} {check.measured:.4g}, expected about {check.expected:.4g}: {check.verdict}"
        parts.append(Text(text, style="" if check.verdict == "pass" else "yellow"))
    for event in run.trace().happened("not-finite"):
        parts.append(Text(f"step {event.step}: {event.text}", style="red"))
    parts += [finding_line(finding) for finding in run.findings]
    evaluations = run.evaluations
    if not evaluations:
        parts.append(Text(f"no scores yet: the Run is {run.info.status}", style="yellow"))
    for phase in sorted(evaluations, key="train validation test".find):  # test scores come last
        parts.append(evaluation_renderable(evaluations[phase]))
    parts.append(path_line("run:", run.path))
    return Group(*parts)


def path_line(name: str, path: object) -> Text:
    """A path in a line that is never wrapped, so that it can be copied whole."""
    return Text(f"{name} {path}", no_wrap=True, overflow="ignore")


def evaluation_renderable(evaluation: Evaluation) -> RenderableType:
    """Scores with their intervals, as rich draws them."""
    return Group(_scores(evaluation), *(Text(f"  {note}") for note in evaluation.notes))


def _decisions(summary: RunSummary) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="decided from the data", title_justify="left")
    table.add_column("setting", no_wrap=True)
    table.add_column("value", max_width=20)
    table.add_column("because")
    for decision in summary.decisions:
        if decision.change:
            continue  # told above
        table.add_row(decision.setting, decision.value, decision.why)
    return table


def _layers(summary: RunSummary) -> Table:
    total = sum(layer.parameters for layer in summary.layers)
    title = f"model: {total:,} parameters, on {summary.device}"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for name in ("layer", "kind", "output"):
        table.add_column(name, no_wrap=True)
    table.add_column("parameters", justify="right")
    layers = [layer for layer in summary.layers if layer.parameters]
    half = SHOWN_LAYERS // 2
    shown = layers if len(layers) <= SHOWN_LAYERS else [*layers[:half], None, *layers[-half:]]
    for layer in shown:
        if layer is None:
            table.add_row(f"... {len(layers) - 2 * half} more", "", "", "")
        else:
            table.add_row(layer.name, layer.kind, "x".join(map(str, layer.output)), f"{layer.parameters:,}")
    return table


def _scores(evaluation: Evaluation) -> Table:
    title = f"{evaluation.phase}: {evaluation.rows:,} rows"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    table.add_column("score", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for score in evaluation.scores:
        table.add_row(score.name, score_number(score.value), interval(score))
    return table


def score_number(value: float) -> str:
    """A score in four digits, large ones with a comma at the thousands."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"


def interval(score: Score) -> str:
    """A score's confidence interval, empty without one."""
    if score.low is None or score.high is None:
        return ""
    return f"{score_number(score.low)} to {score_number(score.high)}"


def training_answer(run: Run, *, reason: str = "", report: pathlib.Path | None = None) -> TrainingAnswer:
    """A Run as `--json` prints it.

    Args:
        run: The Run.
        reason: Why its training ended.
        report: The page.
    """
    summary = run.summary
    return TrainingAnswer(
        schema=1,
        run=str(run.path),
        status=run.info.status,
        seed=run.info.seed,
        versions=run.info.versions,
        data=summary.data,
        decisions=summary.decisions,
        preprocessing=summary.preprocessing,
        layers=summary.layers,
        checks=summary.checks,
        device=summary.device,
        evaluations=run.evaluations,
        events=tuple(event._asdict() for event in run.trace().events),
        findings=tuple(run.findings),
        reason=reason,
        report=None if report is None else str(report),
    )
