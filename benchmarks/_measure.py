"""How every benchmark here measures, and where it stores what it measured.

Machines are shared and noisy, so contenders take turns within one run and are compared round by round: what counts
is the median of the ratios of neighbours in time, with its spread, not two means taken minutes apart.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

RESULTS = pathlib.Path(__file__).parent / "results"
Seconds = dict[str, list[float]]


def take_turns(contenders: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> Seconds:
    """Time each contender `rounds` times, all of them once a round. Returns seconds by name."""
    for _ in range(warm_up):
        for run in contenders.values():
            run()
    seconds: Seconds = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def quartiles(values: list[float]) -> dict[str, float]:
    """Median and quartiles of some numbers."""
    if len(values) < 2:
        return {"median": values[0], "low": values[0], "high": values[0]}
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": statistics.median(values), "low": low, "high": high}


def ratio(seconds: Seconds, numerator: str, denominator: str) -> dict[str, float]:
    """Quartiles of numerator over denominator, round by round."""
    pairs = zip(seconds[numerator], seconds[denominator], strict=True)
    return quartiles([above / below for above, below in pairs])


def hardware() -> dict[str, Any]:
    """The machine and the libraries that made the numbers."""
    model = platform.processor()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.system(),
    }


def store(name: str, results: Mapping[str, Any]) -> pathlib.Path:
    """Write results with the hardware and the date to `benchmarks/results/NAME.json`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    content = {"benchmark": name, "date": today, "hardware": hardware(), "results": results}
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(f"stored in {path.relative_to(pathlib.Path.cwd()) if path.is_relative_to(pathlib.Path.cwd()) else path}")
    return path
