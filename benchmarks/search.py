"""How long does a search take? babysit's stacked trials beside Optuna, Ray Tune and scikit-learn, in one run.

    python benchmarks/search.py                              # all works, five seeds: hours
    python benchmarks/search.py --only digits --seeds 0 1    # in pieces; what was stored before is kept
    python benchmarks/search.py --only digits --seeds 0 --limit 20 --contenders babysit optuna-random

The same for all: rows, split, preprocessing, network, first weights, the order of rows, space, rungs (each three times
the one before, a third goes on), validation after each rung, cores. Optuna and Ray Tune are given the best plain
PyTorch loop their author could write, without a DataLoader, with a fused optimizer. Everything runs for `--limit`
seconds; importing, reading data and starting a cluster come before the clock.

What is told, for each work, over seeds: the wall time until the validation accuracy is reached that Optuna's random
points with successive halving had in the end, as a ratio; and the best accuracy of each when babysit had reached it
("at equal time"). The same ratio in processor seconds says what a machine that others use, too, hides in the wall time.
The best of many trials on some thousand rows is partly luck: so both are told once more for an accuracy that is one
standard error of a share less, which is a tie. Contenders take turns seed by seed, as machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from _measure import RESULTS, hardware, quartiles, store
from _search_contenders import CONTENDERS, FOR_SKLEARN
from _search_works import Curve, Work, works

REFERENCE = "optuna-random"  # whose accuracy in the end is what all have to reach
NUMBERS = (
    "seconds", "times_slower", "times_more_work", "accuracy_then", "trials",
    "seconds_to_a_tie", "times_slower_to_a_tie", "accuracy_in_the_end",
)  # fmt: skip
LIMITS = {"digits": 40.0, "lecture": 120.0, "mnist": 90.0, "cnn": 120.0, "adult": 90.0}


def measure(work: Work, seed: int, limit: float, contenders: list[str]) -> dict[str, Any]:
    """One seed of one work: the curve of each contender."""
    name = work.name
    print(f"{name}, seed {seed}: {work.trials} trials at a time, rungs {work.rungs}, {limit:g} s each", flush=True)
    found: dict[str, Any] = {}
    for contender in contenders:
        if contender == "sklearn" and name not in FOR_SKLEARN:
            continue
        curve, trials = CONTENDERS[contender](work, seed, limit)
        points = [
            (round(at, 3), None if math.isnan(worked) else round(worked, 3), best) for at, worked, best in curve.points
        ]
        found[contender] = {"curve": points, "trials": trials}
        at, worked, best = curve.points[-1] if curve.points else (math.nan, math.nan, math.nan)
        print(
            f"  {contender:14s} {best:.4f} after {at:.2f} s, {worked:.2f} s of work; {trials} trials begun", flush=True
        )
    return found


def curve_of(content: dict[str, Any]) -> Curve:
    """A curve as it was stored."""
    curve = Curve()
    curve.points = [(at, math.nan if worked is None else worked, best) for at, worked, best in content["curve"]]
    return curve


def summarise(seeds: dict[str, dict[str, Any]], rows_held_out: int) -> dict[str, Any]:
    """What the seeds of a work say of each contender; accuracies are shares of so many rows."""
    rows: dict[str, dict[str, list[float]]] = {}
    unreached: dict[str, int] = {}
    for found in seeds.values():
        if REFERENCE not in found or "babysit" not in found or not found[REFERENCE]["curve"]:
            continue
        target = found[REFERENCE]["curve"][-1][2]
        tie = target - math.sqrt(target * (1 - target) / rows_held_out)
        ours, ours_tie = (curve_of(found["babysit"]).reached(one) for one in (target, tie))
        for contender, content in found.items():
            curve = curve_of(content)
            row = rows.setdefault(contender, {key: [] for key in NUMBERS})
            row["trials"].append(content["trials"])
            row["accuracy_in_the_end"].append(curve.at(math.inf))
            if (close := curve.reached(tie)) is not None:
                row["seconds_to_a_tie"].append(close[0])
                if ours_tie is not None:
                    row["times_slower_to_a_tie"].append(close[0] / ours_tie[0])
            reached = curve.reached(target)
            if reached is None:
                unreached[contender] = unreached.get(contender, 0) + 1
            else:
                row["seconds"].append(reached[0])
            if reached is not None and ours is not None:
                row["times_slower"].append(reached[0] / ours[0])
                row["times_more_work"].append(reached[1] / ours[1])
            if ours is not None:
                row["accuracy_then"].append(curve.at(ours[0]))
    return {
        contender: {
            **{key: quartiles(sound) for key, values in row.items() if (sound := [v for v in values if v == v])},
            "seeds": len(row["trials"]),
            "seeds_that_never_reached_it": unreached.get(contender, 0),
        }
        for contender, row in rows.items()
    }


def stored() -> dict[str, Any]:
    """What was measured before."""
    file = RESULTS / "search.json"
    content = json.loads(file.read_text()) if file.exists() else {"results": {}}
    results: dict[str, Any] = content["results"]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*works()], default=[*works()], help="works")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--contenders", nargs="+", choices=[*CONTENDERS], default=[*CONTENDERS])
    parser.add_argument("--limit", type=float, help="seconds for each contender; each work has its own otherwise")
    parser.add_argument("--no-store", action="store_true", help="only print")
    chosen = parser.parse_args()
    for name in chosen.only:
        compared = works()[name]()
        for seed in chosen.seeds:
            found = measure(compared, seed, chosen.limit or LIMITS[name], chosen.contenders)
            results = {} if chosen.no_store else stored()
            work = results.setdefault(name, {"seeds": {}})
            before = work["seeds"].get(str(seed), {"contenders": {}})["contenders"]
            # Machines differ, and are more or less busy: each seed says where it was measured.
            work["seeds"][str(seed)] = {"contenders": {**before, **found}, "hardware": hardware()}
            work["rows_held_out"] = len(compared.prepared.split["validation"])
            contents = {key: value["contenders"] for key, value in work["seeds"].items()}
            work["summary"] = summarise(contents, work["rows_held_out"])
            if not chosen.no_store:
                store("search", results)
            for contender, row in work["summary"].items():
                slower = row.get("times_slower")
                told = f"{slower['median']:.1f} times babysit's time" if slower else "never reached it"
                if tie := row.get("times_slower_to_a_tie"):
                    told += f", {tie['median']:.1f} times to a tie"
                if work_ratio := row.get("times_more_work"):
                    told += f", {work_ratio['median']:.1f} times its work"
                print(f"  {name}, {row['seeds']} seeds: {contender:14s} {told}")


if __name__ == "__main__":
    main()
