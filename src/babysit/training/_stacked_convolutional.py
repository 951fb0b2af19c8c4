"""A convolutional network of many members, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from babysit.nn import MaxPieces, ResidualBlock
from babysit.training._stacked_activations import StackedActivation, StackedMaxPieces
from babysit.training._stacked_dense import DropoutStreams
from babysit.training._stacked_images import (
    CHANNELS_LAST,
    Chain,
    Convolution,
    Dense,
    Flat,
    LargestOfWindow,
    MeanOfImage,
    Normalisation,
    Patches,
    Sum,
    Unit,
)
from babysit.training._stacked_layer import Memory
from babysit.training._stacked_loss import StackedLoss
from babysit.training._stacked_parameters import StackedParameters


class ConvolutionalStack:
    """The network of P members, for images; used as `StackedNetwork` is.

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
        self._members = len(members)
        learned = [name for name, _ in network.named_parameters()]
        self.parameters = StackedParameters([{name: member[name] for name in learned} for member in members], device)
        self._buffers = {
            name: torch.stack([member[name] for member in members]).to(device) for name, _ in network.named_buffers()
        }
        self._masks = None if streams is None else _Masks(streams, device)
        first = next(iter(network.children()))
        self._patches = Patches(first) if isinstance(first, nn.Conv2d) and Patches.suit(first) else None
        self._chains = [self._chain("", network, index) for index in range(self._members)]

    def _chain(self, before: str, layers: nn.Module, index: int) -> Chain:
        return Chain([self._unit(f"{before}{name}", layer, index) for name, layer in layers.named_children()])

    def _unit(self, name: str, layer: nn.Module, index: int) -> Unit:
        def of(parameter: str) -> tuple[Tensor, Tensor]:
            key = f"{name}.{parameter}"
            return self.parameters.value[key][index], self.parameters.gradient[key][index]

        match layer:
            case nn.Conv2d() | nn.Linear():
                weight, weight_gradient = of("weight")
                bias, bias_gradient = (None, None) if layer.bias is None else of("bias")
                if isinstance(layer, nn.Linear):
                    return Dense(weight, bias, weight_gradient, bias_gradient)
                # Only the network's own first layer is given the batch.
                patches = self._patches if self._patches is not None and self._patches.layer is layer else None
                return Convolution(layer, weight, bias, weight_gradient, bias_gradient, patches)
            case nn.BatchNorm2d():
                (scale, scale_gradient), (shift, shift_gradient) = of("weight"), of("bias")
                kept = [
                    self._buffers[f"{name}.{key}"][index]
                    for key in ("running_mean", "running_var", "num_batches_tracked")
                ]
                return Normalisation(layer, scale, shift, scale_gradient, shift_gradient, kept[0], kept[1], kept[2])
            case ResidualBlock():
                shortcut = None
                if isinstance(layer.shortcut, nn.Sequential):
                    shortcut = self._chain(f"{name}.shortcut.", layer.shortcut, index)
                after = self._unit(f"{name}.activation", layer.activation, index)
                return Sum(self._chain(f"{name}.branch.", layer.branch, index), shortcut, after)
            case nn.MaxPool2d():
                return LargestOfWindow(layer)
            case nn.AdaptiveAvgPool2d():
                return MeanOfImage()
            case nn.Flatten():
                return Flat()
            case MaxPieces():
                return StackedMaxPieces(layer)  # along the channels, whatever the axis before them counts
            case nn.Dropout():
                assert self._masks is not None
                return _OwnDropout(self._masks, name, index)
            case _:
                return StackedActivation(layer)

    @property
    def widest(self) -> int:
        """Numbers of the largest layer's activations for one row of a member; members come one by one."""
        return self._widest

    _widest = 2**13  # so that pieces of 128 rows are evaluated: more of them fill no core better

    def enter(self, inputs: Tensor) -> Tensor:
        """Images [rows, channels, height, width] with channels last in memory."""
        return inputs.contiguous(memory_format=CHANNELS_LAST)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Outputs [P, outputs, rows] of images that all share, or of [P, rows, ...]."""
        return torch.stack(
            [chain.forward(_own(inputs, index), training).t() for index, chain in enumerate(self._chains)]
        )

    def learn(self, inputs: Tensor, targets: Tensor, losses: Sequence[StackedLoss]) -> Tensor:
        """Losses [P] of a batch, with the parameters' gradients filled in: each member forward and back in turn.

        Args:
            inputs: As `enter` gives them.
            targets: [rows], or [P, rows].
            losses: Of each member.
        """
        if self._masks is not None:
            self._masks.clear()
        found = []
        for index, (chain, loss) in enumerate(zip(self._chains, losses, strict=True)):
            outputs = chain.forward(_own(inputs, index), True)
            wanted = targets if targets.ndim == 1 else targets[index : index + 1]
            value, gradient = loss(outputs.t().unsqueeze(0), wanted)
            chain.backward(gradient[0].t(), False)
            found.append(value)
        return torch.cat(found)

    def state_of(self, index: int) -> dict[str, Tensor]:
        """Parameters and buffers of a member by name, as views."""
        views = {**self.parameters.value, **self._buffers}
        return {name: view[index] for name, view in views.items()}


def _own(inputs: Tensor, index: int) -> Tensor:
    """A member's images: those of all, or its own."""
    return inputs if inputs.ndim == 4 else inputs[index].contiguous(memory_format=CHANNELS_LAST)


class _Masks:
    """Masks of a step's dropout layers: drawn for all members when the first of them comes to the layer."""

    def __init__(self, streams: DropoutStreams, device: torch.device) -> None:
        self._streams, self._device = streams, device
        self._memory: dict[str, Memory] = {}
        self._drawn: dict[str, Tensor] = {}

    def clear(self) -> None:
        """A step begins."""
        self._drawn.clear()

    def of(self, name: str, index: int, rows: int, units: int) -> Tensor:
        """[rows, units] of a member."""
        if name not in self._drawn:
            memory = self._memory.setdefault(name, Memory(self._device))
            self._drawn[name] = self._streams.mask(rows, units, memory)
        drawn = self._drawn[name]
        return drawn[index if len(drawn) > 1 else 0].t()


class _OwnDropout:
    """`nn.Dropout` of one member, on [rows, features]."""

    def __init__(self, masks: _Masks, name: str, index: int) -> None:
        self._masks, self._name, self._index = masks, name, index
        self._mask = torch.empty(0)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Some to 0, the others scaled up."""
        if not training:
            return inputs
        self._mask = self._masks.of(self._name, self._index, *inputs.shape)
        return inputs * self._mask

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """The same ones' gradients."""
        return gradient * self._mask
