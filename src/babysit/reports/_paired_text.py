"""A comparison of two trainings on a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from babysit.record import TrainingComparison, TrainingPair

STYLES = {"better": "bold green", "worse": "bold red", "not told apart": "bold yellow"}


def paired_headline(found: TrainingComparison) -> Text:
    """What came of it, in a line."""
    verdict = {
        "better": f"{found.second} is better than {found.first}",
        "worse": f"{found.second} is worse than {found.first}",
        "not told apart": f"{found.second} and {found.first} are not told apart at this noise",
    }[found.verdict]
    return Text(verdict + (", interrupted" if found.interrupted else ""), style=STYLES[found.verdict])


def paired_renderable(found: TrainingComparison) -> RenderableType:
    """The report as rich draws it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("seed", found.first, found.second, "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for pair in found.pairs:
        table.add_row(str(pair.seed), *_cells(pair))
    parts: list[RenderableType] = [paired_headline(found), Text(f"  {found.reason}")]
    if found.pairs:
        parts += [Text(), Text(f"{found.score} ({found.better} is better)"), table]
    return Group(*parts, *(Text(note, style="dim") for note in found.notes))


def pair_line(pair: TrainingPair) -> Text:
    """A pair in one line, as it is told while others are trained."""
    first, second, difference = _cells(pair)
    return Text(f"seed {pair.seed}: {first} and {second}, difference {difference}")


def _cells(pair: TrainingPair) -> tuple[str, str, str]:
    difference = f"{pair.second - pair.first:+.4g}" if pair.first is not None and pair.second is not None else ""
    one, two = ("failed" if score is None else f"{score:.4g}" for score in (pair.first, pair.second))
    return one, two, difference
