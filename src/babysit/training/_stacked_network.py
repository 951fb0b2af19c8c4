"""A network of many members, layer by layer from the network of one, where each layer has a rule written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from babysit.nn import CategoryEmbedding, MaxPieces
from babysit.training._stacked_layers import (
    BACKWARD,
    DropoutStreams,
    StackedActivation,
    StackedBatchNorm,
    StackedDropout,
    StackedEmbedding,
    StackedLayer,
    StackedLinear,
    StackedMaxPieces,
)
from babysit.training._stacked_loss import StackedLoss
from babysit.training._stacked_parameters import StackedParameters

WRITTEN_OUT = (nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.Dropout, MaxPieces, CategoryEmbedding, *BACKWARD)


def without_rule(network: nn.Module) -> str:
    """What of a network has no rule written out, in a few words; empty where all has.

    Only a plain `nn.Sequential` of layers with a rule is what its modules say: any other module may compute anything
    in its `forward`, and equal shapes then do not mean equal functions.

    Example:
        >>> without_rule(nn.Sequential(nn.Linear(4, 3), nn.ReLU())), without_rule(nn.Sequential(nn.LSTM(4, 3)))
        ('', 'LSTM has no stacked rule')
    """
    if type(network) is not nn.Sequential:
        return f"{type(network).__name__} is not a plain sequence of layers"
    for layer in network:
        if type(layer) not in WRITTEN_OUT:
            return f"{type(layer).__name__} has no stacked rule"
        if isinstance(layer, nn.BatchNorm1d) and not (layer.affine and layer.track_running_stats and layer.momentum):
            return "BatchNorm without scale, or without running statistics, has no stacked rule"
        if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) != (1, -1):
            return "Flatten of some axes has no stacked rule"
    if any(isinstance(layer, nn.Flatten) for layer in [*network][1:]):
        return "Flatten after the first layer has no stacked rule"
    first = next((layer for layer in network if not isinstance(layer, nn.Flatten)), network)
    if not isinstance(first, nn.Linear | CategoryEmbedding):  # others would write into rows that all members share
        return f"{type(first).__name__} as the first layer has no stacked rule"
    if len({layer.p for layer in network if isinstance(layer, nn.Dropout)}) > 1:
        return "dropout of several shares has no stacked rule"
    if any(not parameter.requires_grad for parameter in network.parameters()):
        return "frozen parameters have no stacked rule"
    if len([*network.parameters()]) < len([*network.named_parameters(remove_duplicate=False)]):
        return "layers that share parameters have no stacked rule"
    return ""


def signature(network: nn.Module) -> str:
    """What a network computes, its numbers left out: networks of one signature may be members of one stack.

    Shares of dropout are left out too, as each member has its own.
    """
    layers = [
        f"{name}: Dropout" if isinstance(layer, nn.Dropout) else f"{name}: {layer!r}"
        for name, layer in network.named_children()
    ]
    shapes = [f"{name} {tuple(value.shape)} {value.dtype}" for name, value in network.state_dict().items()]
    return "\n".join([type(network).__name__, *layers, *shapes])


class StackedNetwork:
    """The network of P members.

    Args:
        network: Of any member: its layers, not its numbers.
        members: Parameters and buffers of each by name.
        streams: What dropout draws from; None without dropout.
        device: Where it computes.

    Attributes:
        parameters: Values and gradients of the members.
    """

    def __init__(
        self,
        network: nn.Sequential,
        members: Sequence[Mapping[str, Tensor]],
        streams: DropoutStreams | None,
        device: torch.device,
    ) -> None:
        self._members, self._device = len(members), device
        learned = [name for name, _ in network.named_parameters()]
        self.parameters = StackedParameters([{name: member[name] for name in learned} for member in members], device)
        self._buffers = {
            name: torch.stack([member[name] for member in members]).to(device) for name, _ in network.named_buffers()
        }
        self._layers = [
            self._layer(name, layer, streams)
            for name, layer in network.named_children()
            if not isinstance(layer, nn.Flatten)
        ]
        # Nothing before the first layer with parameters needs a gradient.
        with_parameters = (StackedLinear, StackedEmbedding, StackedBatchNorm)
        self._first = next((place for place, layer in enumerate(self._layers) if isinstance(layer, with_parameters)), 0)

    def _layer(self, name: str, layer: nn.Module, streams: DropoutStreams | None) -> StackedLayer:
        value, gradient = self.parameters.value, self.parameters.gradient
        weight, bias = f"{name}.weight", f"{name}.bias"
        match layer:
            case nn.Linear():
                return StackedLinear(value[weight], value.get(bias), gradient[weight], gradient.get(bias))
            case nn.BatchNorm1d():
                kept = ("running_mean", "running_var", "num_batches_tracked")
                mean, variance, batches = (self._buffers[f"{name}.{key}"] for key in kept)
                scale, shift = (value[weight], gradient[weight]), (value[bias], gradient[bias])
                return StackedBatchNorm(layer, scale, shift, (mean, variance, batches))
            case CategoryEmbedding():
                names = [f"{name}.embeddings.{number}.weight" for number in range(len(layer.embeddings))]
                return StackedEmbedding(layer, [value[key] for key in names], [gradient[key] for key in names])
            case MaxPieces():
                return StackedMaxPieces(layer)
            case nn.Dropout():
                assert streams is not None
                return StackedDropout(streams, self._device)
            case _:
                return StackedActivation(layer)

    @property
    def widest(self) -> int:
        """Numbers of the largest layer's activations for one row of all members."""
        return max(shape[0] for shape in self.parameters.shapes.values()) * self._members

    def enter(self, inputs: Tensor) -> Tensor:
        """Preprocessed inputs [rows, ...] as the first layer takes them: [features, rows], without a copy."""
        return inputs.flatten(1).t()

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Outputs [P, outputs, rows] of inputs [features, rows] that all share, or [P, features, rows]."""
        values = inputs
        for layer in self._layers:
            values = layer.forward(values, training)
        return values

    def backward(self, gradient: Tensor) -> None:
        """Fill the parameters' gradients from that of the outputs."""
        for place in range(len(self._layers) - 1, -1, -1):
            result = self._layers[place].backward(gradient, needed=place > 0)
            if result is not None:
                gradient = result

    def learn(self, inputs: Tensor, targets: Tensor, loss: StackedLoss) -> Tensor:
        """Losses [P] of a batch, with the parameters' gradients filled in.

        Args:
            inputs: As `enter` gives them.
            targets: [rows], or [P, rows].
            loss: Of all members, as one.
        """
        values, gradient = loss(self.forward(inputs, training=True), targets)
        self.backward(gradient)
        return values

    def state_of(self, index: int) -> dict[str, Tensor]:
        """Parameters and buffers of a member by name, as views."""
        views = {**self.parameters.value, **self._buffers}
        return {name: view[index] for name, view in views.items()}
