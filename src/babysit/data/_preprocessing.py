"""Preprocessing: from raw rows to what a network takes, as one module that travels with it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn

from babysit.data._affine import Centre, ScaleToRange, Standardise
from babysit.data._decorrelate import PCA, ZCA, Whiten
from babysit.data._image_scaling import ChannelMean, ChannelMeanStd, MeanImage, ScalePixels
from babysit.data._impute import Impute
from babysit.data._layout import ImageLayout, TableLayout
from babysit.data._statistics import ColumnStatistics, statistics_of
from babysit.data._step import Step
from babysit.data._wording import counted
from babysit.record import DataError, RecipeError

NumbersChoice = Literal["none", "centre", "standardise", "scale", "pca", "whiten", "zca"]
ImagesChoice = Literal[
    "none", "scale", "mean-image", "channel-mean", "channel-mean-std", "standardise", "pca", "whiten", "zca"
]
Components = int | float | None
ROTATIONS: dict[str, Callable[[int, Components], Step]] = {"pca": PCA, "whiten": Whiten, "zca": ZCA}


class Preprocessing(nn.Module):
    """Raw rows in, float32 for the network out; all of it fitted in one pass over the training rows.

    Tables: missing numbers become the training mean, with a 0/1 column for each column that misses some; then the
    numbers are treated as `numbers` says; the indicator columns and the category codes follow as they are. `pca`,
    `whiten` and `zca` standardise first, as columns have different units.

    Images come out with the channels first. `pca` and `whiten` give a flat row of components instead.

    Args:
        layout: What the axes of a raw row mean.
        numbers: For tables: none, centre, standardise, scale (to low..high), pca, whiten or zca.
        images: For images: none, scale (all pixels by one line to low..high), mean-image, channel-mean,
            channel-mean-std, standardise (each pixel), pca, whiten or zca.
        components: For pca, whiten and zca: directions kept, a number or a share of the variance; None for all.
        low: For scale: lower end.
        high: For scale: upper end.
        indicators: Number columns that get an indicator; None for those in which the training rows miss values.

    Shapes:
        [N, numbers + categories] or images [N, ...] of any real type to float32 [N, *outputs].

    Raises:
        RecipeError: `numbers` or `images` is not one of these, or it takes no components.
        InputError: Used before it was fitted or loaded.
        DataError: Rows of another shape; in `fit` also no rows or an infinite value.

    Example:
        >>> from babysit.data import TableLayout
        >>> rows = torch.tensor([[1.0, 20.0, 2.0], [3.0, float("nan"), 3.0]])  # two numbers and a category
        >>> preprocessing = Preprocessing(TableLayout(numbers=2, levels=(4,))).fit([rows])
        >>> preprocessing(rows).tolist()
        [[-1.0, 0.0, 0.0, 2.0], [1.0, 0.0, 1.0, 3.0]]
        >>> again = Preprocessing.from_settings(preprocessing.settings())
        >>> again.load_state_dict(preprocessing.state_dict())
        <All keys matched successfully>
    """

    def __init__(
        self,
        layout: TableLayout | ImageLayout,
        *,
        numbers: NumbersChoice = "standardise",
        images: ImagesChoice = "channel-mean-std",
        components: Components = None,
        low: float = 0.0,
        high: float = 1.0,
        indicators: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.layout = layout
        self._choices: dict[str, Any] = {"numbers": numbers, "images": images, "low": low, "high": high}
        _refuse_unknown("numbers", numbers, get_args(NumbersChoice))
        _refuse_unknown("images", images, get_args(ImagesChoice))
        self._treatment = images if isinstance(layout, ImageLayout) else numbers
        if components is not None and self._treatment not in ROTATIONS:
            raise RecipeError(
                f"components = {components}, but preprocessing '{self._treatment}' has no components",
                legal="components with pca, whiten or zca",
                write="--set preprocessing.numbers=pca, or leave components out",
            )
        self.components = components
        self.impute: Impute | None = None
        if isinstance(layout, ImageLayout):
            self.steps = _image_steps(layout, images, components, low, high)
        else:
            if layout.numbers:
                self.impute = Impute(layout.numbers, indicators)
            self.steps = _number_steps(layout.numbers, numbers, components, low, high)

    @property
    def levels(self) -> tuple[int, ...]:
        """For each category column at the end of the output, how many codes."""
        return self.layout.levels if isinstance(self.layout, TableLayout) else ()

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of one row after preprocessing: [features], or [channels, height, width].

        Raises:
            InputError: It depends on the data, and nothing was fitted or loaded yet.
        """
        last = [*self.steps.children()][-1:]
        if isinstance(self.layout, ImageLayout):
            if self._treatment in ("pca", "whiten"):
                return _step(last[0]).outputs
            shape = _channels_first_shape(self.layout)
            return shape if self.layout.axes != "NHWC" else (shape[2], shape[0], shape[1])
        width = _step(last[0]).outputs[0] if last else self.layout.numbers
        indicators = 0 if self.impute is None else self.impute.outputs[0] - self.layout.numbers
        return (width + indicators + len(self.layout.levels),)

    def fit(self, chunks: Iterable[Tensor]) -> Self:
        """Learn from pieces [n, ...] of the training rows, reading them once.

        Memory: O(D), and O(D^2) for pca, whiten and zca, besides one piece.

        Raises:
            DataError: No rows, rows of another shape, or an infinite value.
        """
        steps = [_step(step) for step in self.steps.children()]
        if isinstance(self.layout, TableLayout):
            chunks = (self._numbers(chunk) for chunk in chunks)
        if self.impute is None and not steps:
            return self
        features = self.impute.features if self.impute is not None else steps[0].features
        covariance = any(step.needs_covariance for step in steps)
        statistics: ColumnStatistics = statistics_of(chunks, features, covariance=covariance)
        if self.impute is not None:
            self.impute.fit_statistics(statistics)
        for step in steps:
            step.fit_statistics(statistics)
            if isinstance(step, Standardise):
                statistics = statistics.standardised()
        return self

    def forward(self, raw: Tensor) -> Tensor:
        """Raw rows [N, ...] of any real type to float32 [N, *outputs]."""
        if isinstance(self.layout, ImageLayout):
            return self._forward_images(raw, self.layout)
        numbers = self._numbers(raw)
        if self.impute is None:
            return raw.to(torch.float32)
        filled = self.impute.fill(numbers)
        parts = [self.steps(filled).to(torch.float32)]
        if self.impute.indicators:
            parts.append(self.impute.missing(numbers))
        if self.layout.levels:
            parts.append(raw[:, self.layout.numbers :].to(torch.float32))
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def settings(self) -> dict[str, Any]:
        """What `from_settings` rebuilds it from, as plain JSON values; with its state it needs no fitting."""
        rotation = next((step for step in self.steps.children() if isinstance(step, PCA | Whiten | ZCA)), None)
        indicators = None if self.impute is None else self.impute.indicators
        return {
            "layout": _layout_settings(self.layout),
            **self._choices,
            "components": self.components if rotation is None or self.components is None else rotation.kept,
            "indicators": None if indicators is None else list(indicators),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Rebuilt from what `settings` gave; its statistics come by `load_state_dict`."""
        rest = {name: value for name, value in settings.items() if name != "layout"}
        return cls(_layout_from(settings["layout"]), **rest)

    def describe(self) -> list[str]:
        """What is done to a raw row, a sentence a step, in order."""
        steps = [_step(step) for step in (self.impute, *self.steps.children()) if step is not None]
        told = [step.describe() for step in steps]
        if isinstance(self.layout, ImageLayout):
            if self._treatment == "none":
                told.append("pixels are taken as they are")
            if self.layout.axes == "NHWC" and self._treatment not in ("pca", "whiten"):
                told.append("the channels come first")
        elif self.layout.levels:
            told.append(f"{counted(len(self.layout.levels), 'category column')} passed on as codes")
        return told

    def _numbers(self, raw: Tensor) -> Tensor:
        assert isinstance(self.layout, TableLayout)
        width = self.layout.numbers + len(self.layout.levels)
        if raw.ndim != 2 or raw.shape[1] != width:
            raise DataError(
                f"the table has shape {tuple(raw.shape)}",
                legal=f"[N, {width}]: {counted(self.layout.numbers, 'number')}, "
                f"then {counted(len(self.layout.levels), 'category code')}",
                cause="columns are missing, or there are too many",
            )
        return raw[:, : self.layout.numbers] if self.layout.levels else raw

    def _forward_images(self, raw: Tensor, layout: ImageLayout) -> Tensor:
        if tuple(raw.shape[1:]) != layout.shape:
            raise DataError(
                f"the images have shape {tuple(raw.shape)}",
                legal=f"[N, {', '.join(str(side) for side in layout.shape)}], axes {layout.axes}",
                cause="the image size or the order of the axes is different",
            )
        shape = _channels_first_shape(layout)
        flat = self._treatment in ROTATIONS
        # Arithmetic happens in the order of the pixels in memory; channels first is then a view.
        images: Tensor = self.steps(raw.flatten(1) if flat else raw.reshape(-1, *shape)).to(torch.float32)
        if self._treatment in ("pca", "whiten"):
            return images
        images = images.reshape(-1, *shape)
        return images.movedim(-1, 1) if layout.axes == "NHWC" else images


def _number_steps(features: int, choice: str, components: Components, low: float, high: float) -> nn.Sequential:
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    if features and choice == "centre":
        steps["centre"] = Centre(features)
    elif features and choice == "scale":
        steps["scale"] = ScaleToRange(features, low, high)
    elif features and choice != "none":
        steps["standardise"] = Standardise(features)
        if choice in ROTATIONS:
            steps[choice] = ROTATIONS[choice](features, components)
    return nn.Sequential(steps)


def _image_steps(layout: ImageLayout, choice: str, components: Components, low: float, high: float) -> nn.Sequential:
    shape = _channels_first_shape(layout)
    axis = 2 if layout.axes == "NHWC" else 0
    if choice == "none":
        return nn.Sequential()
    if choice in ROTATIONS:
        return nn.Sequential(OrderedDict({choice: ROTATIONS[choice](math.prod(shape), components)}))
    step: Step
    match choice:
        case "scale":
            step = ScalePixels(shape, low, high)
        case "mean-image":
            step = MeanImage(shape)
        case "channel-mean":
            step = ChannelMean(shape, axis)
        case "channel-mean-std":
            step = ChannelMeanStd(shape, axis)
        case _:
            step = Standardise(shape)
    return nn.Sequential(OrderedDict({choice.replace("-", "_"): step}))


def _channels_first_shape(layout: ImageLayout) -> tuple[int, ...]:
    """The row's shape with an axis for the one channel of grey images."""
    return (1, *layout.shape) if layout.axes == "NHW" else layout.shape


def _step(module: nn.Module) -> Step:
    assert isinstance(module, Step)
    return module


def _refuse_unknown(name: str, choice: str, legal: tuple[str, ...]) -> None:
    if choice not in legal:
        raise RecipeError(f"preprocessing.{name} = '{choice}' is not a kind of preprocessing", legal=", ".join(legal))


def _layout_settings(layout: TableLayout | ImageLayout) -> dict[str, Any]:
    if isinstance(layout, ImageLayout):
        return {"kind": "images", "shape": list(layout.shape), "axes": layout.axes}
    return {"kind": "table", "numbers": layout.numbers, "levels": list(layout.levels)}


def _layout_from(settings: Mapping[str, Any]) -> TableLayout | ImageLayout:
    if settings["kind"] == "images":
        return ImageLayout(tuple(settings["shape"]), settings["axes"])
    return TableLayout(settings["numbers"], tuple(settings["levels"]))
