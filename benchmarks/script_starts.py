"""What does it take to start a training script? `python train.py` against a fork of a process that knows its imports.

A search over a script's arguments starts it for every trial and every rung. Peer: a process of Python's own, as every
tool has it that tunes scripts. In turns, round by round, seconds from the start to the exit, of the same script and
arguments; the first start of all, in which the imports are learned, is told by itself.

    python benchmarks/script_starts.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import functools
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

from _measure import quartiles, ratio, store, take_turns
from babysit.scripts import Runner, RunRequest

TORCH = """
import sys
import torch
from torch import nn
torch.manual_seed(0)
rows = torch.randn(512, 20)
answers = (rows.sum(dim=1) > 0).long()
network = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(network.parameters(), lr=float(sys.argv[1]))
for step in range(50):
    optimizer.zero_grad()
    nn.functional.cross_entropy(network(rows), answers).backward()
    optimizer.step()
print("accuracy:", (network(rows).argmax(dim=1) == answers).float().mean().item())
"""
SCRIPTS = {
    "torch": TORCH,
    "torch and sklearn": TORCH.replace("import torch\n", "import torch\nfrom sklearn.datasets import load_digits\n", 1),
    "no library": "import sys\nprint('accuracy:', float(sys.argv[1]))\n",
}
LOOK_EVERY = 0.005


def forked(runner: Runner, arguments: list[str], output: pathlib.Path) -> None:
    """One start to its exit, by a fork."""
    request = RunRequest(arguments[0], tuple(arguments[1:]), False, os.getcwd(), str(output))
    started = runner.begin(request)
    while started.poll() is None:
        time.sleep(LOOK_EVERY)
    assert started.code == 0, output.read_text()


def plainly(arguments: list[str], output: pathlib.Path) -> None:
    """One start to its exit, by Python."""
    with output.open("ab") as file:
        subprocess.run([sys.executable, *arguments], stdout=file, stderr=subprocess.STDOUT, check=True)


def main() -> None:
    """Every script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in SCRIPTS.items():
            path, output = pathlib.Path(folder, "train.py"), pathlib.Path(folder, "output")
            path.write_text(text)
            arguments = [str(path), "0.1"]
            with Runner() as runner:
                began = time.perf_counter()
                forked(runner, arguments, output)
                first = time.perf_counter() - began
                forked(runner, arguments, output)  # waits for the imports
                contenders = {
                    "python": functools.partial(plainly, arguments, output),
                    "fork": functools.partial(forked, runner, arguments, output),
                }
                taken = take_turns(contenders, rounds)
            assert len({line for line in output.read_text().splitlines() if line.startswith("accuracy")}) == 1
            output.unlink()
            results[name] = {
                "n": rounds,
                "seconds": {how: quartiles(seconds) for how, seconds in taken.items()},
                "first fork, seconds": first,
                "python over fork": ratio(taken, "python", "fork"),
            }
            shown = results[name]["seconds"]
            print(
                f"{name}: python {shown['python']['median']:.2f} s, fork {shown['fork']['median']:.3f} s, "
                f"{results[name]['python over fork']['median']:.1f} times, first {first:.2f} s, {rounds} rounds"
            )
    store("script_starts", results)


if __name__ == "__main__":
    main()
