"""heal beside random search, Optuna's TPE and AUTOTRAINER's repairs, at equal optimizer steps.

For each program each rival gets the optimizer steps of 20, and again of 60, full runs of its healthy twin, as heal
does. Random search and TPE draw learning rate, batch size, optimizer, initialisation, activation and batch
normalisation, run each trial in full, and take the best by the score that heal goes by; five searches each, with draws
of their own. AUTOTRAINER's repairs are tried in their published order (Zhang et al., ICSE 2021, the order of its
`balance` mode), for the problems that babysit's findings show, each on top of the best so far, until its steps are
spent. What each recommends is then run in full, on seeds that nobody has seen, and scored by the metric that the
program prints, as the share of the gap between sick and well that it closes (cut to 0 to 1).

    python benchmarks/heal.py [PROGRAM ...] [--folder patients] [--trials 20 60] [--searches 5] [--seeds 3] [--fresh]

PROGRAM is a folder's name, with sick.py, well.py and truth.toml in it; of `--folder`, which is patients/ by default.
Each program is stored when it is done; a run that was stopped goes on where it was. Two processes at a time.
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
from collections.abc import Callable, Sequence
from typing import Any

import optuna

from _measure import RESULTS, store
from babysit.diseases import diagnose
from babysit.record import InputError, Remedy, Trace
from babysit.rehearsal import Ask, gain, heal, outcome_of
from babysit.scripts import Runner, Script, ScriptSubject, watching_environment

PATIENTS = pathlib.Path(__file__).parent.parent / "patients"
METRIC = re.compile(r"^metric:\s*(\S+)\s*$", re.MULTILINE)
OPTIMIZERS = ("sgd", "adam", "rmsprop", "adagrad")
ACTIVATIONS = ("relu", "tanh", "elu", "selu", "leaky-relu")
SCHEMES = ("he", "xavier", "orthogonal", "pytorch")
BATCHES = ("16", "32", "64", "128")
RATES = (1e-5, 1.0)
CHOICES = (("batch-size", BATCHES), ("optimizer", OPTIMIZERS), ("initialise", SCHEMES), ("activation", ACTIVATIONS))
LEFT = "as it is"
FRESH = 100  # the first seed that nobody has seen
SECONDS = 3600.0  # steps are what counts here
SAME = 0.02  # of the gap: no difference
HEALED, HALF = 0.8, 0.5  # of the gap, as the patients' scorer has it
WITHIN, OUTSIDE = "within random search's choices", "outside them"
WITHIN_REACH = frozenset(
    {"activations-explode", "activations-vanish", "gradients-explode", "gradients-vanish", "learning-rate-too-high",
     "learning-rate-too-low", "units-dead", "weights-symmetric"}
)  # fmt: skip
# AUTOTRAINER's problems, by the findings that show them, each with its repairs in their published order, as far as a
# script can have them. Rates go by a tenth, or tenfold where it does not converge.
REPAIRS: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (
        frozenset({"gradients-vanish", "activations-vanish", "units-saturated"}),
        ("activation=selu", "activation=relu", "insert-batch-norm"),
    ),
    (
        frozenset({"gradients-explode", "activations-explode", "diverged", "learning-rate-too-high"}),
        ("activation=selu", "activation=relu", "clip-norm=1", "activation=tanh", "insert-batch-norm"),
    ),
    (
        frozenset({"units-dead"}),
        ("activation=selu", "insert-batch-norm", "initialise=he", "activation=leaky-relu"),
    ),
    (frozenset({"oscillating"}), ("optimizer=adam", "lr-times=0.1", "batch-size=128", "optimizer=sgd")),
    (
        frozenset({"not-learning", "stuck-at-chance", "learning-rate-too-low", "underfitting", "stopped-too-early"}),
        ("optimizer=adam", "optimizer=rmsprop", "lr-times=10"),
    ),
)
Search = Callable[[ScriptSubject, int, int, int], tuple[Remedy, ...]]


def drawn(stream: random.Random) -> tuple[Remedy, ...]:
    """One random trial; each choice but the rate is left as it is in one of two."""
    low, high = (math.log10(rate) for rate in RATES)
    found = [Remedy("lr", f"{10 ** stream.uniform(low, high):.3g}")]
    for name, values in CHOICES:
        if stream.random() < 0.5:
            found.append(Remedy(name, stream.choice(values)))
    if stream.random() < 0.5:
        found.append(Remedy("insert-batch-norm"))
    return tuple(found)


def by_random_search(subject: ScriptSubject, trials: int, full: int, seed: int) -> tuple[Remedy, ...]:
    """The best of some trials, none where no trial does better than the script as it is."""
    stream = random.Random(f"{subject.script.target} {seed}")
    asks = [Ask(probes="losses")] + [Ask(remedies=drawn(stream), probes="losses") for _ in range(trials - 1)]
    before, *after = [outcome_of(found) for found in subject.rehearse_all(asks)]
    gains = [gain(before, one) for one in after]
    best = max(range(len(gains)), key=lambda place: gains[place])
    return asks[best + 1].remedies if gains[best] > 0 else ()


def by_tpe(subject: ScriptSubject, trials: int, full: int, seed: int) -> tuple[Remedy, ...]:
    """Optuna's TPE over the same choices, two trials at a time."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    before = outcome_of(subject.rehearse_all([Ask(probes="losses")])[0])
    taken = 1
    while taken < trials:
        some = [study.ask() for _ in range(min(subject.jobs, trials - taken))]
        asks = [Ask(remedies=_proposed(one), probes="losses") for one in some]
        for trial, found in zip(some, subject.rehearse_all(asks), strict=True):
            study.tell(trial, gain(before, outcome_of(found)))
        taken += len(some)
    best = study.best_trial
    return _remedies(best.params) if (best.value or 0.0) > 0 else ()


