"""Weights that no layer of PyTorch's holds: parameters of a user's own module, read by a function.

`F.linear(x, self.weight)`, `x @ self.weight` and their kin are layers all the same. A name of such a layer is that of
its weight's parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

# Where each function takes its weight and its bias, and whether outputs lie along the weight's first axis.
_PLACES: dict[str, tuple[int, int | None, bool]] = {
    "linear": (1, 2, True),
    "conv1d": (1, 2, True),
    "conv2d": (1, 2, True),
    "conv3d": (1, 2, True),
    "matmul": (1, None, False),
    "mm": (1, None, False),
    "addmm": (2, 0, False),
}


@dataclass(frozen=True)
class RawWeight:
    """A parameter used as a layer's weight.

    Attributes:
        name: The parameter's.
        bias: That of the bias, if there is one.
        outputs_first: Whether it is [out, in, ...] rather than [in, out].
    """

    name: str
    bias: str | None
    outputs_first: bool

    def fan_in(self, weight: Tensor) -> int:
        """Numbers that enter one output's sum."""
        return weight[0].numel() if self.outputs_first else weight.shape[0]


def raw_weight(
    function: str, arguments: Sequence[Any], options: Mapping[str, Any], names: Mapping[int, str]
) -> RawWeight | None:
    """The weight that a call reads, if it is a parameter of a module that is no layer.

    Args:
        function: The name of the function called.
        arguments: What it was called with, or symbols of that.
        options: The same by keyword.
        names: Parameters' names by the identity of what stands for them among the arguments.
    """
    places = _PLACES.get(function.strip("_"))
    if places is None:
        return None
    weight_place, bias_place, outputs_first = places
    name = names.get(id(_argument(arguments, options, weight_place, "weight")))
    if name is None:
        return None
    bias = None if bias_place is None else names.get(id(_argument(arguments, options, bias_place, "bias")))
    return RawWeight(name, bias, outputs_first)


def _argument(arguments: Sequence[Any], options: Mapping[str, Any], place: int, name: str) -> Any:
    return arguments[place] if place < len(arguments) else options.get(name)
