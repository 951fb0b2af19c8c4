"""One image as pixels of a common size and mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

Mode = Literal["L", "RGB", "F"]
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # more than 8 bits a pixel
GREY = ("1", "L", "LA", "La", *DEEP)
EIGHT_TO_SIXTEEN = 257  # 255 becomes 65,535
ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held


@dataclass(frozen=True)
class Canvas:
    """What all images are brought to.

    Attributes:
        mode: "L" grey, "RGB" colours (both uint8), "F" grey with more than 8 bits (float32).
        height: In pixels.
        width: In pixels.
    """

    mode: Mode
    height: int
    width: int

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
    image = _in_mode(image, canvas.mode)
    fitted = image.size != (canvas.width, canvas.height)
    if fitted:
        image = ImageOps.fit(image, (canvas.width, canvas.height), Image.Resampling.BICUBIC)
    return np.asarray(image), fitted


def _in_mode(image: Image.Image, mode: Mode) -> Image.Image:
    if image.mode == mode:
        return image
    if mode == "F":
        if image.mode in DEEP:
            return image.convert("I").convert("F") if image.mode != "F" else image
        return image.convert("L").convert("F").point(lambda value: value * EIGHT_TO_SIXTEEN + 0)
    if image.mode in DEEP:
        deep = np.asarray(image.convert("I") if image.mode != "F" else image)
        image = Image.fromarray((deep / EIGHT_TO_SIXTEEN).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "La", "PA", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        image = Image.alpha_composite(white, coloured)
    return image.convert(mode)
