"""Images of any size and mode, decoded in threads into one tensor."""

from __future__ import annotations

import io
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from babysit.data._found import physical_memory
from babysit.data._npy import SHARE_OF_MEMORY
from babysit.data._wording import counted, several, share
from babysit.record import DataError, Decision

Mode = Literal["L", "RGB", "F"]
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # more than 8 bits a pixel
GREY = ("1", "L", "LA", "La", *DEEP)
BITS = (8, 10, 12, 14, 16)  # of a pixel
ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
SAMPLE = 2000  # images looked at before the common size is chosen
LARGEST_SIDE = 224  # pixels; what networks for photographs are usually given (Krizhevsky et al. 2012 and since)
MOST_PIXELS = 100_000_000
UNREADABLE = 0.1  # share of images that may be unreadable
BLOCK = 256  # images a thread takes at a time
Opener = Callable[[], Image.Image]


@dataclass(frozen=True)
class Canvas:
    """What all images are brought to.

    Attributes:
        mode: "L" grey, "RGB" colours (both uint8), "F" grey with more than 8 bits (float32).
        height: In pixels.
        width: In pixels.
        deep: What is black and white in images of more than 8 bits.
    """

    mode: Mode
    height: int
    width: int
    deep: tuple[float, float] = (0.0, 65535.0)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image."""
        return (self.height, self.width, 3) if self.mode == "RGB" else (self.height, self.width)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width as a person sees it, the camera's orientation applied."""
    width, height = image.size
    return (width, height) if image.getexif().get(ORIENTATION, 1) >= 5 else (height, width)


def is_grey(image: Image.Image) -> bool:
    """Whether an image has no colours; a palette counts by its entries."""
    if image.mode in ("P", "PA") and image.palette is not None:
        colours = np.frombuffer(image.convert("RGBA").tobytes(), dtype=np.uint8).reshape(-1, 4)
        return bool((colours[:, 0] == colours[:, 1]).all() and (colours[:, 1] == colours[:, 2]).all())
    return image.mode in GREY


def draw(image: Image.Image, canvas: Canvas) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.float32], bool]:
    """Pixels on the canvas, and whether the image had to be cut and scaled for it.

    Transparent pixels become white. An image of another shape is scaled until it covers the canvas, and what hangs
    over is cut off on both sides alike.
    """
    if canvas.mode != "F" and image.format == "JPEG":
        image.draft(canvas.mode, (canvas.width, canvas.height))  # decodes fewer pixels where the canvas is small
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    image = _in_mode(image, canvas)
    fitted = image.size != (canvas.width, canvas.height)
    if fitted:
        image = ImageOps.fit(image, (canvas.width, canvas.height), Image.Resampling.BICUBIC)
    return np.asarray(image), fitted


