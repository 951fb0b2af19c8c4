"""What the axes of raw inputs mean: columns of a table, or rows, columns and channels of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from babysit.record import DataError, Decision

CHANNELS = (1, 3, 4)  # grey, colours, colours with transparency


@dataclass(frozen=True)
class TableLayout:
    """Columns of a raw table input [N, D]: numbers (NaN for missing) first, then category codes.

    Attributes:
        numbers: How many number columns.
        levels: For each category column, how many codes: 0 is missing, 1 a level not seen in training, 2.. the levels.
    """

    numbers: int
    levels: tuple[int, ...] = ()


@dataclass(frozen=True)
class ImageLayout:
    """Axes of a raw image input: `NHW` grey, `NHWC` or `NCHW`, and its shape [N] left out."""

    shape: tuple[int, ...]
    axes: Literal["NHW", "NHWC", "NCHW"]


def find_layout(shape: Sequence[int], name: str, whole: bool) -> tuple[TableLayout | ImageLayout, tuple[Decision, ...]]:
    """Table or images, from the sizes of the axes.

    [N, D] is a table of numbers; [N, H, W] are grey images; of four axes the one with 1, 3 or 4 entries holds the
    colours.

    Args:
        shape: Of all inputs, rows first.
        name: Of the source, for the error.
        whole: Whether pixels are whole numbers; decides when both ends could hold colours.

    Raises:
        DataError: The axes mean nothing known.

    Example:
        >>> find_layout((60_000, 28, 28), "mnist", whole=True)[0]
        ImageLayout(shape=(28, 28), axes='NHW')
    """
    own = tuple(shape[1:])
    if 0 in own:
        raise DataError(f"the inputs of {name} have shape {tuple(shape)}: its rows hold no numbers")
    if len(shape) == 2:
        return TableLayout(numbers=shape[1]), ()
    if len(shape) == 3:
        why = f"three axes {tuple(shape)} are read as grey images of {own[0]} by {own[1]} pixels"
        return ImageLayout(own, "NHW"), (Decision(setting="images", value="NHW", why=why),)
    if len(shape) != 4 or not (own[0] in CHANNELS or own[2] in CHANNELS):
        raise DataError(
            f"the inputs of {name} have shape {tuple(shape)}",
            legal="[N, D] numbers; images [N, H, W], [N, H, W, C] or [N, C, H, W] with 1, 3 or 4 channels",
            cause="the axes are in another order, or the inputs are neither a table of numbers nor images",
        )
    first, last = own[0] in CHANNELS, own[2] in CHANNELS
    axes = "NHWC" if last and (not first or whole) else "NCHW"
    channels, height, width = (own[2], own[0], own[1]) if axes == "NHWC" else own
    colours = "1 channel" if channels == 1 else f"{channels} channels"
    why = f"four axes {tuple(shape)} are read as images of {height} by {width} pixels with {colours}"
    if first and last:
        kind = "whole numbers, as image files are" if whole else "fractions, as PyTorch's tensors are"
        why += f"; the first or the last axis could be the channels; the pixels are {kind}"
    layout = ImageLayout(own, "NHWC") if axes == "NHWC" else ImageLayout(own, "NCHW")
    return layout, (Decision(setting="images", value=axes, why=why),)
