#!/usr/bin/env python3
"""Score `babysit` on the patients beside this file.

    python score.py                          # every folder here
    python score.py so-31880720 dc-cnn-red_soft
    python score.py --heal --jobs 2 --json result.json
    python score.py --babysit "python -m babysit"

For each patient `babysit check sick.py --json PATH` is asked for its findings; they count as

    found   at least one finding of severity sick or warning
    named   a name from `accepts` (truth.toml) is among the findings, whatever its severity
    first   the first finding is in `accepts`
    sound   it was called sound (`"verdict"`; where there is none, exit code 0): the worst that can be said of sick.py
    false   on well.py: a `sick` finding that `tolerates` (truth.toml) does not list
    unsure  on well.py: not judged

With --heal `babysit heal sick.py --json PATH` is asked for remedies, `babysit run --remedy R ... sick.py` runs the
program in full with them, and its last `metric: X` line gives the share of the gap that was closed: 0 is the sick
program's median, 1 the well one's. A nan metric or a negative R2 counts as 0 (a model no better than a constant). Exit
codes other than 0, 1 and 3 (not judged), a timeout or an unreadable answer are errors of that patient. Python 3.11,
standard library only.
"""

import argparse
import concurrent.futures
import contextlib
import json
import math
import os
import pathlib
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
METRIC = re.compile(r"^metric:\s*(\S+)\s*$", re.MULTILINE)


class Failed(Exception):  # noqa: N818  what failed is a patient's command, and the scorer goes on
    """One command of one patient went wrong; the text says how."""


def call(command, timeout, environment):
    """Run a command in a process group of its own. Returns (stdout, seconds) or raises Failed."""
    start = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise Failed(f"cannot start {command[0]}: {error.strerror or error}") from error
    try:
        output, complaint = process.communicate(timeout=timeout)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"timeout after {timeout:g} s") from error
        raise
    if process.returncode not in (0, 1, 3):
        last = (complaint.strip() or output.strip() or "no message").splitlines()[-1]
        raise Failed(f"exit code {process.returncode}: {last[:160]}")
    return output, time.monotonic() - start, process.returncode


