"""heal beside random search, at equal optimizer steps, on the patients.

For each patient both get the steps of 20 full runs of its healthy twin. Random search draws learning rate, batch size,
optimizer, initialisation, activation and batch normalisation, runs each trial in full, and takes the best by the same
score that heal goes by. What either recommends is then run in full, on seeds neither has seen, and scored by the
metric that the script prints, as the share of the gap between sick and well that it closes (cut to 0 to 1).

    python benchmarks/heal.py [PATIENT ...] [--searches 2] [--seeds 3] [--trials 20] [--fresh]

Each patient is stored when it is done; a run that was stopped goes on where it was. Two processes at a time.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import random
import re
import statistics
import tomllib
from collections.abc import Sequence
from typing import Any

from _measure import RESULTS, store
from babysit.record import Remedy
from babysit.rehearsal import Ask, gain, heal, outcome_of
from babysit.scripts import Runner, Script, ScriptSubject, watching_environment

PATIENTS = pathlib.Path(__file__).parent.parent / "patients"
METRIC = re.compile(r"^metric:\s*(\S+)\s*$", re.MULTILINE)
OPTIMIZERS = ("sgd", "adam", "rmsprop", "adagrad")
ACTIVATIONS = ("relu", "tanh", "elu", "selu", "leaky-relu")
SCHEMES = ("he", "xavier", "orthogonal", "pytorch")
BATCHES = ("16", "32", "64", "128")
FRESH = 100  # the first seed that neither has seen
SECONDS = 3600.0  # steps are what counts here
SAME = 0.02  # of the gap: no difference
HEALED = 0.8  # of the gap, as the patients' scorer has it
# Causes that what random search draws can treat; the others lie in data, labels, wiring or regularisation.
WITHIN, OUTSIDE = "within random search's choices", "outside them"
WITHIN_REACH = frozenset(
    {"activations-explode", "activations-vanish", "gradients-explode", "gradients-vanish", "learning-rate-too-high",
     "learning-rate-too-low", "units-dead", "weights-symmetric"}
)  # fmt: skip


def drawn(stream: random.Random) -> tuple[Remedy, ...]:
    """One random trial; each choice but the rate is left as it is in one of two."""
    found = [Remedy("lr", f"{10 ** stream.uniform(-5, 0):.3g}")]
    for name, values in (("batch-size", BATCHES), ("optimizer", OPTIMIZERS), ("initialise", SCHEMES),
                         ("activation", ACTIVATIONS)):  # fmt: skip
        if stream.random() < 0.5:
            found.append(Remedy(name, stream.choice(values)))
    if stream.random() < 0.5:
        found.append(Remedy("insert-batch-norm"))
    return tuple(found)


def by_random_search(subject: ScriptSubject, trials: int, stream: random.Random) -> tuple[Remedy, ...]:
    """The best of some trials, none where no trial does better than the script as it is."""
    asks = [Ask(probes="losses")] + [Ask(remedies=drawn(stream), probes="losses") for _ in range(trials - 1)]
    before, *after = [outcome_of(found) for found in subject.rehearse_all(asks)]
    gains = [gain(before, one) for one in after]
    best = max(range(len(gains)), key=lambda place: gains[place])
    return asks[best + 1].remedies if gains[best] > 0 else ()


def closed(subject: ScriptSubject, remedies: Sequence[Remedy], truth: dict[str, Any], seeds: int) -> float:
    """Median over fresh seeds of the share of the gap that remedies close."""
    sick, well = (statistics.median(map(sound, truth["metric"][name])) for name in ("sick", "well"))
    shares = []
    asks = [Ask(remedies=tuple(remedies), seed=FRESH + seed, probes="losses") for seed in range(seeds)]
    for done in subject.run_all(asks):
        printed = METRIC.findall(done.output)
        metric = sound(float(printed[-1])) if printed else 0.0
        shares.append(min(1.0, max(0.0, (metric - sick) / (well - sick))))
    return statistics.median(shares)


def sound(metric: float) -> float:
    """A metric that is no number, or worse than a constant answer's, is worth nothing."""
    return max(0.0, metric) if math.isfinite(metric) else 0.0


