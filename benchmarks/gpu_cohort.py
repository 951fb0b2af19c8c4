"""How many trials' steps a second does a GPU take: 128 members of the lecture's network at once, and one by one.

    python benchmarks/gpu_cohort.py                                     # needs a CUDA device, or says so and stops
    python benchmarks/gpu_cohort.py --device cpu --members 8 --steps 20 --no-store      # the same on this processor

The network is the lecture's 3072-50-10 with SGD and momentum on random images of CIFAR-10's shape, as only time is
measured; each member has its own rate and penalty. One by one is the best plain PyTorch loop: rows on the device,
batches cut by index, a fused optimizer, no reading of losses in between. Rounds alternate between the two.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from torch import nn, optim

from _measure import ratio, store, take_turns
from babysit.data import Prepared, prepare
from babysit.record import Recipe, Trial, never_stop, silent, with_settings
from babysit.training import Cohort, Starts, decide, epoch_batches

SETTINGS = (
    "model.architecture=mlp", "model.widths=[50]", "batch_norm=false", "dropout=0", "epochs=20", "batch_size=100",
    "budget.patience=0", "optimizer.name=sgd", "momentum=0.9", "l2_mode=loss", "images=mean-image",
    "schedule.name=constant", "warm_up=0",
)  # fmt: skip


def rows(count: int) -> Prepared:
    """Random images of CIFAR-10's shape with random labels."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, size=(count, 32, 32, 3), dtype=np.uint8)
    return prepare(Recipe(), {"x": images, "y": random.integers(0, 10, size=count)})


def trials(prepared: Prepared, count: int) -> list[Trial]:
    """Members, each with its own rate and penalty."""
    random = np.random.default_rng(1)
    found = []
    for number in range(count):
        lr, l2 = 10 ** random.uniform(-6, -4), 10 ** random.uniform(-5, 0)
        recipe = with_settings(Recipe(), [*SETTINGS, f"lr={lr}", f"l2={l2}"])
        found.append(Trial(number, decide(recipe, prepared)[0]))
    return found


def stacked(cohort: Cohort, chosen: list[Trial], steps: int) -> None:
    """All members from their beginning, as one computation."""
    members = [cohort.begin(trial) for trial in chosen]
    cohort.train(members, steps, never_stop, silent)


def one_by_one(starts: Starts, trial: Trial, steps: int) -> None:
    """One trial in a plain loop."""
    start, recipe = starts.of(trial), trial.recipe
    network = start.fresh_network(recipe)
    network.load_state_dict(starts.first_weights(trial))
    weights = [parameter for parameter in network.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in network.parameters() if parameter.ndim < 2]
    groups = [
        {"params": weights, "weight_decay": recipe.regularisation.l2 or 0.0},
        {"params": others, "weight_decay": 0.0},
    ]
    assert recipe.optimizer.lr is not None
    assert recipe.budget.batch_size is not None
    optimizer = optim.SGD(groups, lr=recipe.optimizer.lr, momentum=recipe.optimizer.momentum, fused=True)
    loss = nn.CrossEntropyLoss()
    batches = epoch_batches(start.examples.train, recipe.budget.batch_size, recipe.seed, 0)
    for step in range(steps):
        inputs, targets = start.examples.cut(batches[step % len(batches)])
        optimizer.zero_grad()
        loss(network(inputs), targets).backward()
        optimizer.step()
    if start.examples.device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--members", type=int, default=128)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-store", action="store_true", help="only print")
    chosen = parser.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("this machine has no CUDA device that PyTorch can use; nothing was measured")
    prepared = rows(20_000)
    starts = Starts(prepared, device=torch.device(chosen.device))
    members = trials(prepared, chosen.members)
    cohort = Cohort(starts)
    seconds = take_turns(
        {
            "stacked": lambda: stacked(cohort, members, chosen.steps),
            "one by one": lambda: one_by_one(starts, members[0], chosen.steps),
        },
        chosen.rounds,
    )
    steps = {
        "stacked": chosen.members * chosen.steps / min(seconds["stacked"]),
        "one by one": chosen.steps / min(seconds["one by one"]),
    }
    for name, rate in steps.items():
        print(f"{name:12s} {rate:12,.0f} steps of trials a second")
    faster = {key: value * chosen.members for key, value in ratio(seconds, "one by one", "stacked").items()}
    print(f"stacked has {faster['median']:.1f} times the throughput ({faster['low']:.1f} to {faster['high']:.1f})")
    for decision in cohort.decisions():
        print(f"{decision.value}: {decision.why}")
    assert all(math.isfinite(rate) for rate in steps.values())
    if not chosen.no_store:
        results = {"members": chosen.members, "steps": chosen.steps, "rounds": chosen.rounds, "device": chosen.device}
        store("gpu_cohort", {**results, "steps_a_second": steps, "times_the_throughput": faster})


if __name__ == "__main__":
    main()