def _proposed(trial: optuna.Trial) -> tuple[Remedy, ...]:
    trial.suggest_float("lr", *RATES, log=True)
    for name, values in CHOICES:
        trial.suggest_categorical(name, (LEFT, *values))
    trial.suggest_categorical("insert-batch-norm", (LEFT, "yes"))
    return _remedies(trial.params)


def _remedies(params: dict[str, Any]) -> tuple[Remedy, ...]:
    found = [Remedy("lr", f"{params['lr']:.3g}")]
    found += [Remedy(name, params[name]) for name, _ in CHOICES if params[name] != LEFT]
    return (*found, *([Remedy("insert-batch-norm")] if params["insert-batch-norm"] != LEFT else []))


def by_repairs(subject: ScriptSubject, trials: int, full: int, seed: int) -> tuple[Remedy, ...]:
    """AUTOTRAINER's repairs: of each problem that shows, each repair in order, on top of the best so far."""
    best: tuple[Remedy, ...] = ()
    best_gain, taken = 0.0, 1
    seen = subject.rehearse_all([Ask(seed=seed, probes="start")])[0]
    before = outcome_of(seen)
    trace = seen if isinstance(seen, Trace) else getattr(seen, "trace", None) or Trace()
    while True:
        names = {one.name for one in diagnose(trace)}
        texts = [text for problems, repairs in REPAIRS if problems & names for text in repairs]
        better = None
        for remedy in map(Remedy.parse, texts):
            if taken >= trials or any(one.name == remedy.name for one in best):
                continue
            asked = (*best, remedy)
            found = subject.rehearse_all([Ask(remedies=asked, seed=seed, probes="start")])[0]
            if isinstance(found, InputError):
                continue  # it does not fit the program, and costs nothing
            taken += 1
            closed = gain(before, outcome_of(found))
            if closed > best_gain + SAME:
                better, best_gain = asked, closed
                trace = found if isinstance(found, Trace) else Trace()
                break
        if better is None:
            return best
        best = better


