"""Writes docs/patients.md from what `make patients` scored.

python docs/write_patients.py [patients/score.json]
"""

from __future__ import annotations

import json
import pathlib
import sys
import tomllib
from typing import Any

DOCS = pathlib.Path(__file__).parent
PATIENTS = DOCS.parent / "patients"
PAGE = DOCS / "patients.md"
COMMAND = "make patients"
INTRODUCTION = f"""<!-- Made by `{COMMAND}`: run it again, do not edit. -->

# Patients

Real training programs with a known fault, their healthy twins, and healthy controls (`patients/`), scored
by `patients/score.py`: `babysit check` on every file, `babysit heal` on the sick ones, and the sick ones run in full
under what heal recommends. Failures included.

*found*: any sick finding or warning. *first*: the first finding is the cause. *false alarm*: a sick finding on the
healthy twin or control. *closed*: share of the gap between the metrics of the sick and the well program that the
recommended change closes; 80 % counts as healed.
"""


def page(score: dict[str, Any]) -> str:
    """The whole page, in Markdown."""
    totals = score["totals"]
    sick, wells = totals["patients"], totals["well_checked"]
    lines = [
        INTRODUCTION,
        *(f"{note}\n" for note in score.get("notes", ())),
        "| | |",
        "| --- | --- |",
        f"| found | {totals['found']} of {sick} |",
        f"| cause named first | {totals['first']} of {sick} |",
        *([f"| called sound though sick | {totals['sound']} of {sick} |"] if "sound" in totals else []),
        f"| false alarms | {totals['false_alarms']} of {wells} |",
        *([f"| healthy, not judged | {totals['unsure']} of {wells} |"] if "unsure" in totals else []),
        f"| seconds a check, median | {totals['median_seconds']} |",
    ]
    if "healed" in totals:
        lines += [f"| healed (80 % of the gap) | {totals['healed']} of {sick} |",
                  f"| gap closed, median | {totals['median_closed']:.0%} |"]  # fmt: skip
    lines += ["", "| patient | fault and published fix | first finding | false alarm | healed by | closed |",
              "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    return "\n".join([*lines, *(_line(row) for row in score["patients"])]) + "\n"


def _line(row: dict[str, Any]) -> str:
    truth = tomllib.loads((PATIENTS / row["id"] / "truth.toml").read_text(encoding="utf-8"))
    findings = row.get("findings") or []
    first = "" if row["control"] else findings[0]["name"] if findings else "nothing"
    mark = "" if row["control"] or row.get("first") else " (wrong)"
    alarms = ", ".join(row.get("false_alarms") or []) or "no"
    closed = f"{row['closed']:.0%}" if isinstance(row.get("closed"), float) else ""
    fault = truth.get("remedy") or truth.get("source", "")
    cells = [row["id"], fault.partition(";")[0], first + mark, alarms, " ".join(row.get("remedies", [])), closed]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    source = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else PATIENTS / "score.json"
    PAGE.write_text(page(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"{PAGE} from {source}")
