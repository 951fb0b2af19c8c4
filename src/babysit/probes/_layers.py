"""What the network is made of, as it is called: modules with a kind, and functions called in forward passes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.pooling import (
    _AdaptiveAvgPoolNd,
    _AdaptiveMaxPoolNd,
    _AvgPoolNd,
    _LPPoolNd,
    _MaxPoolNd,
)

from babysit.nn import MaxPieces, facts_of
from babysit.record import LayerKind, TraceLayer

_KINDS: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], LayerKind], ...] = (
    ((nn.Linear, nn.Bilinear), "linear"),
    (_ConvNd, "conv"),
    ((nn.RNNBase, nn.RNNCellBase), "recurrent"),
    (nn.MultiheadAttention, "attention"),
    ((nn.Embedding, nn.EmbeddingBag), "embedding"),
    (_BatchNorm, "batch-norm"),
    ((nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm, nn.InstanceNorm1d, nn.InstanceNorm2d), "norm"),
    (_DropoutNd, "dropout"),
    ((_MaxPoolNd, _AvgPoolNd, _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd, _LPPoolNd), "pooling"),
)


def module_kind(module: nn.Module) -> LayerKind | None:
    """The kind of a module that is measured as a whole; None for containers and modules of the user's own."""
    for types, kind in _KINDS:
        if isinstance(module, types):
            return kind
    if isinstance(module, MaxPieces) or facts_of(module) is not None:
        return "activation"
    return None


def activation_name(module: nn.Module) -> str:
    """The activation's name; empty for other modules."""
    facts = facts_of(module)
    return "maxout" if isinstance(module, MaxPieces) else facts.name if facts is not None else ""


def unit_dimension(kind: LayerKind, outputs: Tensor, last_weighted: str) -> int:
    """Where units lie in outputs [N, ...]: channels in the second dimension, features in the last one."""
    if outputs.ndim <= 2 or kind in ("conv", "batch-norm"):
        return min(1, outputs.ndim - 1)
    if kind in ("activation", "dropout", "pooling", "function"):
        return 1 if outputs.ndim >= 4 or last_weighted in ("conv", "batch-norm") else outputs.ndim - 1
    return outputs.ndim - 1


def by_unit(outputs: Tensor, dimension: int) -> Tensor:
    """Outputs as [positions, units]; a view where memory allows it."""
    if outputs.ndim == 1:
        return outputs[:, None]
    return outputs.movedim(dimension, -1).reshape(-1, outputs.shape[dimension])


def describe(
    name: str, kind: LayerKind, depth: int, units: int, module: nn.Module | None, activation: str
) -> TraceLayer:
    """The layer as a trace tells of it."""
    weight = _held(module, "weight")
    fan_in = weight[0].numel() if weight is not None and weight.ndim > 1 and kind != "embedding" else 0
    parameters = 0 if module is None else sum(found.numel() for found in module.parameters() if found.requires_grad)
    bias = _held(module, "bias") is not None
    return TraceLayer(name, kind, activation, depth, units, fan_in, parameters, bias)


def _held(module: nn.Module | None, name: str) -> Tensor | None:
    """A tensor as the module stores it. To read a parametrized one is to compute it: spectral norm's buffers move."""
    if module is None:
        return None
    parametrized = module._modules.get("parametrizations")
    if isinstance(parametrized, nn.ModuleDict) and name in parametrized:
        return max(parametrized[name].parameters(recurse=False), key=Tensor.numel, default=None)
    found = module._parameters.get(name, vars(module).get(name))
    return found if isinstance(found, Tensor) else None


def unwrapped(network: nn.Module) -> nn.Module:
    """The network within `DataParallel` and `DistributedDataParallel`."""
    while isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        network = network.module
    return network