def examine(folder: pathlib.Path, runner: Runner, trials: int, searches: int, seeds: int) -> dict[str, Any]:
    """Both on one patient."""
    truth = tomllib.loads((folder / "truth.toml").read_text(encoding="utf-8"))
    subject = ScriptSubject(Script(str(folder / "sick.py")), folder=folder, runner=runner)
    # Of the healthy program: the sick one may diverge, and be ended, after a few.
    with ScriptSubject(Script(str(folder / "well.py")), folder=folder, runner=runner) as healthy:
        full = healthy.run(Ask(probes="losses")).answer.steps
    found = heal(subject, seconds=SECONDS, most_steps=trials * full)
    row: dict[str, Any] = {
        "patient": folder.name, "steps of a run": full,
        "fault": WITHIN if WITHIN_REACH & set(truth["accepts"]) else OUTSIDE,
        "heal": {"remedies": [*map(str, found.remedies)], "closed": closed(subject, found.remedies, truth, seeds),
                 "steps": found.steps, "runs": found.runs},
        "random": [],
    }  # fmt: skip
    for seed in range(searches):
        remedies = by_random_search(subject, trials, random.Random(f"{folder.name} {seed}"))
        row["random"].append(
            {
                "remedies": [*map(str, remedies)],
                "closed": closed(subject, remedies, truth, seeds),
                "steps": trials * full,
            }
        )
    return row


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares over patients; random search's are means over its repeats."""
    return {
        "patients": len(rows),
        "mean closed": {
            "heal": statistics.fmean(row["heal"]["closed"] for row in rows),
            "random": statistics.fmean(one["closed"] for row in rows for one in row["random"]),
        },
        "healed": {
            "heal": statistics.fmean(row["heal"]["closed"] >= HEALED for row in rows),
            "random": statistics.fmean(one["closed"] >= HEALED for row in rows for one in row["random"]),
        },
        "better": sum(row["heal"]["closed"] > by_chance(row) + SAME for row in rows),
        "worse": sum(row["heal"]["closed"] < by_chance(row) - SAME for row in rows),
        "steps of heal": statistics.fmean(row["heal"]["steps"] / row["steps of a run"] for row in rows),
    }


def by_chance(row: dict[str, Any]) -> float:
    """What random search closes, on average."""
    return statistics.fmean(one["closed"] for one in row["random"])


def main() -> None:
    parser = argparse.ArgumentParser(description="heal beside random search, at equal steps.")
    parser.add_argument("patients", nargs="*")
    parser.add_argument("--searches", type=int, default=2, help="random searches a patient")
    parser.add_argument("--seeds", type=int, default=3, help="seeds on which what is recommended is scored")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--fresh", action="store_true", help="forget what was stored")
    options = parser.parse_args()
    settings = {"trials": options.trials, "searches": options.searches, "seeds": options.seeds}
    folders = sorted(path.parent for path in PATIENTS.glob("*/sick.py"))
    folders = [one for one in folders if not options.patients or one.name in options.patients]
    kept = {} if options.fresh else stored(settings)
    with Runner(2, watching_environment()) as runner:
        for folder in folders:
            row = kept.get(folder.name) or examine(folder, runner, **settings)
            kept[folder.name] = row
            told = f"heal {row['heal']['closed']:.2f}  random {by_chance(row):.2f}  {row['heal']['remedies']}"
            print(f"{folder.name:24} {told}", flush=True)
            rows = [*kept.values()]
            groups = {kind: [row for row in rows if row["fault"] == kind] for kind in {row["fault"] for row in rows}}
            summary = {"all": summarise(rows), **{kind: summarise(group) for kind, group in sorted(groups.items())}}
            store("heal", {**settings, "summary": summary, "patients": rows})
    print(json.dumps(summary, indent=2))


def stored(settings: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Patients that were measured before in the same way."""
    file = RESULTS / "heal.json"
    results = json.loads(file.read_text())["results"] if file.exists() else {}
    if any(results.get(name) != value for name, value in settings.items()):
        return {}
    return {row["patient"]: row for row in results["patients"]}


if __name__ == "__main__":
    main()
