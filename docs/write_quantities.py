"""Writes docs/quantities.md from the one table of quantities.

python docs/write_quantities.py
"""

from __future__ import annotations

import pathlib

from babysit.record import EVENTS, FACTS, QUANTITIES

PAGE = pathlib.Path(__file__).parent / "quantities.md"
COMMAND = "python docs/write_quantities.py"
INTRODUCTION = f"""<!-- Made from the table of quantities by `{COMMAND}`: change it there, not here. -->

# What a trace holds

Rows of (step, phase, layer, quantity, value). A step is counted by the optimizer: step 0 is what was measured before
the weights changed for the first time. The layer is empty for the whole network; `(inputs)`, `(outputs)` and
`(targets)` stand for the batch, `(inputs)[3]` for one feature of it.
"""


def page() -> str:
    """The whole page, in Markdown."""
    lines = [INTRODUCTION, "| quantity | unit | definition |", "| --- | --- | --- |"]
    lines += [f"| `{found.name}` | {found.unit} | {_cell(found.definition)} |" for found in QUANTITIES.values()]
    for title, table in (("Facts, which hold for the whole training", FACTS), ("Events", EVENTS)):
        lines += ["", f"## {title}", "", "| name | meaning |", "| --- | --- |"]
        lines += [f"| `{name}` | {_cell(meaning)} |" for name, meaning in table.items()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE}: {len(QUANTITIES)} quantities")