def _in_mode(image: Image.Image, canvas: Canvas) -> Image.Image:
    mode, (black, white) = canvas.mode, canvas.deep
    if image.mode == mode:
        return image
    if mode == "F":
        if image.mode in DEEP:
            return image.convert("I").convert("F") if image.mode != "F" else image
        scale = (white - black) / 255
        return image.convert("L").convert("F").point(lambda value: value * scale + black)
    if image.mode in DEEP:
        deep = np.asarray(image.convert("I") if image.mode != "F" else image, dtype=np.float64)
        image = Image.fromarray(((deep - black) * (255 / (white - black))).clip(0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "La", "PA", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    return image.convert(mode)


@dataclass(frozen=True)
class Decoded:
    """Images as one tensor.

    Attributes:
        pixels: [N, H, W] or [N, H, W, 3], uint8, or float32 for images of more than 8 bits.
        kept: Which of the given images they are.
        decisions: The common size.
        notes: Images that were cut, scaled or could not be read.
    """

    pixels: Tensor
    kept: Sequence[int]
    decisions: tuple[Decision, ...]
    notes: tuple[str, ...]


def decode_images(openers: Sequence[Opener], names: Sequence[str], source: str, side: int | None) -> Decoded:
    """Images of any size and mode as one tensor.

    Args:
        openers: Each opens one image.
        names: Of the images, for notes.
        source: Of all, for errors.
        side: To which all are brought; None keeps a common size, or takes the median side of mixed ones.

    Raises:
        DataError: More than a tenth cannot be read, or all together exceed the memory.
    """
    canvas, decisions = _find_canvas(openers, source, side)
    kind = np.float32 if canvas.mode == "F" else np.uint8
    needed = len(openers) * int(np.prod(canvas.shape)) * np.dtype(kind).itemsize
    if needed > SHARE_OF_MEMORY * physical_memory():
        raise DataError(
            f"{source}: {counted(len(openers), 'image')} of {canvas.height} by {canvas.width} pixels take "
            f"{needed / 2**30:.1f} GiB, more than half of this machine's memory",
            write=f"--set data.image_size={max(8, canvas.height // 2)}",
        )
    pixels = np.empty((len(openers), *canvas.shape), dtype=kind)
    wrong: dict[int, str] = {}
    fitted = np.zeros(len(openers), dtype=bool)

    def work(start: int) -> None:
        for place in range(start, min(start + BLOCK, len(openers))):
            # Pillow's readers raise whatever comes up in damaged bytes, so nothing narrower would do.
            try:
                with openers[place]() as image:
                    _refuse_giant(image)
                    pixels[place], fitted[place] = draw(image, canvas)
            except Exception as error:
                wrong[place] = str(error)[:100] or type(error).__name__

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(work, range(0, len(openers), BLOCK)))
    notes = []
    if wrong:
        shown = several(f"{names[place]} ({wrong[place]})" for place in sorted(wrong))
        part = share(len(wrong), len(openers))
        if len(wrong) > UNREADABLE * len(openers):
            raise DataError(
                f"{source}: {counted(len(wrong), 'image')} of {len(openers):,} ({part}) cannot be read: {shown}",
                legal=f"up to {UNREADABLE:.0%} of the images may be unreadable; they are left out",
                cause="a download that was cut off",
            )
        notes.append(
            f"{counted(len(wrong), 'image')} ({part}) left out because {'it' if len(wrong) == 1 else 'they'} cannot be "
            f"read: {shown}"
        )
    if cut := int(fitted.sum()):
        notes.append(
            f"{counted(cut, 'image')} of {len(openers):,} scaled and cropped to {canvas.height} by {canvas.width} "
            "pixels"
        )
    kept = [place for place in range(len(openers)) if place not in wrong]
    tensor = torch.from_numpy(pixels if not wrong else pixels[kept])
    return Decoded(tensor, kept, decisions, tuple(notes))


def open_bytes(content: bytes | memoryview) -> Opener:
    """Opens an image held in memory."""
    return lambda: Image.open(io.BytesIO(content))


def open_file(path: pathlib.Path) -> Opener:
    """Opens an image file."""
    return lambda: Image.open(path)


def _refuse_giant(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{image.width} by {image.height} pixels are more than {MOST_PIXELS:,}")


def _find_canvas(openers: Sequence[Opener], source: str, side: int | None) -> tuple[Canvas, tuple[Decision, ...]]:
    sizes: list[tuple[int, int]] = []
    modes: list[str] = []
    grey, reason = True, ""
    low, high, fractions = math.inf, -math.inf, False
    for place in np.unique(np.linspace(0, len(openers) - 1, SAMPLE).astype(int)).tolist():
        try:
            with openers[place]() as image:
                _refuse_giant(image)
                sizes.append(upright_size(image))
                modes.append(image.mode)
                grey = grey and is_grey(image)
                if image.mode in DEEP:
                    ends = image.convert("F").getextrema()
                    low, high = min(low, float(ends[0])), max(high, float(ends[1]))
                    fractions = fractions or image.mode == "F"
        except Exception as error:  # as above; they are counted, and reported when all are decoded
            reason = str(error)[:100] or type(error).__name__
    if not sizes:
        raise DataError(
            f"{source}: none of {counted(len(openers), 'image')} can be read: {reason}",
            cause="files of another kind with the names of images, or a download that was cut off",
        )
    deep = grey and any(mode in DEEP for mode in modes)
    ends, said = _deep_range(low, high, fractions, mixed=not all(mode in DEEP for mode in modes))
    mode: Mode = "F" if deep else "L" if grey else "RGB"
    distinct = set(sizes)
    height, width = sizes[0]
    if side is not None:
        return Canvas(mode, side, side, ends), said
    if len(distinct) == 1 and max(height, width) <= LARGEST_SIDE:
        return Canvas(mode, height, width, ends), said
    sides = sorted(min(size) for size in sizes)
    median = sides[len(sides) // 2]
    chosen = min(median, LARGEST_SIDE)
    if len(distinct) == 1:
        why = (
            f"images of {height} by {width} pixels would take long to train on; all are scaled to {chosen} by {chosen}"
        )
    else:
        lows, highs = min(distinct), max(distinct)
        why = (
            f"{counted(len(distinct), 'size')} from {lows[0]} by {lows[1]} to {highs[0]} by {highs[1]} pixels; "
            f"the median of the shorter sides is {median}"
        )
        why += f", and more than {LARGEST_SIDE} would take long to train on" if median > LARGEST_SIDE else ""
    size = Decision(setting="data.image_size", value=str(chosen), why=why)
    return Canvas(mode, chosen, chosen, ends), (size, *said)


def _deep_range(
    low: float, high: float, fractions: bool, mixed: bool
) -> tuple[tuple[float, float], tuple[Decision, ...]]:
    """What is black and white in images of more than 8 bits, from the least and the greatest pixel seen.

    Cameras and scanners of 10, 12 and 14 bits write into 16, of which they fill a part. Fractions have no such steps:
    their own ends count.
    """
    if not low <= high:
        return (0.0, 65535.0), ()
    if fractions or low < 0:
        ends = (low, high if high > low else low + 1)
    else:
        ends = (0.0, next((float(2**bits - 1) for bits in BITS if high < 2**bits), high))
    if not mixed or ends == (0.0, 65535.0):
        return ends, ()
    why = f"pixels from {low:g} to {high:g} are among images of 8 bits; {ends[0]:g} is black, {ends[1]:g} is white"
    return ends, (Decision(setting="images", value="own range of deep images", why=why),)
