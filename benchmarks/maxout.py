"""Maxout beside the obvious formulations: seconds and peak memory of a forward and a backward pass.

Each contender computes the same units from the same weights. `maximum` alone is timed as well as the whole layer,
for in a whole layer the matrix product or the convolution takes most of the time. Run it without arguments; on a
machine with a GPU it measures there too.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

import _measure
from babysit.nn import max_pieces

ROUNDS = 25
# name: (inputs of the layer, layer, pieces)
SHAPES: dict[str, tuple[tuple[int, ...], Callable[[], nn.Module], int]] = {
    "dense 32 x 64 -> 64, 2 pieces": ((32, 64), lambda: nn.Linear(64, 128), 2),
    "dense 128 x 256 -> 256, 2 pieces": ((128, 256), lambda: nn.Linear(256, 512), 2),
    "dense 1024 x 512 -> 512, 2 pieces": ((1024, 512), lambda: nn.Linear(512, 1024), 2),
    "dense 512 x 256 -> 512, 4 pieces": ((512, 256), lambda: nn.Linear(256, 2048), 4),
    "conv 32 x 16 x 32 x 32 -> 32, 2 pieces": ((32, 16, 32, 32), lambda: nn.Conv2d(16, 64, 3, padding=1), 2),
    "conv 32 x 32 x 16 x 16 -> 32, 4 pieces": ((32, 32, 16, 16), lambda: nn.Conv2d(32, 128, 3, padding=1), 4),
}
Formulation = Callable[[Tensor, int], Tensor]


def ours(values: Tensor, pieces: int) -> Tensor:
    return max_pieces(values, pieces)


def chain(values: Tensor, pieces: int) -> Tensor:
    return functools.reduce(torch.maximum, values.chunk(pieces, dim=1))


def amax(values: Tensor, pieces: int) -> Tensor:
    return values.view(values.shape[0], pieces, -1, *values.shape[2:]).amax(1)


def max_over(values: Tensor, pieces: int) -> Tensor:
    return values.view(values.shape[0], pieces, -1, *values.shape[2:]).max(1).values


def max_over_last(values: Tensor, pieces: int) -> Tensor:
    """Pieces of a unit side by side, the layout of most tutorials."""
    return values.view(values.shape[0], -1, pieces, *values.shape[2:]).max(2).values


def max_pool(values: Tensor, pieces: int) -> Tensor:
    """Pooling over channels, pieces of a unit side by side."""
    if values.ndim == 2:
        return functional.max_pool1d(values.unsqueeze(1), pieces).squeeze(1)
    return functional.max_pool3d(values.unsqueeze(1), (pieces, 1, 1)).squeeze(1)


CONTENDERS: dict[str, Formulation] = {
    "babysit": ours, "maximum chain": chain, "view + amax": amax, "view + max": max_over,
    "view + max, side by side": max_over_last, "max_pool": max_pool,
}  # fmt: skip


def whole_layer(layer: nn.Module, inputs: Tensor, pieces: int, formulation: Formulation) -> Callable[[], None]:
    def run() -> None:
        formulation(layer(inputs), pieces).sum().backward()
        layer.zero_grad()
        _wait(inputs)

    return run


def alone(values: Tensor, pieces: int, formulation: Formulation) -> Callable[[], None]:
    gradient = torch.ones_like(formulation(values, pieces))

    def run() -> None:
        torch.autograd.grad(formulation(values, pieces), values, gradient)
        _wait(values)

    return run


def _wait(tensor: Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()


def peak_bytes(run: Callable[[], None], device: str) -> int:
    """Most memory that one pass holds beyond what was held before it."""
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    assert profile.profiler is not None
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def compare(runs: dict[str, Callable[[], None]], device: str) -> dict[str, object]:
    """Seconds, peak bytes, and ours against the best of the others round by round."""
    seconds = _measure.take_turns(runs, ROUNDS, warm_up=2)
    medians = {name: _measure.quartiles(values)["median"] for name, values in seconds.items()}
    peaks = {name: peak_bytes(run, device) for name, run in runs.items()}
    fastest = min((name for name in runs if name != "babysit"), key=medians.__getitem__)
    leanest = min((name for name in runs if name != "babysit"), key=peaks.__getitem__)
    return {
        "seconds": {name: _measure.quartiles(values) for name, values in seconds.items()},
        "peak_bytes": peaks,
        "fastest_other": fastest,
        "time_ratio_to_fastest_other": _measure.ratio(seconds, "babysit", fastest),
        "leanest_other": leanest,
        "peak_ratio_to_leanest_other": peaks["babysit"] / peaks[leanest],
    }


def report(title: str, found: dict[str, object]) -> None:
    time, memory = found["time_ratio_to_fastest_other"], found["peak_ratio_to_leanest_other"]
    assert isinstance(time, dict)
    print(
        f"{title:58} time x{time['median']:.2f} [{time['low']:.2f}, {time['high']:.2f}] of {found['fastest_other']}, "
        f"peak x{memory:.2f} of {found['leanest_other']}"
    )


def main() -> None:
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # or the profiler tells of every start
    results: dict[str, dict[str, object]] = {}
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        for title, (shape, make, pieces) in SHAPES.items():
            torch.manual_seed(0)
            layer = make().to(device)
            inputs = torch.randn(shape, device=device)
            values = layer(inputs).detach().requires_grad_()
            for kind, runs in (
                ("layer", {name: whole_layer(layer, inputs, pieces, each) for name, each in CONTENDERS.items()}),
                ("maximum", {name: alone(values, pieces, each) for name, each in CONTENDERS.items()}),
            ):
                key = f"{device} {kind}: {title}"
                results[key] = {"rounds": ROUNDS, **compare(runs, device)}
                report(key, results[key])
    _measure.store("maxout", results)


if __name__ == "__main__":
    main()
