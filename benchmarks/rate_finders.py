"""Whose learning rate is the right one? Finders against the best constant rate, found by brute force.

Each problem is trained in full at every sixth of a decade, three seeds, and the rate with the lowest validation loss
(of the best epoch) is the truth; so are, as a plateau, all rates whose loss is within five percent of that, or within
one percent of the fall from the loss at the lowest rate, or within one standard error of the seeds. Then each
finder is asked, five times a problem with other first weights and another order of rows.

- `babysit`: members at constant rates on a ladder, coarse to fine (`find_rate_range`).
- `babysit, one sweep`: the classic sweep with the derivative by log rate, debiased (`sweep_rates`).
- `Lightning`: steepest fall of the loss by the rate itself, 100 steps from 1e-8 to 1, smoothing .98 debiased.
- `fastai valley`, `steep`, `minimum/10`: 100 steps from 1e-7 to 10, smoothing .98 debiased.
- `torch-lr-finder`: 100 steps from 1e-7 to 100, smoothing .05, steepest step of the ladder.

The peers' rules are formulated here anew from what their documentation and sources say they do (Lightning 2.5, fastai
2.7, torch-lr-finder 0.2), so that all finders see the same networks, batches and weights.

A finder's answer is usable when a full training at it comes within ten percent of the best loss, or two of the fall.
Distances are in decades, to the best rate and to the nearest rate of the plateau.

    python benchmarks/rate_finders.py [--problems ...] [--repetitions 5]

The truth is kept in results/rate_truth.json and found again when that is deleted. MNIST and California are read from
the folder in BABYSIT_DATA, and left out without it.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from _measure import RESULTS, store
from _rate_problems import PROBLEMS, Problem, Rows
from babysit.rehearsal import LiveObjects, find_rate_range, sweep_rates

TRUTH = RESULTS / "rate_truth.json"
PER_DECADE = 6
SEEDS = 3
# What counts as good as the best: five (usable: ten) percent above its loss, or one (two) percent of the whole fall
# from the loss at the lowest rate, which learns next to nothing. Losses near zero would make any share of them noise.
PLATEAU, USABLE = (0.05, 0.01), (0.10, 0.02)
NEAR = 0.3


class Setting:
    """A problem's rows, dealt once, and how it is trained."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        inputs, targets = problem.data()
        held = len(inputs) // 4
        self.train: Rows = (inputs[held:], targets[held:])
        self.validation: Rows = (inputs[:held], targets[:held])
        self.loss: Callable[[Tensor, Tensor], Tensor] = (
            nn.MSELoss() if targets.is_floating_point() else nn.CrossEntropyLoss()
        )

    def network(self, seed: int) -> nn.Module:
        """The network before its first step."""
        torch.manual_seed(seed)
        return self.problem.network()

    def batches(self, seed: int) -> Iterator[Rows]:
        """Batches without end, shuffled every epoch."""
        stream = torch.Generator().manual_seed(seed)
        while True:
            order = torch.randperm(len(self.train[0]), generator=stream)
            for rows in order.split(self.problem.batch_size):
                if len(rows) > 1:
                    yield self.train[0][rows], self.train[1][rows]

    @property
    def per_epoch(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self.train[0]) / self.problem.batch_size)

    def full_training(self, lr: float, seed: int) -> float:
        """The lowest validation loss of a full training at a constant rate; inf when it diverges."""
        network = self.network(seed)
        optimizer = self.problem.optimizer(network.parameters())
        set_rate(optimizer, lr)
        batches = self.batches(seed + 1000)
        best = first = self.measured(network)
        for _ in range(self.problem.epochs):
            network.train()
            for inputs, targets in itertools.islice(batches, self.per_epoch):
                optimizer.zero_grad()
                torch.autograd.backward(self.loss(network(inputs), targets))
                optimizer.step()
            now = self.measured(network)
            if not now < 10 * first:
                break
            best = min(best, now)
        return best

    @torch.no_grad()
    def measured(self, network: nn.Module) -> float:
        """Loss on the validation rows."""
        network.eval()
        return float(self.loss(network(self.validation[0]), self.validation[1]))


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


def truth_of(setting: Setting) -> dict[str, list[float]]:
    """Validation loss of full trainings by rate and seed."""
    problem = setting.problem
    count = round(PER_DECADE * math.log10(problem.high / problem.low))
    found: dict[str, list[float]] = {}
    worse = 0
    for number in range(count + 1):
        rate = problem.low * 10 ** (number / PER_DECADE)
        found[repr(rate)] = [setting.full_training(rate, seed) for seed in range(SEEDS)]
        lowest = min(map(statistics.fmean, found.values()))
        worse = worse + 1 if statistics.fmean(found[repr(rate)]) > 3 * lowest and number > count // 3 else 0
        if worse == 4:  # four rungs far above the best: it does not get better again
            break
    return found


