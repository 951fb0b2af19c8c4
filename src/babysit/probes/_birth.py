"""Where a number first was not finite, from what is there already: nothing of the user's is called again.

The graph of gradients tells most of it. A node keeps tensors for the backward pass, and each knows by which node it was
made: the earliest that holds NaN or infinity is the answer. Tensors that hooks have packed away (checkpointing does it)
are not unpacked, because that would call what packed them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from babysit.probes._numbers import readable
from babysit.probes._weights import row_name
from babysit.record import INPUTS

LOSS = "(loss)"
MOST_NODES = 20_000  # of a graph that are looked at
NEAR = 200  # nodes looked at on the way from an operation to the weights before it


class Pass(NamedTuple):
    """A pass of a network, or of a part of it."""

    module: nn.Module
    entered: Tensor | None
    ended: int | None = None  # number of the node that made its outputs; None where that is not known


def find_birth(
    network: nn.Module, passes: Sequence[Pass], loss: Tensor | None, made_by: Mapping[int, str]
) -> tuple[str, str]:
    """The layer, and a sentence, for a loss that is NaN or infinite.

    Weights that are not finite already were made so by the step before.

    Args:
        network: As it was when the loss was computed.
        passes: Of this step.
        loss: With its graph; None where it was given as a number.
        made_by: Names of modules by the number of the node that made their outputs, where the pass was measured.

    Example:
        >>> net = nn.Linear(2, 1)
        >>> find_birth(net, [Pass(net, torch.tensor([[float("nan"), 1.0]]))], None, {})
        ('(inputs)', 'the inputs hold a number that is NaN or infinite')
        >>> outputs = net(torch.ones(4, 2))
        >>> find_birth(net, [Pass(net, torch.ones(4, 2))], (outputs * 0 - 1).log().square().mean(), {})
        ('weight', 'Log made a number that is NaN or infinite, behind weight')
    """
    if not passes:
        return "", "no layer is known, because no forward pass of this step was seen"
    if _not_finite(passes[0].entered):
        return INPUTS, "the inputs hold a number that is NaN or infinite"
    for name, parameter in network.named_parameters():
        if not is_lazy(parameter) and _not_finite(parameter):
            layer = row_name(name)
            return layer, f"the step before made the weights of {layer} NaN or infinite"
    node = _first_node(loss.grad_fn) if loss is not None and loss.grad_fn is not None else None
    if node is None:
        ends = "the numbers that it keeps for its backward pass are finite, so it first appeared in the loss"
        return LOSS, ends if loss is not None and loss.grad_fn is not None else "the loss was given as a number"
    number = node._sequence_nr()
    ended = [one.ended for one in passes if one.ended is not None]
    if len(ended) == len(passes) and number > max(ended):
        return LOSS, "the outputs of the network are finite, so it first appeared in the loss"
    within = min((at for at in made_by if at >= number), default=None)
    if within is not None:
        layer = made_by[within]
        return layer, f"{layer or 'the network'} made a number that is NaN or infinite from finite inputs"
    kind = type(node).__name__.partition("Backward")[0]
    layer = _weights_before(node, {id(one): row_name(name) for name, one in network.named_parameters()})
    return layer, f"{kind} made a number that is NaN or infinite" + (f", behind {layer}" if layer else "")


def _first_node(end: Any) -> Any:
    """The node that made the earliest tensor which is not finite, of those that are kept; None of none."""
    found: Any = None
    waiting, seen = [end], {end}
    while waiting and len(seen) < MOST_NODES:
        node = waiting.pop()
        for maker in _makers_of_bad(node):
            if found is None or maker._sequence_nr() < found._sequence_nr():
                found = maker
        for before, _ in node.next_functions:
            if before is not None and before not in seen:
                seen.add(before)
                waiting.append(before)
    return found


def _makers_of_bad(node: Any) -> list[Any]:
    found = []
    for name in [one for one in dir(type(node)) if one.startswith("_raw_saved_")]:
        with contextlib.suppress(Exception):  # what an earlier backward pass has freed
            raw = getattr(node, name)
            for one in raw if isinstance(raw, tuple | list) else [raw]:
                kept = getattr(one, "data", None)  # as it is kept: hooks that would unpack it are not called
                if isinstance(kept, Tensor) and _not_finite(kept):
                    maker = node if name in ("_raw_saved_result", "_raw_saved_output") else kept.grad_fn
                    found += [maker] if maker is not None else []
    return found


def _weights_before(node: Any, names: Mapping[int, str]) -> str:
    """The layer whose weights are nearest before a node; a bias or a gain counts where there is nothing else."""
    waiting, seen, found = [node], 0, ""
    while waiting and seen < NEAR:
        here = waiting.pop(0)
        seen += 1
        leaf = getattr(here, "variable", None)
        name = names.get(id(leaf))
        if name is not None and leaf is not None and leaf.ndim > 1:
            return name
        found = found or name or ""
        waiting += [before for before, _ in here.next_functions if before is not None]
    return found


def _not_finite(tensor: Tensor | None) -> bool:
    if tensor is None or not readable(tensor) or not (tensor.is_floating_point() or tensor.is_complex()):
        return False
    return not bool(torch.isfinite(tensor.detach()).all())
