"""The data and what was decided from it, in lines: first what somebody should look at."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from babysit.record import DataSummary, Decision


def data_lines(data: DataSummary) -> list[str]:
    """What the data is, in a few lines."""
    shape = "x".join(str(size) for size in data.shape)
    what = {"table": f"{len(data.columns) or shape} columns", "images": f"images {shape}", "arrays": f"{shape} numbers"}
    splits = ", ".join(f"{rows:,} {phase}" for phase, rows in data.splits.items() if rows)
    learned = f"{len(data.classes)} classes" if data.task == "classification" else "a number"
    if data.task == "classification" and 1 < len(data.classes) <= 5:
        learned += f" ({', '.join(data.classes)})"
    return [
        f"data: {data.source}, {data.rows:,} rows of {what[data.kind]} ({splits})",
        f"to learn: {data.target}, {learned}",
        *(f"note: {note}" for note in data.notes),
    ]


def doubt_texts(decisions: Sequence[Decision]) -> list[Text]:
    """What is doubtful, each with what to type to decide it otherwise; nothing where nothing is."""
    doubts = [decision for decision in decisions if decision.change]
    if not doubts:
        return []
    lines = [Text(f"{len(doubts)} {'thing' if len(doubts) == 1 else 'things'} to look at", style="bold yellow")]
    for number, doubt in enumerate(doubts, 1):
        lines.append(Text(f"{number}. {doubt.value} ({doubt.setting}): {doubt.why}", style="yellow"))
        lines.append(Text(f"   otherwise: {doubt.change}"))
    return lines


def data_texts(data: DataSummary, decisions: Sequence[Decision]) -> list[Text]:
    """The data, its target, what is doubtful, and the other decisions."""
    lines = [*map(Text, data_lines(data)), *doubt_texts(decisions)]
    lines += [Text(f"{one.setting}: {one.value} ({one.why})") for one in decisions if not one.change]
    return lines
