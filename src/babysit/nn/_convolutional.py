"""Convolutional networks for images of any size: plain (Simonyan and Zisserman 2015) and residual (He et al. 2016)."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from babysit.nn._activation_facts import activation
from babysit.nn._maxout import MaxPieces
from babysit.nn._unit import unit_layers
from babysit.record import ModelSection

SMALLEST_SIDE = 2  # pixels; below, halving again would leave nothing to look at
LARGE_SIDE = 96  # pixels; from here the first layer strides, as ImageNet networks do, so that time stays bounded


def convolutional_layers(model: ModelSection, channels: int, side: int) -> OrderedDict[str, nn.Module]:
    """Stages of two 3x3 convolutions, each stage halving the image.

    Args:
        model: `widths` are the channels of the stages.
        channels: Of the image.
        side: The image's shorter side in pixels.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for stage, width in enumerate(model.widths or (), start=1):
        stride = 2 if stage == 1 and side >= LARGE_SIDE else 1
        for part, (inputs, step) in enumerate(((channels, stride), (width, 1)), start=1):
            made = unit_layers(model, nn.Conv2d, inputs, width, kernel_size=3, stride=step, padding=1)
            layers.update({f"{name}{stage}_{part}": layer for name, layer in made.items()})
        channels, side = width, _halved(side, stride)
        if side >= 2 * SMALLEST_SIDE:
            layers[f"pool{stage}"] = nn.MaxPool2d(2)
            side //= 2
    return layers


def residual_layers(model: ModelSection, channels: int, side: int) -> OrderedDict[str, nn.Module]:
    """A first convolution, then a stage of two residual blocks for each width; later stages halve the image.

    Args:
        model: `widths` are the channels of the stages.
        channels: Of the image.
        side: The image's shorter side in pixels.
    """
    widths = model.widths or (channels,)
    stride = 2 if side >= LARGE_SIDE else 1
    stem = unit_layers(model, nn.Conv2d, channels, widths[0], kernel_size=3, stride=stride, padding=1)
    layers: OrderedDict[str, nn.Module] = OrderedDict((f"{name}0", layer) for name, layer in stem.items())
    side = _halved(side, stride)
    if stride == 2:
        layers["pool0"] = nn.MaxPool2d(2)
        side //= 2
    inputs = widths[0]
    for stage, width in enumerate(widths, start=1):
        step = 2 if stage > 1 and side >= 2 * SMALLEST_SIDE else 1
        layers[f"block{stage}_1"] = ResidualBlock(model, inputs, width, step)
        layers[f"block{stage}_2"] = ResidualBlock(model, width, width, 1)
        inputs, side = width, _halved(side, step)
    return layers


def _halved(side: int, stride: int) -> int:
    return -(-side // stride)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a short cut, added before the last nonlinearity (He et al. 2016, figure 5 left).

    Args:
        model: Activation, batch norm, pieces.
        inputs: Channels in.
        outputs: Channels out.
        stride: Step of the first convolution.

    Shapes:
        Input [N, inputs, H, W], output [N, outputs, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, model: ModelSection, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        first = unit_layers(model, nn.Conv2d, inputs, outputs, kernel_size=3, stride=stride, padding=1)
        maxout = model.activation == "maxout"
        wide = outputs * model.pieces if maxout else outputs
        bias = not model.batch_norm
        self.branch = nn.Sequential(
            OrderedDict(
                [
                    *((f"{name}1", layer) for name, layer in first.items()),
                    ("conv2", nn.Conv2d(outputs, wide, 3, padding=1, bias=bias)),
                    *([("norm2", nn.BatchNorm2d(wide))] if model.batch_norm else []),
                ]
            )
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != wide:
            projection: list[nn.Module] = [nn.Conv2d(inputs, wide, 1, stride=stride, bias=bias)]
            if model.batch_norm:
                projection.append(nn.BatchNorm2d(wide))
            self.shortcut = nn.Sequential(*projection)
        self.activation = MaxPieces(model.pieces) if maxout else activation(model.activation)

    def forward(self, inputs: Tensor) -> Tensor:
        """The branch added to the short cut, through the nonlinearity."""
        outputs: Tensor = self.activation(self.branch(inputs) + self.shortcut(inputs))
        return outputs