def ask(babysit, verb, script, timeout, environment):
    """`babysit VERB SCRIPT --json PATH`: its answer as a dict, and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "answer.json"
        _, seconds, code = call([*babysit, verb, str(script), "--json", str(path)], timeout, environment)
        try:
            answer = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise Failed(f"{verb} wrote no JSON") from error
        except ValueError as error:
            raise Failed(f"{verb} wrote unreadable JSON: {error}") from error
    if not isinstance(answer, dict) or answer.get("schema") != 1:
        raise Failed(f"{verb} answered with an unknown schema")
    findings = answer.get("findings")
    if not isinstance(findings, list) or not all(isinstance(f, dict) and "name" in f for f in findings):
        raise Failed(f"{verb} answered without a list of findings")
    answer.setdefault("verdict", {0: "sound", 1: "sick", 3: "not judged"}[code])
    return answer, seconds


def number(metric):
    """A metric to compare with: nan, inf and a negative R2 (worse than a constant answer) count as 0."""
    return max(0.0, metric) if math.isfinite(metric) else 0.0


def share_closed(healed, truth):
    """Which share of the gap between the sick and the well median the healed metric closes."""
    metric = truth.get("metric", {})
    if not metric.get("sick") or not metric.get("well"):
        return None
    sick = statistics.median(number(v) for v in metric["sick"])
    well = statistics.median(number(v) for v in metric["well"])
    return None if well == sick else (number(healed) - sick) / (well - sick)


def examine(folder, options):
    """All that is asked about one patient, as a dict."""
    row = {"id": folder.name, "errors": []}
    try:
        with open(folder / "truth.toml", "rb") as file:
            truth = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        row["errors"].append(f"truth.toml: {error}")
        return row
    accepts, tolerates = truth.get("accepts", []), truth.get("tolerates", [])
    known = {*accepts, *truth.get("also", [])}
    sick, well = folder / "sick.py", folder / "well.py"
    row["control"] = not sick.exists()

    def attempt(label, work):
        try:
            return work()
        except Failed as error:
            row["errors"].append(f"{label}: {error}")
            return None

    if sick.exists():
        result = attempt(
            "check sick.py", lambda: ask(options.babysit, "check", sick, options.timeout, options.environment)
        )
        if result:
            answer, row["seconds"] = result
            findings = answer["findings"]
            names = [f["name"] for f in findings]
            row["found"] = any(f.get("severity") in ("sick", "warning") for f in findings)
            row["named"] = any(name in accepts for name in names)
            row["first"] = bool(names) and names[0] in accepts
            row["sound"] = answer["verdict"] == "sound"
            row["findings"] = [{"name": f["name"], "severity": f.get("severity")} for f in findings]
            row["beyond_truth"] = [
                f["name"] for f in findings if f.get("severity") == "sick" and f["name"] not in known
            ]
    if well.exists():
        result = attempt(
            "check well.py", lambda: ask(options.babysit, "check", well, options.timeout, options.environment)
        )
        if result:
            answer, row["seconds_well"] = result
            row["unsure"] = answer["verdict"] not in ("sound", "sick")
            row["findings_well"] = [{"name": f["name"], "severity": f.get("severity")} for f in answer["findings"]]
            row["false_alarms"] = [
                f["name"] for f in answer["findings"] if f.get("severity") == "sick" and f["name"] not in tolerates
            ]
    if options.heal and sick.exists():
        attempt("heal", lambda: heal(sick, truth, row, options))
    return row


def heal(sick, truth, row, options):
    answer, row["seconds_heal"] = ask(options.babysit, "heal", sick, options.timeout, options.environment)
    remedies = answer.get("remedies", [])
    if not isinstance(remedies, list) or not all(isinstance(r, str) for r in remedies):
        raise Failed("answered without a list of remedies")
    row["remedies"] = remedies
    if not remedies:
        row["closed"] = 0.0
        return
    flags = [part for remedy in remedies for part in ("--remedy", remedy)]
    output, _, _ = call([*options.babysit, "run", *flags, str(sick)], options.timeout, options.environment)
    lines = METRIC.findall(output)
    if not lines:
        raise Failed("the healed run printed no metric")
    try:
        row["healed"] = float(lines[-1])
    except ValueError as error:
        raise Failed(f"the healed run printed metric: {lines[-1]}") from error
    row["closed"] = share_closed(row["healed"], truth)
    if not math.isfinite(row["healed"]):
        row["healed"] = lines[-1]  # JSON has no nan


def tick(value):
    return {True: "yes", False: "no", None: "-"}[value]


def report(row, wide, with_heal):
    """One patient on one line."""
    if "control" not in row:
        return f"{row['id']:<{wide}}  ERROR {row['errors'][0]}"
    alarms = row.get("false_alarms")
    seconds = row.get("seconds_well" if row["control"] else "seconds")
    cells = [
        f"{row['id']:<{wide}}",
        *(f"{tick(row.get(key)):<5}" for key in ("found", "named", "first", "sound")),
        f"{tick(None if alarms is None else bool(alarms)):<5}",
        f"{'-' if seconds is None else f'{seconds:.1f}':>7}",
    ]
    if with_heal:
        closed = row.get("closed")
        cells.append(f"{'-' if closed is None else f'{closed:.0%}':>7}")
    notes = []
    if row.get("findings") and not row.get("first"):
        notes.append("said " + row["findings"][0]["name"])
    if alarms:
        notes.append("well.py: " + ", ".join(alarms))
    if row.get("remedies"):
        notes.append("remedies " + " ".join(row["remedies"]))
    notes += ["ERROR " + error for error in row["errors"]]
    return "  ".join([*cells, "; ".join(notes)]).rstrip()


def summary(rows, with_heal):
    """The totals, also for --json. Errors count as misses: the denominators are all patients."""
    patients = [r for r in rows if r.get("control") is False]
    wells = [r for r in rows if "false_alarms" in r]
    times = [r[key] for r in rows for key in ("seconds", "seconds_well") if key in r]
    totals = {"patients": len(patients), "controls": sum(r.get("control") is True for r in rows)}
    for key in ("found", "named", "first", "sound"):
        totals[key] = sum(bool(r.get(key)) for r in patients)
    totals["well_checked"] = len(wells)
    totals["false_alarms"] = sum(bool(r["false_alarms"]) for r in wells)
    totals["unsure"] = sum(bool(r.get("unsure")) for r in wells)
    totals["with_errors"] = sum(bool(r["errors"]) for r in rows)
    totals["median_seconds"] = round(statistics.median(times), 2) if times else None
    if with_heal:
        closed = [max(0.0, min(1.0, r.get("closed") or 0.0)) for r in patients]
        totals["healed_half"] = sum(c >= 0.5 for c in closed)
        totals["healed"] = sum(c >= 0.8 for c in closed)
        totals["median_closed"] = round(statistics.median(closed), 3) if closed else None
        totals["mean_closed"] = round(statistics.fmean(closed), 3) if closed else None
    return totals


def print_totals(totals):
    def line(label, count, whole):
        print(f"{label:<28}{count:>4} of {whole:<4}" + (f" {count / whole:6.1%}" if whole else ""))

    line("found", totals["found"], totals["patients"])
    line("named", totals["named"], totals["patients"])
    line("first", totals["first"], totals["patients"])
    line("called sound though sick", totals["sound"], totals["patients"])
    line("well.py not judged", totals["unsure"], totals["well_checked"])
    line("false alarm on well.py", totals["false_alarms"], totals["well_checked"])
    if "healed_half" in totals:
        line("at least half the gap", totals["healed_half"], totals["patients"])
        line("healed: 80% of the gap", totals["healed"], totals["patients"])
        if totals["median_closed"] is not None:
            print(
                f"{'gap closed':<28}median {totals['median_closed']:.0%}, mean {totals['mean_closed']:.0%}"
                " (each cut to 0-100%)"
            )
    line("folders with errors", totals["with_errors"], totals["patients"] + totals["controls"] + totals["unreadable"])
    if totals["median_seconds"] is not None:
        print(f"{'seconds a check':<28}median {totals['median_seconds']:.1f}")


def choose(names):
    if not names:
        folders = [p for p in HERE.iterdir() if (p / "truth.toml").is_file() or (p / "well.py").is_file()]
        return sorted(folders, key=lambda p: p.name)
    folders = []
    for name in names:
        path = next((p for p in (pathlib.Path(name), HERE / name) if p.is_dir()), None)
        if path is None:
            sys.exit(f"score.py: no folder {name}")
        folders.append(path.resolve())
    return folders


def main():
    parser = argparse.ArgumentParser(description="Score babysit on the patients.")
    parser.add_argument(
        "patients",
        nargs="*",
        metavar="PATIENT",
        help="folders, or names of folders beside this file (default: all of them)",
    )
    parser.add_argument("--heal", action="store_true", help="also ask for remedies and run the program with them")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="patients at a time (default 1)")
    parser.add_argument("--babysit", default="babysit", metavar="CMD", help="the command to score (default: babysit)")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="seconds a command may take (300)")
    parser.add_argument("--json", metavar="OUT", help="write all results to this file")
    options = parser.parse_args()
    options.babysit = shlex.split(options.babysit)
    if not options.babysit or options.jobs < 1 or options.timeout <= 0:
        parser.error("--babysit must not be empty, --jobs at least 1, --timeout above 0")
    options.environment = dict(os.environ)
    if options.jobs > 1:
        options.environment.setdefault("OMP_NUM_THREADS", "1")

    folders = choose(options.patients)
    if not folders:
        sys.exit("score.py: no patients")
    wide = max(len(f.name) for f in folders)
    header = f"{'patient':<{wide}}  found  named  first  sound  false  seconds"
    print(header + ("   closed" if options.heal else ""), flush=True)
    rows = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(lambda folder: examine(folder, options), folders):
            rows.append(row)
            print(report(row, wide, options.heal), flush=True)

    totals = summary(rows, options.heal)
    totals["unreadable"] = len(rows) - totals["patients"] - totals["controls"]
    print()
    print_totals(totals)
    if options.json:
        result = {"schema": 1, "babysit": options.babysit, "totals": totals, "patients": rows}
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
