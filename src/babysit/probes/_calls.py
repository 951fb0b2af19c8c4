"""Functions called in a forward pass: `F.relu`, `torch.sigmoid`, `x @ self.weight`, as layers of their own.

A mode of PyTorch's own sees each call while a measured forward pass runs, and is gone after it. Calls that no mode
sees, functions of the user's own and scripted ones, are found in the graph of gradients.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, handle_torch_function

from babysit.probes._fence import Aside, unnoticed
from babysit.probes._numbers import readable

# Operations that are linear in what the network computes, or move numbers about. Whatever is not listed counts as a
# nonlinearity, so that a linear network is never claimed where one cannot be sure.
_LINEAR = frozenset(
    """
    add sub rsub neg view reshape permute transpose swapaxes movedim t flatten unflatten squeeze unsqueeze expand
    expand_as repeat tile cat concat concatenate stack hstack vstack chunk split unbind narrow select getitem clone
    contiguous detach to float double half bfloat16 type type_as sum mean cumsum roll flip pad dropout alpha_dropout
    feature_alpha_dropout dropout1d dropout2d dropout3d requires_grad_ retain_grad avg_pool1d avg_pool2d
    adaptive_avg_pool1d adaptive_avg_pool2d interpolate unfold fold as_strided index_select gather numpy cpu cuda data
    real view_as reshape_as set size dim shape mT T H diagonal tril triu fill zero copy pixel_shuffle
    identity alias batch_norm layer_norm group_norm instance_norm rms_norm linear conv1d conv2d conv3d
    conv_transpose1d conv_transpose2d conv_transpose3d embedding embedding_bag checkpoint
    """.split()
)
# Linear in each of two arguments: a nonlinearity where both come from the network.
_PRODUCTS = frozenset(
    "mul multiply matmul bmm mm mv dot einsum addmm baddbmm div true_divide divide outer bilinear".split()
)
_WEIGHTED = {
    "linear": "linear",
    "conv1d": "conv",
    "conv2d": "conv",
    "conv3d": "conv",
    "conv_transpose1d": "conv",
    "conv_transpose2d": "conv",
    "conv_transpose3d": "conv",
}
_MATRIX_PRODUCTS = frozenset("matmul mm addmm bmm".split())
PASSED_ON = "passed on by babysit"  # what a frame is called that stands for the user's; tracebacks are without it
_OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep
HOPS = 24  # nodes looked at between two layers: a block of views, sums and a call or two
# What a layer with weights leaves in the graph: looking ends there.
_LAYERS = re.compile(r"^(Addmm|Mm|Bmm|Baddbmm|Addbmm|Linear|\w*Conv\w*|\w*Rnn\w*|Embedding\w*)$")
_ENDS = frozenset({"AccumulateGrad"})
# Linear in what flows through, or moving numbers; of a mask or a scale, which dropout has, it cannot tell.
_KEEPS_LINEAR = re.compile(
    r"^(Unsafe)?(Add|Sub|Neg|Mul|Div|View|ReshapeAlias|Reshape|T|Transpose|Permute|Expand|Squeeze|Unsqueeze|Clone|Copy"
    r"|ToCopy|Slice|Select|Index|Split\w*|Unbind|Cat|Stack|Mean|Sum|Pad|ConstantPadNd|Flip|Roll|Repeat|Alias|Detach"
    r"|Unfold|AsStrided|\w*BatchNorm|\w*LayerNorm|\w*GroupNorm|RmsNorm|\w*Dropout|\w*AvgPool\w*|Upsample\w*)$"
)


def plain_name(function: Callable[..., Any]) -> str:
    """`relu` for torch.relu, F.relu, Tensor.relu_ and what the operators call: `mul` for *, `getitem` for [].

    Example:
        >>> import torch
        >>> plain_name(torch.Tensor.relu_), plain_name(torch.Tensor.__matmul__), plain_name(torch.Tensor.__radd__)
        ('relu', 'matmul', 'add')
    """
    name = getattr(function, "__name__", "").strip("_")
    if name[1:] in _LINEAR | _PRODUCTS and name[:1] in ("r", "i") and name not in _LINEAR | _PRODUCTS:
        return name[1:]
    return {"truediv": "div", "rtruediv": "div", "itruediv": "div", "rsub": "sub"}.get(name, name)


def role_of(name: str, arguments: tuple[Any, ...], options: dict[str, Any], result: Tensor) -> str:
    """What a call is: `linear` or `conv` with weights, `plain` (linear or moving numbers), or `function`.

    A factor of as many rows as the result may come from the network though no gradient flows through it, as in
    `x * (x > 0)`.
    """
    if name in _WEIGHTED:
        return _WEIGHTED[name]
    if name in _LINEAR:
        return "plain"
    if name in _PRODUCTS:
        tensors = [item for item in (*arguments, *options.values()) if isinstance(item, Tensor)]
        learned = [item for item in tensors if isinstance(item, nn.Parameter)]
        if name in _MATRIX_PRODUCTS and any(item.requires_grad and item.ndim >= 2 for item in learned):
            return "linear"
        others = [item for item in tensors if not isinstance(item, nn.Parameter)]
        from_network = [item for item in others if item.requires_grad or _of_rows(item, result)]
        return "function" if len(from_network) > 1 else "plain"
    return "function"


def _of_rows(factor: Tensor, result: Tensor) -> bool:
    return factor.ndim == result.ndim > 0 and factor.shape[0] == result.shape[0] > 1


def parameters_among(arguments: tuple[Any, ...], options: dict[str, Any]) -> list[nn.Parameter]:
    """Those that ask for a gradient, also within lists, as recurrent layers' are."""
    flat = [
        item
        for given in (*arguments, *options.values())
        for item in (given if isinstance(given, list | tuple) else (given,))
    ]
    return [item for item in flat if isinstance(item, nn.Parameter) and item.requires_grad]