RIVALS: dict[str, Search] = {"random": by_random_search, "tpe": by_tpe, "autotrainer": by_repairs}


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
    """All of them on one program, with the steps of so many full trainings."""
    truth = tomllib.loads((folder / "truth.toml").read_text(encoding="utf-8"))
    subject = ScriptSubject(Script(str(folder / "sick.py")), folder=folder, runner=runner)
    # Of the healthy program: the sick one may diverge, and be ended, after a few.
    with ScriptSubject(Script(str(folder / "well.py")), folder=folder, runner=runner) as healthy:
        full = healthy.run(Ask(probes="losses")).answer.steps
    found = heal(subject, seconds=SECONDS, most_steps=trials * full)
    remedies = (*found.remedies, *found.mended)
    row: dict[str, Any] = {
        "program": folder.name, "trials": trials, "steps of a run": full,
        "fault": WITHIN if WITHIN_REACH & set(truth["accepts"]) else OUTSIDE,
        "heal": [{"remedies": [*map(str, remedies)], "closed": closed(subject, remedies, truth, seeds),
                  "steps": found.steps, "seconds": found.seconds}],
    }  # fmt: skip
    for name, search in RIVALS.items():
        row[name] = []
        for seed in range(searches):
            before = subject.steps
            recommended = search(subject, trials, full, seed)
            steps = subject.steps - before
            share = closed(subject, recommended, truth, seeds)
            row[name].append({"remedies": [*map(str, recommended)], "closed": share, "steps": steps})
    return row


def mean_of(row: dict[str, Any], name: str) -> float:
    """What one of them closes, on average over its searches."""
    return statistics.fmean(one["closed"] for one in row[name])


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares over programs; those of rivals are means over their searches."""
    found: dict[str, Any] = {"programs": len(rows)}
    for name in ("heal", *RIVALS):
        every = [one["closed"] for row in rows for one in row[name]]
        found[name] = {
            "mean closed": statistics.fmean(every),
            "healed": statistics.fmean(share >= HEALED for share in every),
            "half of it": statistics.fmean(share >= HALF for share in every),
            "steps": statistics.fmean(one["steps"] / row["steps of a run"] for row in rows for one in row[name]),
        }
        if name != "heal":
            found[name]["heal is better"] = sum(mean_of(row, "heal") > mean_of(row, name) + SAME for row in rows)
            found[name]["heal is worse"] = sum(mean_of(row, "heal") < mean_of(row, name) - SAME for row in rows)
    found["median seconds of heal"] = statistics.median(row["heal"][0]["seconds"] for row in rows)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="heal beside its rivals, at equal steps.")
    parser.add_argument("programs", nargs="*")
    parser.add_argument("--folder", type=pathlib.Path, default=PATIENTS, help="of the programs")
    parser.add_argument("--searches", type=int, default=5, help="searches of each rival a program")
    parser.add_argument("--seeds", type=int, default=3, help="seeds on which what is recommended is scored")
    parser.add_argument("--trials", type=int, nargs="+", default=[20, 60], help="full trainings whose steps each gets")
    parser.add_argument("--fresh", action="store_true", help="forget what was stored")
    options = parser.parse_args()
    settings = {"searches": options.searches, "seeds": options.seeds, "folder": options.folder.name}
    folders = sorted(path.parent for path in options.folder.resolve().glob("*/sick.py"))
    folders = [one for one in folders if not options.programs or one.name in options.programs]
    kept = {} if options.fresh else stored(settings)
    summary: dict[str, Any] = {}
    with Runner(2, watching_environment()) as runner:
        for folder in folders:
            for trials in options.trials:
                key = f"{folder.name} {trials}"
                row = kept.get(key) or examine(folder, runner, trials, options.searches, options.seeds)
                kept[key] = row
                told = "  ".join(f"{name} {mean_of(row, name):.2f}" for name in ("heal", *RIVALS))
                print(f"{folder.name:24} {trials:3} trainings  {told}  {row['heal'][0]['remedies']}", flush=True)
                summary = {
                    f"{count} trainings": {
                        "all": summarise(rows),
                        **{kind: summarise(some) for kind in (WITHIN, OUTSIDE)
                           if (some := [one for one in rows if one["fault"] == kind])},
                    }
                    for count in options.trials
                    if (rows := [one for one in kept.values() if one["trials"] == count])
                }  # fmt: skip
                store("heal", {**settings, "summary": summary, "programs": [*kept.values()]})
    print(json.dumps(summary, indent=2))


def stored(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Programs that were measured before in the same way."""
    file = RESULTS / "heal.json"
    results = json.loads(file.read_text())["results"] if file.exists() else {}
    if any(results.get(name) != value for name, value in settings.items()):
        return {}
    return {f"{row['program']} {row['trials']}": row for row in results["programs"]}


if __name__ == "__main__":
    main()
