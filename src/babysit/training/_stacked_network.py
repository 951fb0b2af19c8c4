"""A network of many members, layer by layer from the network of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from babysit.nn import CategoryEmbedding, MaxPieces, ResidualBlock
from babysit.training._stacked_activations import BACKWARD, StackedActivation, StackedMaxPieces, StackedPReLU
from babysit.training._stacked_batch_norm import StackedBatchNorm
from babysit.training._stacked_dense import DropoutStreams, StackedDropout, StackedEmbedding, StackedLinear
from babysit.training._stacked_layer import StackedLayer
from babysit.training._stacked_loss import StackedLoss
from babysit.training._stacked_parameters import StackedParameters

DENSE = (nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.PReLU, nn.Dropout, MaxPieces, CategoryEmbedding, *BACKWARD)
IMAGES = (
    nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Dropout, nn.Linear, MaxPieces,
    ResidualBlock, *BACKWARD,
)  # fmt: skip


def convolves(network: nn.Module) -> bool:
    """Whether it is computed as a network for images: member by member."""
    return any(isinstance(layer, nn.Conv2d) for layer in network.modules())


def stackable(network: nn.Module) -> str:
    """Why the network cannot be stacked, in a few words; empty when it can.

    Only a plain `nn.Sequential` of layers with a rule is what its modules say: any other module may compute anything
    in its `forward`, and equal shapes then do not mean equal functions.

    Example:
        >>> stackable(nn.Sequential(nn.Linear(4, 3), nn.ReLU())), stackable(nn.Sequential(nn.LSTM(4, 3)))
        ('', 'LSTM has no stacked rule')
    """
    if type(network) is not nn.Sequential:
        return f"{type(network).__name__} is no plain sequence of layers"
    known = IMAGES if convolves(network) else DENSE
    for layer in _layers_of(network):
        if type(layer) not in known:
            return f"{type(layer).__name__} has no stacked rule" + (" beside convolutions" if known is IMAGES else "")
        if why := _option_without_rule(layer):
            return f"{why} has no stacked rule"
    if known is DENSE and any(isinstance(layer, nn.Flatten) for layer in [*network.children()][1:]):
        return "Flatten after the first layer has no stacked rule"
    if len({layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)}) > 1:
        return "dropout of several shares has no stacked rule"
    if any(not parameter.requires_grad for parameter in network.parameters()):
        return "frozen parameters have no stacked rule"
    if len([*network.parameters()]) < len([*network.named_parameters(remove_duplicate=False)]):
        return "layers that share parameters have no stacked rule"
    return ""


def _layers_of(network: nn.Module) -> Iterator[nn.Module]:
    """Layers, and within the blocks that are known to add a branch to a short cut, theirs."""
    for layer in network.children():
        yield layer
        if type(layer) is ResidualBlock:
            parts = [*layer.branch.children(), layer.activation]
            if type(layer.shortcut) is nn.Sequential:
                parts += [*layer.shortcut.children()]
            yield from parts


def _option_without_rule(layer: nn.Module) -> str:
    """What of a layer that is known otherwise has no rule."""
    match layer:
        case nn.PReLU() if layer.num_parameters > 1:
            return "PReLU with a slope for each unit"
        case nn.BatchNorm1d() | nn.BatchNorm2d() if not (layer.affine and layer.track_running_stats and layer.momentum):
            return "BatchNorm without scale, or without running statistics,"
        case nn.Flatten() if (layer.start_dim, layer.end_dim) != (1, -1):
            return "Flatten of some axes"
        case nn.Conv2d() if layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            return "a convolution in groups, or with another padding than zeros,"
        case nn.AdaptiveAvgPool2d() if layer.output_size not in (1, (1, 1)):
            return "AdaptiveAvgPool2d to more than one number"
        case nn.MaxPool2d() if layer.return_indices:
            return "MaxPool2d that returns indices"
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


@dataclass(frozen=True)
class StackLayout:
    """How layers of many members are computed.

    Attributes:
        one_product: A dense layer whose input all members share: as one large product, or as a batch of products.
    """

    one_product: bool = True

    def describe(self) -> str:
        """In words."""
        return "as one product" if self.one_product else "as a batch of products"

    @staticmethod
    def others(network: nn.Module) -> list[StackLayout]:
        """What else than the default makes a difference for a network."""
        return [] if convolves(network) else [StackLayout(one_product=False)]


class StackedNetwork:
    """The network of P members.

    Args:
        network: Of any member: its layers, not its numbers.
        members: Parameters and buffers of each by name.
        streams: What dropout draws from; None without dropout.
        device: Where it computes.
        layout: How it computes.

    Attributes:
        parameters: Values and gradients of the members.
    """

    def __init__(
        self,
        network: nn.Sequential,
        members: Sequence[Mapping[str, Tensor]],
        streams: DropoutStreams | None,
        device: torch.device,
        layout: StackLayout | None = None,
    ) -> None:
        self._members, self._device = len(members), device
        self._layout = layout or StackLayout()
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
        self._first = next(
            (
                place
                for place, layer in enumerate(self._layers)
                if isinstance(layer, StackedLinear | StackedEmbedding | StackedPReLU | StackedBatchNorm)
            ),
            0,
        )

    def _layer(self, name: str, layer: nn.Module, streams: DropoutStreams | None) -> StackedLayer:
        value, gradient = self.parameters.value, self.parameters.gradient
        match layer:
            case nn.Linear():
                weight, bias = f"{name}.weight", f"{name}.bias"
                return StackedLinear(
                    value[weight], value.get(bias), gradient[weight], gradient.get(bias),
                    one_product=self._layout.one_product,
                )  # fmt: skip
            case nn.BatchNorm1d():
                weight, bias = f"{name}.weight", f"{name}.bias"
                mean, variance = self._buffers[f"{name}.running_mean"], self._buffers[f"{name}.running_var"]
                return StackedBatchNorm(
                    layer, value[weight], value[bias], gradient[weight], gradient[bias], mean, variance,
                    batches=self._buffers[f"{name}.num_batches_tracked"],
                )  # fmt: skip
            case CategoryEmbedding():
                names = [f"{name}.embeddings.{number}.weight" for number in range(len(layer.embeddings))]
                return StackedEmbedding(layer, [value[key] for key in names], [gradient[key] for key in names])
            case nn.PReLU():
                return StackedPReLU(value[f"{name}.weight"], gradient[f"{name}.weight"])
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
        for place in range(len(self._layers) - 1, self._first - 1, -1):
            result = self._layers[place].backward(gradient, place > self._first)
            if result is not None:
                gradient = result

    def learn(self, inputs: Tensor, targets: Tensor, losses: Sequence[StackedLoss]) -> Tensor:
        """Losses [P] of a batch, with the parameters' gradients filled in.

        Args:
            inputs: As `enter` gives them.
            targets: [rows], or [P, rows].
            losses: Of all members, as one.
        """
        (loss,) = losses
        values, gradient = loss(self.forward(inputs, training=True), targets)
        self.backward(gradient)
        return values

    def state_of(self, index: int) -> dict[str, Tensor]:
        """Parameters and buffers of a member by name, as views."""
        views = {**self.parameters.value, **self._buffers}
        return {name: view[index] for name, view in views.items()}
