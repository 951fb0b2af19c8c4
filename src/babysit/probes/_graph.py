"""What the graph of gradients tells of calls that no hook sees: functions of the user's own, scripted ones."""

from __future__ import annotations

import re
from typing import Any

HOPS = 24  # nodes looked at between two layers: a block of views, sums and a call or two

# What a layer with weights leaves in the graph: looking ends there.
_LAYERS = re.compile(r"(Addmm|Mm|Bmm|Baddbmm|Addbmm|Linear|\w*Convolution\w*|\w*Conv\w*|\w*Rnn\w*|Embedding\w*)$")
_ENDS = frozenset({"AccumulateGrad"})
# Linear in what flows through, or moving numbers; of a mask or a scale, which dropout has, it cannot tell.
_KEEPS_LINEAR = re.compile(
    r"(Unsafe)?(Add|Sub|Neg|Mul|Div|View|ReshapeAlias|Reshape|T|Transpose|Permute|Expand|Squeeze|Unsqueeze|Clone|Copy"
    r"|ToCopy|Slice|Select|Index|Split\w*|Unbind|Cat|Stack|Mean|Sum|Pad|ConstantPadNd|Flip|Roll|Repeat|Alias|Detach"
    r"|Unfold|AsStrided|\w*BatchNorm|\w*LayerNorm|\w*GroupNorm|RmsNorm|\w*Dropout|\w*AvgPool\w*|Upsample\w*)$"
)


def bends(node: Any) -> str:
    """The name of the first call behind this node that is not surely linear; empty where a layer comes first.

    Args:
        node: `grad_fn` of what enters a layer.

    Example:
        >>> import torch
        >>> hidden = torch.nn.Linear(2, 2)(torch.ones(3, 2))
        >>> bends((hidden + 1).grad_fn), bends(hidden.tanh().grad_fn)
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
