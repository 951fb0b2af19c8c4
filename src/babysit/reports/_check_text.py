"""A check's report on a terminal: the verdict, what is wrong, a line a step with its numbers, the verdict again."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from babysit.record import PreFlight, PreFlightStep
from babysit.reports._findings import finding_block

EXPLAINED = ("warn", "fail", "not judged")  # steps with what was expected beside what was measured
MARKS = {
    "pass": ("pass", "green"),
    "warn": ("warn", "bold yellow"),
    "fail": ("FAIL", "bold red"),
    "not judged": ("not judged", "yellow"),
    "skip": ("skip", "dim"),
}


def check_renderable(found: PreFlight) -> RenderableType:
    """The report as rich draws it, in a terminal or a notebook.

    Example:
        >>> from rich.console import Console
        >>> Console(width=60).print(check_renderable(PreFlight("net", (), (), 1.0)))
        check of net: nothing was checked (1.0 s)
    """
    headline = check_headline(found)
    parts: list[RenderableType] = [headline]
    if found.verdict != "sick":
        parts += [Text(f"  {reason}") for reason in found.reasons]
    if found.findings:
        parts += [Text(), *(finding_block(finding) for finding in found.findings)]
    if found.steps:
        parts += [Text(), _steps(found.steps)]
    parts += [Text(note, style="dim") for note in found.notes]
    if found.steps:
        parts += [Text(), headline]
    return Group(*parts)


def _steps(steps: Sequence[PreFlightStep]) -> Table:
    """A line a step with what was measured; what was expected beside it only where that is not what was measured."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for step in steps:
        word, style = MARKS[step.verdict]
        told = Text(step.measured or step.why, style="dim" if step.verdict == "skip" else "")
        if step.verdict in EXPLAINED and step.expected:
            told.append(f"; expected: {step.expected}", style="dim")
        table.add_row(Text(word, style=style), step.name, told)
    return table


def check_headline(found: PreFlight) -> Text:
    """What came of it, in a line."""
    count = {severity: sum(one.severity == severity for one in found.findings) for severity in ("sick", "warning")}
    if not found.steps:
        verdict, style = "nothing was checked", "yellow"
    elif found.verdict == "sick":
        verdict, style = f"sick, first of all {found.findings[0].name}", "bold red"
    else:
        verdict, style = found.verdict, "bold green" if found.ok else "bold yellow"
        if count["warning"]:
            plural = "s" if count["warning"] > 1 else ""
            verdict, style = f"{verdict}, {count['warning']} warning{plural}", "bold yellow"
    if found.interrupted:
        verdict += ", interrupted"
    return Text.assemble(f"check of {found.subject}: ", (verdict, style), f" ({found.seconds:.1f} s)")


def step_line(step: PreFlightStep) -> Text:
    """A step in one line, as it is told while the check runs.

    Example:
        >>> step_line(PreFlightStep("initial-loss", "pass", "2.31")).plain
        'pass  initial-loss     2.31'
    """
    word, style = MARKS[step.verdict]
    return Text.assemble((f"{word:4}", style), f"  {step.name:15}  ", step.measured or step.why)
