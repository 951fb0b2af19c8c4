"""Writes docs/quantities.md from the one table of quantities.

python docs/write_quantities.py
"""

from __future__ import annotations

import pathlib

from babysit.diseases import readers_of
from babysit.record import EVENTS, FACTS, QUANTITIES

PAGE = pathlib.Path(__file__).parent / "quantities.md"
COMMAND = "python docs/write_quantities.py"
INTRODUCTION = f"""<!-- Made from the table of quantities by `{COMMAND}`: change it there, not here. -->

# What a trace holds

Rows of (step, phase, layer, quantity, value). A step is counted by the optimizer: step 0 is what was measured before
the weights changed for the first time. The layer is empty for the whole network; `(inputs)`, `(outputs)` and
`(targets)` stand for the batch, `(inputs)[3]` for one feature of it. "Read by" names the diseases that are found by it.
"""
NAMED = 6  # diseases in one cell


def page() -> str:
    """The whole page, in Markdown."""
    lines = [INTRODUCTION, "| quantity | unit | definition | read by |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{found.name}` | {found.unit} | {_cell(found.definition)} | {_readers(found.name)} |"
        for found in QUANTITIES.values()
    ]
    for title, kind, table in (
        ("Facts, which hold for the whole training", "fact", FACTS),
        ("Events", "event", EVENTS),
    ):
        lines += ["", f"## {title}", "", "| name | meaning | read by |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | {_cell(meaning)} | {_readers(f'{kind}:{name}')} |" for name, meaning in table.items()]
    return "\n".join(lines) + "\n"


def _readers(name: str) -> str:
    """Those that read little beside it first."""
    readers = readers_of(name)
    more = f" and {len(readers) - NAMED} more" if len(readers) > NAMED else ""
    return ", ".join(f"[{reader}](diseases.md#{reader})" for reader in readers[:NAMED]) + more


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE}: {len(QUANTITIES)} quantities")
