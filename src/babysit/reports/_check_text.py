"""A check's report on a terminal: a line a step with its verdict and numbers, then what is wrong."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from babysit.record import PreFlight, PreFlightStep
from babysit.reports._findings import finding_block

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
    parts: list[RenderableType] = [check_headline(found)]
    parts += [Text(f"  {reason}") for reason in found.reasons]
    if found.steps:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        table.add_column("step", no_wrap=True)
        table.add_column("", no_wrap=True)
        table.add_column("measured", ratio=3)
        table.add_column("expected", ratio=2, style="dim")
        table.add_column("s", justify="right", no_wrap=True, style="dim")
        for step in found.steps:
            word, style = MARKS[step.verdict]
            told = step.measured or step.why
            seconds = f"{step.seconds:.1f}" if step.verdict != "skip" else ""
            table.add_row(step.name, Text(word, style=style), Text(told), Text(step.expected), seconds)
        parts += [Text(), table]
    if found.findings:
        parts += [Text(), *(finding_block(finding) for finding in found.findings)]
    parts += [Text(note, style="dim") for note in found.notes]
    return Group(*parts)


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
