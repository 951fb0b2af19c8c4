"""For images: the mean image, the mean of each channel, its mean and std, and one line for all pixels.

Source: Stanford CS231n, "Training Neural Networks, part I": subtract the mean image (AlexNet), the mean of each
channel (VGG), or standardise each channel (ResNet). Statistics come from the training split only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from babysit.data._affine import Affine, Centre, refuse_empty_range
from babysit.data._statistics import ColumnStatistics
from babysit.record import InputError


class MeanImage(Centre):
    """Subtract the mean image of the training set, as AlexNet did.

    Args:
        shape: Of one image, in any order of axes.

    Shapes:
        [N, *shape] of any real type to float32 [N, *shape].

    Example:
        >>> images = torch.tensor([[[0, 10]], [[20, 30]]], dtype=torch.uint8)
        >>> MeanImage((1, 2)).fit([images])(images).tolist()
        [[[-10.0, -10.0]], [[10.0, 10.0]]]
    """

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        return f"the mean image is subtracted (its mean is {self.mean.mean():.4g})"


class ScalePixels(Affine):
    """Bring all pixels by one line to [low, high]: 0 and 255 for bytes, else the least and greatest in training.

    Args:
        shape: Of one image, in any order of axes.
        low: Where black goes.
        high: Where white goes.

    Shapes:
        [N, *shape] of any real type to float32 [N, *shape].

    Raises:
        InputError: low is not below high, or it is used before it was fitted.

    Example:
        >>> images = torch.tensor([[[51, 204]]], dtype=torch.uint8)
        >>> [round(value, 6) for value in ScalePixels((1, 2)).fit([images])(images).flatten().tolist()]
        [0.2, 0.8]
    """

    minimum: Tensor
    maximum: Tensor

    def __init__(self, shape: Sequence[int], low: float = 0.0, high: float = 1.0) -> None:
        super().__init__(shape)
        refuse_empty_range(low, high)
        self.low, self.high = low, high
        self._statistic("minimum")
        self._statistic("maximum")

    def _learn(self, statistics: ColumnStatistics) -> None:
        is_bytes = statistics.dtype == torch.uint8
        self.minimum = torch.zeros_like(self.minimum) if is_bytes else statistics.minimum.min()
        self.maximum = torch.full_like(self.maximum, 255) if is_bytes else statistics.maximum.max()

    def _parts(self) -> tuple[Tensor, Tensor]:
        width = self.maximum - self.minimum
        return self.minimum, (self.high - self.low) / torch.where(width > 0, width, 1.0)

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        return f"pixels from {self.minimum:g} to {self.maximum:g} scaled to {self.low:g} to {self.high:g}"


class ChannelMean(Affine):
    """Subtract the mean of each channel, as VGG did.

    Args:
        shape: Of one image, [channels, height, width] unless `channel_axis` says otherwise.
        channel_axis: Which of the image's axes holds the channels.

    Shapes:
        [N, *shape] of any real type to float32 [N, *shape].

    Attributes:
        mean: float64 [channels].

    Example:
        >>> image = torch.tensor([[[[0, 10]], [[7, 7]]]], dtype=torch.uint8)
        >>> ChannelMean((2, 1, 2)).fit([image])(image).tolist()
        [[[[-5.0, 5.0]], [[0.0, 0.0]]]]
    """

    mean: Tensor

    def __init__(self, shape: Sequence[int], channel_axis: int = 0) -> None:
        super().__init__(shape)
        if not -len(self.shape) <= channel_axis < len(self.shape):
            raise InputError(f"channel_axis {channel_axis} is not an axis of {self.shape}")
        self.channel_axis = channel_axis % len(self.shape)
        self._statistic("mean", self.shape[self.channel_axis])

    def _learn(self, statistics: ColumnStatistics) -> None:
        self.mean = self._by_channel(statistics.mean).mean(1)

    def _parts(self) -> tuple[Tensor, Tensor]:
        mean = self._over_image(self.mean)
        return mean, torch.ones_like(mean)

    def _by_channel(self, pixels: Tensor) -> Tensor:
        """[D] to [channels, pixels of a channel]."""
        return pixels.reshape(self.shape).movedim(self.channel_axis, 0).flatten(1)

    def _over_image(self, channels: Tensor) -> Tensor:
        axes = [-1 if axis == self.channel_axis else 1 for axis in range(len(self.shape))]
        return channels.reshape(axes)

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        return f"the mean of each channel is subtracted ({_listed(self.mean)})"


class ChannelMeanStd(ChannelMean):
    """Subtract the mean of each channel and divide by its standard deviation over all pixels, as ResNets do.

    Args:
        shape: Of one image, [channels, height, width] unless `channel_axis` says otherwise.
        channel_axis: Which of the image's axes holds the channels.

    Shapes:
        [N, *shape] of any real type to float32 [N, *shape].

    Attributes:
        mean: float64 [channels].
        std: float64 [channels]; 0 for a channel with one value, which is divided by 1.

    Example:
        >>> image = torch.tensor([[[[0, 10]], [[7, 7]]]], dtype=torch.uint8)
        >>> ChannelMeanStd((2, 1, 2)).fit([image])(image).tolist()
        [[[[-1.0, 1.0]], [[0.0, 0.0]]]]
    """

    std: Tensor

    def __init__(self, shape: Sequence[int], channel_axis: int = 0) -> None:
        super().__init__(shape, channel_axis)
        self._statistic("std", self.shape[self.channel_axis])

    def _learn(self, statistics: ColumnStatistics) -> None:
        super()._learn(statistics)
        # Every pixel was seen as often, so a channel's variance is the mean within pixels plus that between them.
        within = self._by_channel(statistics.variance).mean(1)
        between = self._by_channel(statistics.mean).var(1, correction=0)
        low, high = self._by_channel(statistics.minimum).amin(1), self._by_channel(statistics.maximum).amax(1)
        self.std = torch.where(low < high, (within + between).sqrt(), 0.0)

    def _parts(self) -> tuple[Tensor, Tensor]:
        std = self._over_image(self.std)
        return self._over_image(self.mean), 1 / torch.where(std > 0, std, 1.0)

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        return f"each channel standardised: mean {_listed(self.mean)}, std {_listed(self.std)} become 0 and 1"


def _listed(values: Tensor) -> str:
    return ", ".join(f"{value:.4g}" for value in values.tolist())
