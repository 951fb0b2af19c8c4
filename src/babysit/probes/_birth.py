"""Where a number first was not finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from babysit.probes._inputs import first_tensor
from babysit.probes._weights import row_name
from babysit.record import INPUTS

LOSS = "(loss)"
Pass = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]  # what was called, and with what


def find_birth(network: nn.Module, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[str, str]:
    """The layer, and a sentence, for a loss that is NaN or infinite; the network is afterwards as it was.

    The pass is made once more, without gradients, and the first module whose outputs are not finite though what
    entered it was is the answer. Weights that are not finite already were made so by the step before.

    Args:
        network: As it was when the loss was computed.
        arguments: What its forward pass was given.
        options: The same by keyword.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
        >>> find_birth(net, (torch.tensor([[float("nan"), 1.0]]),), {})
        ('(inputs)', 'the inputs hold a number that is NaN or infinite')
    """
    with torch.no_grad():
        entered = first_tensor([arguments, dict(options)])
        if entered is not None and _not_finite(entered):
            return INPUTS, "the inputs hold a number that is NaN or infinite"
        for name, parameter in network.named_parameters():
            if _not_finite(parameter):
                layer = row_name(name)
                return layer, f"the step before made the weights of {layer} NaN or infinite"
        return _first_layer(network, arguments, options)


def find_birth_within(network: nn.Module, passes: Sequence[Pass]) -> tuple[str, str]:
    """The same, where the script calls parts of a network one after the other; of no pass nothing is known."""
    if not passes:
        return "", "no layer is known, because no forward pass of this step was seen"
    names = {id(module): name for name, module in network.named_modules()}
    found = LOSS, ""
    for module, arguments, options in passes:
        layer, sentence = found = find_birth(module, arguments, options)
        prefix = names.get(id(module), "")
        if layer == INPUTS and module is not passes[0][0]:
            return LOSS, f"it first appeared between the parts of the network, before {prefix or 'the network'}"
        if layer != LOSS:
            full = ".".join(part for part in (prefix, layer) if part) if layer != INPUTS else layer
            return full, sentence.replace(layer, full) if layer else sentence
    return found


def _first_layer(network: nn.Module, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[str, str]:
    found: list[str] = []

    def looking(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, entered: Any, outputs: Any) -> None:
            given, made = first_tensor(entered), first_tensor(outputs)
            if not found and made is not None and _not_finite(made) and (given is None or not _not_finite(given)):
                found.append(name)

        return hook

    # Children end before their parents, so that the innermost module is found first.
    handles = [module.register_forward_hook(looking(name)) for name, module in network.named_modules()]
    # The pass may write into buffers (batch norm's averages), which the backward pass still needs: it gets copies.
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    devices = sorted({tensor.device.index for tensor in network.parameters() if tensor.device.type == "cuda"})
    try:
        with torch.random.fork_rng(devices):
            torch.func.functional_call(network, buffers, arguments, dict(options))
    except Exception as error:  # a forward pass that fails the second time tells nothing, and may not stop the training
        return "", f"the layer was not found: {type(error).__name__}: {error}"
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        return LOSS, "the outputs of the network are finite, so it first appeared in the loss"
    return found[0], f"{found[0] or 'the network'} made a number that is NaN or infinite from finite inputs"


def _not_finite(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
