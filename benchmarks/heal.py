"""heal beside random search, at equal optimizer steps, on the patients.

For each patient both get the steps of 20 full runs of the sick script. Random search draws learning rate, batch size,
optimizer, initialisation, activation and batch normalisation, runs each trial in full, and takes the best by the same
score that heal goes by. What either recommends is then run in full, on seeds neither has seen, and scored by the
metric that the script prints, as the share of the gap between sick and well that it closes (cut to 0 to 1).

    python benchmarks/heal.py [PATIENT ...] [--seeds 3] [--trials 20]
"""

from __future__ import annotations

import argparse
import math
import pathlib
import random
import re
import statistics
import tomllib
from collections.abc import Sequence
from typing import Any

from _measure import store
from babysit.record import Remedy
from babysit.rehearse import Ask, gain, heal, outcome_of
from babysit.script import Processes, Script, ScriptSubject

PATIENTS = pathlib.Path(__file__).parent.parent / "patients"
METRIC = re.compile(r"^metric:\s*(\S+)\s*$", re.MULTILINE)
OPTIMIZERS = ("sgd", "adam", "rmsprop", "adagrad")
ACTIVATIONS = ("relu", "tanh", "elu", "selu", "leaky-relu")
SCHEMES = ("he", "xavier", "orthogonal", "pytorch")
BATCHES = ("16", "32", "64", "128")
FRESH = 100  # the first seed that neither has seen
SECONDS = 3600.0  # steps are what counts here


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


def by_random_search(subject: ScriptSubject, trials: int, seed: int) -> tuple[Remedy, ...]:
    """The best of some trials, none where no trial does better than the script as it is."""
    stream = random.Random(seed)
    asks = [Ask(probes="losses")] + [Ask(remedies=drawn(stream), probes="losses") for _ in range(trials - 1)]
    before, *after = [outcome_of(found) for found in subject.rehearse_together(asks)]
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


def examine(folder: pathlib.Path, processes: Processes, trials: int, seeds: int) -> dict[str, Any]:
    """Both on one patient."""
    truth = tomllib.loads((folder / "truth.toml").read_text(encoding="utf-8"))
    subject = ScriptSubject(Script(str(folder / "sick.py")), folder=folder, processes=processes)
    full = subject.run(Ask(probes="losses")).answer.steps
    found = heal(subject, seconds=SECONDS, most_steps=trials * full)
    row: dict[str, Any] = {
        "patient": folder.name, "steps of a run": full,
        "heal": {"remedies": [*map(str, found.remedies)], "closed": closed(subject, found.remedies, truth, seeds),
                 "steps": found.steps, "runs": found.runs},
        "random": [],
    }  # fmt: skip
    for seed in range(seeds):
        remedies = by_random_search(subject, trials, seed)
        row["random"].append(
            {
                "remedies": [*map(str, remedies)],
                "closed": closed(subject, remedies, truth, seeds),
                "steps": trials * full,
            }
        )
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description="heal beside random search, at equal steps.")
    parser.add_argument("patients", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20)
    options = parser.parse_args()
    folders = sorted(path.parent for path in PATIENTS.glob("*/sick.py"))
    folders = [one for one in folders if not options.patients or one.name in options.patients]
    rows = []
    with Processes(2) as processes:
        for folder in folders:
            row = examine(folder, processes, options.trials, options.seeds)
            rows.append(row)
            by_chance = statistics.fmean(one["closed"] for one in row["random"])
            told = f"heal {row['heal']['closed']:.2f}  random {by_chance:.2f}  {row['heal']['remedies']}"
            print(f"{folder.name:24} {told}", flush=True)
    means = {
        "heal": statistics.fmean(row["heal"]["closed"] for row in rows),
        "random": statistics.fmean(one["closed"] for row in rows for one in row["random"]),
    }
    healed = {
        "heal": statistics.fmean(row["heal"]["closed"] >= 0.8 for row in rows),
        "random": statistics.fmean(one["closed"] >= 0.8 for row in rows for one in row["random"]),
    }
    print(f"mean share closed {means}, healed (80 % of the gap) {healed}")
    store("heal", {"trials": options.trials, "seeds": options.seeds, "mean closed": means, "healed": healed,
                          "patients": rows})  # fmt: skip


if __name__ == "__main__":
    main()
