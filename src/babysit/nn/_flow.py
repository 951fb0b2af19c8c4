"""How data runs through a model, step by step, whichever way it was followed.

A parameter of a user's own module that a function reads is a layer's weight all the same: `F.linear(x, self.weight)`,
`x @ self.weight` and their kin. Such a layer has the name of its weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from babysit.nn._activation_facts import activation_facts
from babysit.nn._activations import facts_of
from babysit.record import ActivationFacts

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
    """The weight that a call reads, if it is a parameter of a module that is not a layer.

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


# layer        holds weights                       activation   has known facts
# normalisation, pass, sum, product                data goes on, its kind of distribution with it
# number       a size or a count, no data          other        what follows is no longer the layer's output
StepKind = Literal[
    "input", "layer", "normalisation", "activation", "pass", "sum", "product", "number", "other", "output"
]

_SUM = {"add", "iadd", "radd", "sub", "isub", "rsub", "subtract"}
_PRODUCT = {"mul", "imul", "rmul", "multiply"}
NORMALISING = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm"}
_NUMBER = {"size", "dim", "len", "numel", "ndim", "shape", "getattr", "ndimension", "stride", "arange", "floordiv"}
_PASS = _NUMBER | {
    # the same numbers in another shape
    "view",
    "reshape",
    "flatten",
    "unflatten",
    "permute",
    "transpose",
    "movedim",
    "swapaxes",
    "squeeze",
    "unsqueeze",
    "contiguous",
    "cat",
    "concat",
    "concatenate",
    "stack",
    "chunk",
    "split",
    "unbind",
    "getitem",
    "narrow",
    "select",
    "index_select",
    "gather",
    "expand",
    "expand_as",
    "repeat",
    "repeat_interleave",
    "roll",
    "flip",
    "pad",
    "t",
    "clone",
    "detach",
    "to",
    "float",
    "half",
    "bfloat16",
    "double",
    "type",
    "type_as",
    "cpu",
    "cuda",
    "requires_grad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
    "unfold",
    "fold",
    "view_as",
    "reshape_as",
    "setitem",
    # thinned, averaged or scaled
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alpha_dropout",
    "feature_alpha_dropout",
    "feature_dropout",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "boolean_dispatch",
    "interpolate",
    "upsample",
    "mean",
    "sum",
    "amax",
    "max",
    "div",
    "truediv",
    "itruediv",
    "neg",
    "where",
    "masked_fill",
    "nan_to_num",
    "rsqrt",
    "sqrt",
    "pow",
    "normalize",
}
_PASS_MODULES = {
    "Identity",
    "Flatten",
    "Unflatten",
    "PixelShuffle",
    "PixelUnshuffle",
    "ChannelShuffle",
    "Upsample",
    "Fold",
    "Unfold",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
    "StochasticDepth",
    "DropPath",
}


@dataclass(frozen=True)
class Measured:
    """What a step gave for the sample.

    Attributes:
        std: Standard deviation over all numbers, population form.
        mean: Their mean.
        never_active_first: Share of units, counted along dimension 1, that never rose above the flat part.
        never_active_last: The same counted along the last dimension.
    """

    std: float
    mean: float
    never_active_first: float | None = None
    never_active_last: float | None = None


@dataclass(frozen=True)
class FlowStep:
    """One call: of a module or a function.

    Attributes:
        kind: What it does to the distribution.
        label: Its name for people.
        sources: Numbers of the steps it read.
        modules: Names of the modules whose parameters it used.
        facts: About the activation.
        called: Whether it is a module's own forward, rather than a function that reads a module's weights.
        dimensions: Of its output, when it was run.
        measured: Of its output, when it was run and looked at.
        raw: The weight, when it is a parameter of no layer; it then stands in for the module.
    """

    kind: StepKind
    label: str
    sources: tuple[int, ...] = ()
    modules: tuple[str, ...] = ()
    facts: ActivationFacts | None = None
    called: bool = False
    dimensions: int | None = None
    measured: Measured | None = None
    raw: RawWeight | None = None


@dataclass
class Flow:
    """All steps, in the order they ran.

    Attributes:
        way: How it was found.
        steps: The calls.
    """

    way: Literal["symbolic tracing", "a run of the sample"]
    steps: list[FlowStep] = field(default_factory=list)

    def add(self, step: FlowStep) -> int:
        """Its number."""
        self.steps.append(step)
        return len(self.steps) - 1

    def users(self) -> list[list[int]]:
        """For each step, those that read it."""
        users: list[list[int]] = [[] for _ in self.steps]
        for number, step in enumerate(self.steps):
            for source in step.sources:
                users[source].append(number)
        return users


def classify_function(
    name: str, arguments: Sequence[Any], options: dict[str, Any]
) -> tuple[StepKind, ActivationFacts | None]:
    """What a torch function does, by its name and what it is called with after its input."""
    name = name.strip("_")
    facts = facts_of(name, *arguments, **options)
    if facts is None and name == "maximum" and arguments and _is_zero(arguments[0]):
        facts = activation_facts("relu")
    if facts is not None:
        return "activation", facts
    if name in _SUM:
        return "sum", None
    if name in _PRODUCT:
        return "product", None
    if name in NORMALISING:
        return "normalisation", None
    return ("pass", None) if name in _PASS else ("other", None)


def is_number_function(name: str) -> bool:
    """Whether a function reads sizes rather than data."""
    return name.strip("_") in _NUMBER


def passes_through(class_name: str) -> bool:
    """Whether a module without weights passes the data on: dropout, pooling, reshaping."""
    return class_name in _PASS_MODULES or "Dropout" in class_name or "Pool" in class_name or "Pad" in class_name


def with_hand_written_silu(steps: Sequence[FlowStep]) -> list[FlowStep]:
    """x * sigmoid(x) written out is silu: its sigmoid counts as silu."""
    changed = list(steps)
    for step in steps:
        if step.kind != "product" or len(step.sources) != 2:
            continue
        for gate, other in (step.sources, step.sources[::-1]):
            facts = steps[gate].facts
            if facts is not None and facts.name == "sigmoid" and steps[gate].sources == (other,):
                old = steps[gate]
                changed[gate] = FlowStep(old.kind, "silu", old.sources, old.modules, activation_facts("silu"))
    return changed


def _is_zero(value: object) -> bool:
    return bool(value == 0) if isinstance(value, int | float) else False