def sweep(setting: Setting, seed: int, low: float, high: float, steps: int = 100) -> tuple[list[float], list[float]]:
    """One exponential sweep: rates and raw losses, until the loss is no number."""
    network = setting.network(seed)
    optimizer = setting.problem.optimizer(network.parameters())
    rates, losses = [], []
    network.train()
    for step, (inputs, targets) in enumerate(itertools.islice(setting.batches(seed + 500), steps)):
        rate = low * (high / low) ** (step / (steps - 1))
        set_rate(optimizer, rate)
        optimizer.zero_grad()
        loss = setting.loss(network(inputs), targets)
        torch.autograd.backward(loss)
        optimizer.step()
        if not math.isfinite(float(loss.detach())):
            break
        rates.append(rate)
        losses.append(float(loss.detach()))
    return rates, losses


def smoothed(losses: list[float], beta: float, stop: float) -> list[float]:
    """Exponential average, debiased as in Adam, up to where it exceeds `stop` times its lowest."""
    average, found = 0.0, []
    for count, loss in enumerate(losses, start=1):
        average = beta * average + (1 - beta) * loss
        found.append(average / (1 - beta**count))
        if found[-1] > stop * min(found) and count > 1:
            break
    return found


def lightning(setting: Setting, seed: int) -> tuple[float | None, int]:
    rates, raw = sweep(setting, seed, 1e-8, 1.0)
    losses = smoothed(raw, 0.98, 4.0)
    steps = len(losses)
    kept, rates = np.array(losses[10:-1]), rates[: len(losses)][10:-1]
    if len(kept) < 2:
        return None, steps
    return rates[int(np.gradient(kept, np.array(rates)).argmin())], steps


def fastai(setting: Setting, seed: int) -> tuple[dict[str, float | None], int]:
    rates, raw = sweep(setting, seed, 1e-7, 10.0)
    losses = smoothed(raw, 0.98, 4.0)
    steps = len(losses)
    kept, rates = losses[10:-5], rates[: len(losses)][10:-5]
    if len(kept) < 3:
        return {"valley": None, "steep": None, "minimum/10": None}, steps
    slopes = np.diff(kept) / np.diff(np.log(rates))
    return {
        "valley": rates[valley(kept)],
        "steep": rates[int(slopes.argmin())],
        "minimum/10": rates[int(np.argmin(kept))] / 10,
    }, steps


def valley(losses: list[float]) -> int:
    """Two thirds into the longest falling subsequence, less half of a third: fastai's reading of a valley."""
    lengths = [1] * len(losses)
    end = 0
    for later in range(1, len(losses)):
        lengths[later] = max(
            [lengths[earlier] + 1 for earlier in range(later) if losses[later] < losses[earlier]], default=1
        )
        if lengths[later] > lengths[end]:
            end = later
    start = end - lengths[end]
    third = (end - start) / 3
    return min(len(losses) - 1, max(0, start) + int(third) + int(third / 2))


def lr_finder(setting: Setting, seed: int) -> tuple[float | None, int]:
    rates, raw = sweep(setting, seed, 1e-7, 100.0)
    losses: list[float] = []
    for loss in raw:
        losses.append(loss if not losses else 0.05 * loss + 0.95 * losses[-1])
        if losses[-1] > 5 * min(losses):
            break
    kept, rates = losses[10:-5], rates[: len(losses)][10:-5]
    if len(kept) < 2:
        return None, len(losses)
    return rates[int(np.gradient(np.array(kept)).argmin())], len(losses)


def ours(setting: Setting, seed: int) -> tuple[dict[str, float | None], dict[str, int]]:
    network = setting.network(seed)
    taken = 0

    def counted(outputs: Tensor, targets: Tensor) -> Tensor:
        nonlocal taken
        taken += 1
        return setting.loss(outputs, targets)

    rows = torch.utils.data.TensorDataset(*setting.train)
    loader: Any = torch.utils.data.DataLoader(rows, setting.problem.batch_size, shuffle=True, drop_last=True)
    subject = LiveObjects(network, counted, loader, setting.problem.optimizer)
    answer = find_rate_range(subject, first_seed=seed, seconds=60.0)
    members, taken = taken, 0
    swept = sweep_rates(subject, seed=seed)
    found = {"babysit": answer.best, "babysit, one sweep": swept.best}
    return found, {"babysit": members, "babysit, one sweep": taken}


def ask(setting: Setting, seed: int) -> Iterator[tuple[str, float | None, int]]:
    """Every finder's answer and its steps."""
    found, steps = ours(setting, seed)
    for name, rate in found.items():
        yield name, rate, steps[name]
    yield "Lightning", *lightning(setting, seed)
    answers, count = fastai(setting, seed)
    for name, rate in answers.items():
        yield f"fastai {name}", rate, count
    yield "torch-lr-finder", *lr_finder(setting, seed)


