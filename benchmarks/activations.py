"""What each activation costs beside relu, forward and backward, here and now."""

from __future__ import annotations

import dataclasses

import _measure
from babysit.nn import activation_names, measure_cost

ELEMENTS = 2**20
REPEATS = 25


def main() -> None:
    costs = [measure_cost(name, ELEMENTS, REPEATS) for name in activation_names()]
    for cost in sorted(costs, key=lambda cost: cost.times_relu):
        spread = f"[{cost.low:.2f}, {cost.high:.2f}]"
        print(f"{cost.name:12} x{cost.times_relu:5.2f} of relu {spread}  {cost.seconds * 1e3:7.2f} ms")
    _measure.store("activations", {cost.name: dataclasses.asdict(cost) for cost in costs})


if __name__ == "__main__":
    main()
