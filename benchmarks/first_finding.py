"""How soon does a check say what is wrong, and how long does all of it take?

`babysit check sick.py --plain` on the patients, each in its folder: the seconds from the start of the process until the
first line that names what the patient has (a name that its truth.toml accepts), and until the check ends. The time that
Python and PyTorch need to be imported is in both. What is compared is the promise: 10 s and 20 s, as medians.

    python benchmarks/first_finding.py [PATIENT ...]
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import time
import tomllib
from typing import Any

from _measure import quartiles, store

PATIENTS = pathlib.Path(__file__).parents[1] / "patients"
PROMISED_FIRST, PROMISED_WHOLE = 10.0, 20.0


def patients() -> list[str]:
    """The sick ones, by name."""
    return [
        path.parent.name
        for path in sorted(PATIENTS.glob("*/truth.toml"))
        if (path.parent / "sick.py").exists() and tomllib.loads(path.read_text()).get("accepts")
    ]


def measured(name: str) -> dict[str, float | None]:
    """Seconds until the first true finding is told (None where it is not), and until the end."""
    folder = PATIENTS / name
    accepted = tomllib.loads((folder / "truth.toml").read_text())["accepts"]
    began = time.monotonic()
    first = None
    with subprocess.Popen(
        [sys.executable, "-m", "babysit", "check", "sick.py", "--plain"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if first is None and line.startswith(("sick: ", "warning: ")) and any(one in line for one in accepted):
                first = time.monotonic() - began
    return {"first": first, "whole": time.monotonic() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", nargs="*", default=[])
    arguments = parser.parse_args()
    found: dict[str, dict[str, float | None]] = {}
    for name in arguments.patients or patients():
        found[name] = measured(name)
        print(name, found[name], f"load {os.getloadavg()[0]:.1f}", flush=True)
    firsts = [seconds for one in found.values() if (seconds := one["first"]) is not None]
    wholes = [seconds for one in found.values() if (seconds := one["whole"]) is not None]
    results: dict[str, Any] = {
        "first true finding": quartiles(firsts) | {"n": len(firsts), "promised": PROMISED_FIRST} if firsts else None,
        "whole check": quartiles(wholes) | {"n": len(wholes), "promised": PROMISED_WHOLE},
        "load of the machine at the end": os.getloadavg()[0],
        "patients": found,
    }
    store("first_finding", results)


if __name__ == "__main__":
    main()