def interpolated(truth: dict[float, float], rate: float) -> float:
    """Loss at a rate between rungs, linear in its logarithm; inf beyond the ladder."""
    rates = sorted(truth)
    if not rates[0] <= rate <= rates[-1]:
        return truth[rates[0]] if rate < rates[0] else math.inf
    return float(np.interp(math.log(rate), np.log(rates), [truth[one] for one in rates]))


def as_good(truth: dict[float, float], shares: tuple[float, float]) -> float:
    """The highest loss that counts as good as the best."""
    lowest = min(truth.values())
    return lowest + max(shares[0] * abs(lowest), shares[1] * (truth[min(truth)] - lowest))


def plateau_of(seeds: dict[float, list[float]]) -> list[float]:
    """Rates as good as the best: by their loss, or because seeds differ by more than that (one standard error)."""
    truth = {rate: statistics.fmean(losses) for rate, losses in seeds.items()}
    best = min(truth, key=lambda one: truth[one])
    found = []
    for rate, losses in seeds.items():
        apart = [loss - least for loss, least in zip(losses, seeds[best], strict=True)]
        error = statistics.stdev(apart) / math.sqrt(len(apart)) if len(apart) > 1 else 0.0
        if truth[rate] <= max(as_good(truth, PLATEAU), truth[best] + error):
            found.append(rate)
    return found


def judged(truth: dict[float, float], plateau: list[float], rate: float | None) -> dict[str, float | bool]:
    """Distances in decades, and whether a full training at the rate does well."""
    if rate is None or not rate > 0:
        return {"best": math.inf, "plateau": math.inf, "usable": False, "refused": rate is None}
    best = min(truth, key=lambda one: truth[one])
    return {
        "best": abs(math.log10(rate / best)),
        "plateau": min(abs(math.log10(rate / one)) for one in plateau)
        if not min(plateau) <= rate <= max(plateau)
        else 0.0,
        "usable": interpolated(truth, rate) <= as_good(truth, USABLE),
        "refused": False,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=None)
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    known: dict[str, dict[str, list[float]]] = json.loads(TRUTH.read_text()) if TRUTH.exists() else {}
    there = [name for name in PROBLEMS if "BABYSIT_DATA" in os.environ or not name.startswith(("MNIST", "california"))]
    cases: dict[str, list[dict[str, Any]]] = {}
    for name in arguments.problems or there:
        setting = Setting(PROBLEMS[name])
        if name not in known:
            start = time.monotonic()
            known[name] = truth_of(setting)
            TRUTH.write_text(json.dumps(known, indent=1) + "\n")
            print(f"{name}: brute force in {time.monotonic() - start:.0f} s", flush=True)
        seeds = {float(rate): losses for rate, losses in known[name].items()}
        truth = {rate: statistics.fmean(losses) for rate, losses in seeds.items()}
        best = min(truth, key=lambda one: truth[one])
        plateau = plateau_of(seeds)
        print(f"{name}: best {best:.2g}, plateau {min(plateau):.2g} to {max(plateau):.2g}", flush=True)
        for seed, (finder, rate, steps) in itertools.chain.from_iterable(
            ((seed, one) for one in ask(copy.copy(setting), seed)) for seed in range(arguments.repetitions)
        ):
            cases.setdefault(finder, []).append(
                {"problem": name, "seed": seed, "rate": rate, "steps": steps, **judged(truth, plateau, rate)}
            )
        for finder in ("babysit", "babysit, one sweep"):
            rates = [case["rate"] for case in cases[finder] if case["problem"] == name]
            print(f"    {finder}: {', '.join(f'{rate:.2g}' if rate else 'refused' for rate in rates)}", flush=True)
    results = {finder: summed(found) for finder, found in cases.items()}
    for finder, row in results.items():
        print(f"{finder:20} " + ", ".join(f"{name} {value:.3g}" for name, value in row.items()))
    if arguments.problems is None:
        every = {finder: [{**case, "best": _plain(case["best"]), "plateau": _plain(case["plateau"])} for case in found]
                 for finder, found in cases.items()}  # fmt: skip
        store("rate_finders", {"summary": results, "n": len(next(iter(cases.values()))), "cases": every})


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def summed(found: list[dict[str, Any]]) -> dict[str, float]:
    """Shares and medians over all problems and repetitions; a refusal is no answer and counts as none."""
    answered = [case for case in found if case["rate"]]
    return {
        "within .3 of the plateau": sum(case["plateau"] <= NEAR for case in found) / len(found),
        "within .3 of the best": sum(case["best"] <= NEAR for case in found) / len(found),
        "median distance to the plateau": statistics.median(case["plateau"] for case in answered),
        "median distance to the best": statistics.median(case["best"] for case in answered),
        "usable": sum(case["usable"] for case in found) / len(found),
        "refused": 1 - len(answered) / len(found),
        "median steps": statistics.median(case["steps"] for case in found),
    }


if __name__ == "__main__":
    main()