class Calls(TorchFunctionMode):
    """Tells of each call of a torch function that gives floating numbers.

    Args:
        seen: Called with the function, its name, arguments, options and result, after it ran.
        failed: Called with an error of babysit's own.
    """

    def __init__(
        self,
        seen: Callable[[Callable[..., Any], str, tuple[Any, ...], dict[str, Any], Tensor], None],
        failed: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self._seen, self._failed = seen, failed

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run it, then tell."""
        options = kwargs or {}
        result = passed_on(func, args, options, sys._getframe(1))
        try:
            with Aside():
                given = args[0] if result is None and args and func is Tensor.__setitem__ else result
                # Of several results, as `max` over a dimension has, the first says what the call did.
                found = given[0] if isinstance(given, tuple) and given else given
                if isinstance(found, Tensor) and readable(found) and found.is_floating_point():
                    self._seen(func, plain_name(func), args, options, found)
        except Exception as error:
            self._failed(error)
        return result


Calls.__torch_function__ = unnoticed(Calls.__torch_function__)  # type: ignore[method-assign]
_DISPATCHER = handle_torch_function.__code__
_call = (lambda function, arguments, options: function(*arguments, **options)).__code__
_places: dict[tuple[CodeType, int], CodeType] = {}  # code that calls a function, by where it is called from


@unnoticed
def passed_on(function: Callable[..., Any], arguments: Any, options: dict[str, Any], caller: FrameType) -> Any:
    """Call a function for somebody who called it under a mode of ours."""
    if type(function) is FunctionType:
        return function(*arguments, **options)
    # What is not written in Python warns of the line that calls it.
    return _as_called_from(caller)(function, arguments, options)


def _as_called_from(frame: FrameType) -> FunctionType:
    """A function that calls another one, and whose frame looks like the line in which this frame stands."""
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
    place = frame.f_code, frame.f_lineno
    code = _places.get(place)
    if code is None:
        here, line = place
        code = _places[place] = _call.replace(co_filename=here.co_filename, co_firstlineno=line, co_name=PASSED_ON)
    return FunctionType(code, frame.f_globals)


class WarningsAsWithout:
    """While it lasts, warnings that are raised in Python below a mode name the line that they name without it.

    A function that a mode sees is entered twice, with PyTorch's dispatcher between: two frames more than are counted
    from the warning to the line that it is about.

    Example:
        >>> kept = warnings.warn
        >>> named = WarningsAsWithout()
        >>> warnings.warn is kept
        False
        >>> named.end()
        >>> warnings.warn is kept
        True
    """

    def __init__(self) -> None:
        self._original = original = warnings.warn

        def warn(message: Any, category: Any = None, stacklevel: int = 1, source: Any = None, **options: Any) -> None:
            original(message, category, stacklevel + 1 + _frames_more(sys._getframe(1), stacklevel), source, **options)

        self._ours = warnings.warn = warn

    def end(self) -> None:
        """As before; what somebody has put in its place since then stays."""
        if warnings.warn is self._ours:
            warnings.warn = self._original


def _frames_more(frame: FrameType | None, level: int) -> int:
    """Frames that a mode adds between this one and the one that is `level` counted from it."""
    more, counted = 0, 1
    while counted < level and frame is not None:
        frame = frame.f_back
        if frame is not None and frame.f_code is _DISPATCHER:
            more, frame = more + 2, frame.f_back
        elif frame is not None and not (
            "importlib" in frame.f_code.co_filename and "_boot" in frame.f_code.co_filename
        ):
            counted += 1
    return more


def nonlinearity_behind(node: Any) -> str:
    """The name of the first call behind this node that is not surely linear; empty where a layer comes first.

    Args:
        node: `grad_fn` of what enters a layer.

    Example:
        >>> import torch
        >>> hidden = torch.nn.Linear(2, 2)(torch.ones(3, 2))
        >>> nonlinearity_behind((hidden + 1).grad_fn), nonlinearity_behind(hidden.tanh().grad_fn)
        ('', 'Tanh')
    """
    waiting, seen = [node], 0
    while waiting and seen < HOPS:
        here = waiting.pop(0)
        if here is None:
            continue
        seen += 1
        name = re.sub(r"Backward\d*$", "", type(here).__name__)
        if name in _ENDS or _LAYERS.match(name):
            continue
        if not _KEEPS_LINEAR.match(name):
            return name
        waiting += [before for before, _ in here.next_functions]
    return ""
