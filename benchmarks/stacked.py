"""What the stacked engine earns: one step of many members, against the plain loop and against torch.func.

    OMP_NUM_THREADS=1 python benchmarks/stacked.py                       # all networks, a quarter of an hour
    OMP_NUM_THREADS=1 python benchmarks/stacked.py --only cnn --rounds 5 --no-store

Ways to take the same step of the same members, with one thread:

    plain                 each member by itself, as a training alone: module, autograd, PyTorch's fused optimizer
    plain, channels last  the same with channels last in memory; only for networks that convolve
    vmap(grad)            forward, loss and gradients of all members by `torch.func.vmap(grad(functional_call))`
    vmap, autograd        the forward pass by `vmap`, losses written out, autograd backwards: what babysit
                          does for networks that have no rule written out
    by hand               babysit's stacked layers, forward and backward written out; for networks that have a rule

The last three fetch a batch once for all members and share babysit's stacked optimizer. Contenders take turns in short
rounds, and what counts is the processor time of this process: other programs on the machine then change little. Stored
are microseconds of a step of a member, medians and quartiles over rounds, and quartiles of the ratios round by round.
What is written out by hand has to be 1.3 times as fast as the better of the others.

Under `removed` the results keep what was measured of rules that did not earn that, before they were removed.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from _measure import RESULTS, quartiles, ratio, store
from _search_works import CPU, Work, works
from babysit.record import with_settings
from babysit.training import Cohort, Member, Starts, decide
from babysit.training._cohort_stack import Stack
from babysit.training._stacked_loss import StackedLoss
from babysit.training._trial_alone import Alone
from babysit.training._trial_starts import Start
from babysit.training._vmap_network import VmapNetwork

ROUNDS, TURN = 15, 0.15  # seconds of a contender's turn; one step at least
SMALL_CNN = ("architecture=convolutional", "model.widths=[8, 16]")
# Name: a work of `_search_works.py`, what its recipe is set to beside, and how many members.
NETWORKS: dict[str, tuple[str, tuple[str, ...], int]] = {
    "digits MLP": ("digits", (), 24),
    "digits MLP, 3 members": ("digits", (), 3),
    "digits MLP, batch norm": ("digits", ("batch_norm=true",), 24),
    "digits MLP, maxout": ("digits", ("activation=maxout", "pieces=2"), 24),
    "digits MLP, gelu": ("digits", ("activation=gelu",), 24),
    "digits MLP, prelu": ("digits", ("activation=prelu",), 24),
    "digits MLP, dropout": ("digits", ("dropout=0.2",), 24),
    "digits CNN": ("digits", (*SMALL_CNN, "batch_norm=false"), 24),
    "digits CNN, batch norm": ("digits", (*SMALL_CNN, "batch_norm=true"), 24),
    "digits residual": ("digits", ("architecture=residual", "model.widths=[8]"), 8),
    "MNIST MLP": ("mnist", ("batch_norm=false",), 24),
    "MNIST MLP, batch norm": ("mnist", (), 24),
    "MNIST CNN": ("cnn", ("batch_norm=false",), 8),
    "MNIST CNN, batch norm": ("cnn", (), 8),
    "lecture": ("lecture", (), 24),
    "adult, embedding": ("adult", ("model.embedding=4", "batch_norm=false", "dropout=0"), 24),
    "adult, embedding, batch norm, dropout": ("adult", ("model.embedding=4",), 24),
    "adult, batch norm, dropout": ("adult", (), 24),
}


class WholeByVmap(VmapNetwork):
    """Loss and gradients by `vmap(grad(...))`, as PyTorch's tutorial on ensembles has it."""

    loss: nn.Module

    def learn(self, inputs: Tensor, targets: Tensor, loss: StackedLoss) -> Tensor:
        """Losses of a batch that all share, with the gradients filled in."""

        def cost(own: dict[str, Tensor], buffers: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
            outputs = functional_call(self._learning, {**own, **buffers, **masks}, (inputs,))
            found: Tensor = self.loss(outputs, targets)
            return found

        gradients, values = vmap(grad_and_value(cost))(
            dict(self.parameters.value), self._buffers, self._masks(len(targets))
        )
        for name, value in gradients.items():
            self.parameters.gradient[name].copy_(value)
        result: Tensor = values
        return result


def contenders(work: Work, count: int) -> dict[str, Callable[[], None]]:
    """A step of all members, by name."""
    random, starts = np.random.default_rng(0), Starts(work.prepared, (), CPU)
    trials = [work.trial(number, work.draw(random)) for number in range(count)]
    begun = [starts.of(trial) for trial in trials]

    def members() -> list[Member]:
        cohort = Cohort(starts)
        return [cohort.begin(trial) for trial in trials]

    def one_by_one(channels_last: bool) -> Callable[[], None]:
        each = [
            Alone(start, member, 0.0, channels_last=channels_last)
            for start, member in zip(begun, members(), strict=True)
        ]

        def step() -> None:
            for one in each:
                one.rehearse()

        return step

    def stacked(starts: Sequence[Start]) -> Stack:
        return Stack(starts, members(), [0.0] * count)

    by_func = [dataclasses.replace(start, no_rule="measured here") for start in begun]
    whole = stacked(by_func)
    whole.network.__class__ = WholeByVmap
    whole.network.loss = begun[0].loss  # type: ignore[union-attr]
    made = {"plain": one_by_one(False)}
    if any(isinstance(layer, nn.Conv2d) for layer in begun[0].model.network.modules()):
        made["plain, channels last"] = one_by_one(True)
    made |= {"vmap(grad)": whole.rehearse, "vmap, autograd": stacked(by_func).rehearse}
    if not begun[0].no_rule:
        made["by hand"] = stacked(begun).rehearse
    return made


def measured(work: Work, count: int, rounds: int) -> dict[str, Any]:
    """Processor seconds of a step of a member, in turns."""
    made = contenders(work, count)
    steps = {}
    for name, step in made.items():
        step()
        began = time.process_time()
        step()
        steps[name] = max(1, round(TURN / (time.process_time() - began)))
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, step in made.items():
            began = time.process_time()
            for _ in range(steps[name]):
                step()
            seconds[name].append((time.process_time() - began) / (steps[name] * count))
    best = min(made.keys() - {"by hand"}, key=lambda name: statistics.median(seconds[name]))
    result: dict[str, Any] = {
        "members": count,
        "rounds": rounds,
        "microseconds of a step of a member": {
            name: quartiles([1e6 * one for one in took]) for name, took in seconds.items()
        },
        "plain over vmap, autograd": ratio(seconds, "plain", "vmap, autograd"),
    }
    if "by hand" in made:
        result |= {"best of the others": best, "best of the others over by hand": ratio(seconds, best, "by hand")}
    return result


def network_of(name: str) -> tuple[Work, int]:
    """A work with another network."""
    base, settings, count = NETWORKS[name]
    work = _made(base)
    recipe = decide(with_settings(work.recipe, settings), work.prepared)[0]
    return Work(name, work.prepared, recipe, work.space, work.lowest, work.trials), count


@functools.cache
def _made(name: str) -> Work:
    return works()[name]()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", nargs="+", default=[""], help="networks whose name has one of these in it")
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--no-store", action="store_true")
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    kept = RESULTS / "stacked.json"
    before = json.loads(kept.read_text())["results"] if kept.exists() else {}
    results: dict[str, Any] = {"networks": {}, "removed": before.get("removed", {})}
    for name in NETWORKS:
        if not any(part in name for part in chosen.only):
            continue
        row = results["networks"][name] = measured(*network_of(name), chosen.rounds)
        times = row["microseconds of a step of a member"]
        told = ", ".join(
            f"{key} {one['median']:.0f} ({one['low']:.0f} to {one['high']:.0f})" for key, one in times.items()
        )
        print(f"{name}: {told}", flush=True)
        if "best of the others" in row:
            earned = row["best of the others over by hand"]
            print(f"    by hand {earned['median']:.2f} times as fast as {row['best of the others']}", flush=True)
        if not chosen.no_store:  # after each network: what is stopped has kept what it measured
            store("stacked", results)


if __name__ == "__main__":
    main()
