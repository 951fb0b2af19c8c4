"""What does `babysit run` cost a script? The same program plainly and watched, in turns, round by round.

The programs are small on purpose: the less a step does, the more of it is Python, and the more it costs to listen.
Their first hundred steps are left out: the first ten are always measured, and imports are nobody's training.

- `plainly, again`: the same as what all are compared with: how far the machine's noise alone goes.
- `watched`: `babysit run` with its budget of one percent, and its findings as they come.
- `global hooks`: two empty hooks of PyTorch's own on all modules, `register_module_forward_pre_hook` and
  `register_module_forward_hook`, which is how a script's modules can be heard of without replacing `__call__`.

Processor time of one thread, since other processes share the machine, and beside it the time on the wall. Of both the
ratio to the plain run of the same round, and the microseconds that a step takes longer.

    OMP_NUM_THREADS=1 python benchmarks/run_overhead.py [--rounds 15] [--steps 3000]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import pathlib
import sys
import tempfile
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

import babysit
from _measure import Seconds, quartiles, ratio, store
from babysit.scripts import Script, run_script

LEFT_OUT = 100
LOOP = """
import sys, time
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
inputs, labels = load_digits(return_X_y=True)
inputs, labels = torch.tensor(inputs, dtype=torch.float32) / 16, torch.tensor(labels)
layers = [nn.Linear(64, {width}), nn.ReLU()]
for _ in range({depth}):
    layers += [nn.Linear({width}, {width}), nn.ReLU()]
net = nn.Sequential(*layers, nn.Linear({width}, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CrossEntropyLoss()
steps, began = 0, (0.0, 0.0)
while steps < int(sys.argv[1]):
    for rows in torch.randperm(len(inputs)).split(64):
        if steps == {left_out}:
            began = time.process_time(), time.perf_counter()
        optimizer.zero_grad()
        loss = criterion(net(inputs[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        steps += 1
print(time.process_time() - began[0], time.perf_counter() - began[1], steps - {left_out})
"""
CLOCKS = ("processor", "wall")
PROGRAMS = {"MLP 64-64-10, batch 64": (64, 0), "MLP of 10 layers, batch 64": (64, 8)}


def seconds_of(path: pathlib.Path, steps: int, how: str) -> dict[str, float]:
    """Seconds a step of one run, by clock."""
    said = io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(said))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        if how == "watched":
            babysit.run(path, [str(steps)])
        else:
            handles: list[Any] = []
            if how == "global hooks":
                handles.append(register_module_forward_pre_hook(lambda module, arguments: None))
                handles.append(register_module_forward_hook(lambda module, arguments, outputs: None))
            run_script(Script(str(path), (str(steps),)))
            for handle in handles:
                handle.remove()
    *taken, counted = said.getvalue().split()
    return {clock: float(seconds) / int(counted) for clock, seconds in zip(CLOCKS, taken, strict=True)}


def longer(seconds: Seconds, how: str) -> dict[str, float]:
    """Quartiles of the microseconds by which a step is longer than one of the plain run of the same round."""
    pairs = zip(seconds[how], seconds["plainly"], strict=True)
    return quartiles([1e6 * (one - plain) for one, plain in pairs])


def compared(seconds: Seconds) -> dict[str, Any]:
    """All contenders beside the plain run, by one clock."""
    shown: dict[str, Any] = {"ms a step": quartiles([1000 * one for one in seconds["plainly"]])}
    for how in [one for one in seconds if one != "plainly"]:
        shown[how] = {"ratio": ratio(seconds, how, "plainly"), "us longer": longer(seconds, how)}
    return shown


def told(found: dict[str, float], digits: int) -> str:
    """Median and quartiles in a line."""
    return f"{found['median']:.{digits}f} ({found['low']:.{digits}f} to {found['high']:.{digits}f})"


def main() -> None:
    """Every program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=3000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    contenders = ("plainly", "plainly, again", "watched", "global hooks")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (width, depth) in PROGRAMS.items():
            path = pathlib.Path(folder) / "train.py"
            path.write_text(LOOP.format(width=width, depth=depth, left_out=LEFT_OUT))
            for how in contenders:
                seconds_of(path, 2 * LEFT_OUT, how)
            taken: dict[str, Seconds] = {clock: {how: [] for how in contenders} for clock in CLOCKS}
            for number in range(options.rounds):
                at = number % len(contenders)
                for how in contenders[at:] + contenders[:at]:  # nobody is always first
                    for clock, seconds in seconds_of(path, options.steps, how).items():
                        taken[clock][how].append(seconds)
            results[name] = {"n": options.rounds, "steps a round": options.steps}
            for clock, seconds_by in taken.items():
                results[name][clock] = shown = compared(seconds_by)
                plain = shown["ms a step"]["median"]
                print(f"{name}: {plain:.3f} ms a step by {clock} time, {options.rounds} rounds", file=sys.stderr)
                for how in contenders[1:]:
                    one = shown[how]
                    print(f"  {how:16} {told(one['ratio'], 4)}, {told(one['us longer'], 1)} us", file=sys.stderr)
    store("run_overhead", results)


if __name__ == "__main__":
    main()
