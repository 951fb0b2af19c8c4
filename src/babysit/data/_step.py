"""Step: what every piece of preprocessing is, and how it is fitted, moved and loaded."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from babysit.data._statistics import ColumnStatistics, statistics_of
from babysit.record import DataError, InputError

# Types whose numbers float32 cannot all hold: they are shifted and scaled in float64 first.
WIDE = frozenset({torch.float64, torch.int32, torch.int64, torch.uint32, torch.uint64})
WITHOUT_FLOAT64 = frozenset({"mps"})


class Step(nn.Module, abc.ABC):
    """A module that learns statistics from the training rows and then turns raw rows into float32.

    The statistics are float64 buffers, so they travel in `state_dict`; a module built anew from the same arguments
    and given that state needs no fitting. `model.half()` and the like leave them in float64, and moving to a device
    without float64 makes them float32. What the forward pass needs in float32 is computed once, when statistics
    arrive.

    Args:
        shape: Of one row: a number of features, or the axes of an image.
    """

    needs_covariance: ClassVar[bool] = False

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if not self.shape or min(self.shape) < 1:
            raise InputError(f"{type(self).__name__} was given the shape {self.shape}", legal="at least one feature")
        self.features = torch.Size(self.shape).numel()
        self.fitted = False

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of one row after the step."""
        return self.shape

    def extra_repr(self) -> str:
        """Shape of a row, and whether it is fitted, for `print(model)`."""
        return f"{list(self.shape)}{'' if self.fitted else ', not fitted'}"

    def fit(self, chunks: Iterable[Tensor]) -> Self:
        """Learn from pieces [n, ...] of the training rows, reading them once.

        Raises:
            DataError: No rows, rows of another shape, or an infinite value.
        """
        return self.fit_statistics(statistics_of(chunks, self.features, covariance=self.needs_covariance))

    def fit_statistics(self, statistics: ColumnStatistics) -> Self:
        """Learn from statistics that were gathered already, so that one pass serves several steps."""
        device = next(self.buffers()).device
        self._learn(statistics)
        for name, buffer in self._buffers.items():
            # Several steps learn from the same statistics, and safetensors keeps no shared memory.
            self._buffers[name] = None if buffer is None else buffer.clone()
        self.settle()
        return self if device.type == "cpu" else self.to(device)

    def settle(self) -> None:
        """Make ready for the forward pass after the statistics have changed."""
        self.fitted = not any(bool(statistic.isnan().any()) for statistic in self.state_dict().values())
        if self.fitted:
            self._derive()

    @abc.abstractmethod
    def _learn(self, statistics: ColumnStatistics) -> None:
        """Fill the persistent buffers."""

    @abc.abstractmethod
    def _derive(self) -> None:
        """Fill what the forward pass uses, from the persistent buffers."""

    @abc.abstractmethod
    def describe(self) -> str:
        """What it does to the data, in a sentence."""

    def _statistic(self, name: str, *shape: int) -> None:
        """A persistent float64 buffer; NaN until it is learned."""
        self.register_buffer(name, torch.full(shape, torch.nan, dtype=torch.float64))

    def _working(self, name: str, value: Tensor) -> None:
        """A buffer that is computed again after loading, so it is not saved; it stays on the statistics' device."""
        self.register_buffer(name, value, persistent=False)

    def _check(self, raw: Tensor) -> None:
        """Refuse rows before fitting, and rows of another shape."""
        name = type(self).__name__
        if not self.fitted:
            raise InputError(
                f"{name} has not been fitted",
                cause="its statistics are not known yet",
                write=f"{name[0].lower()}{name[1:]}.fit(chunks of the training rows), or load_state_dict(...)",
            )
        if tuple(raw.shape[1:]) != self.shape:
            raise DataError(
                f"{name} was given rows of shape {tuple(raw.shape[1:])}",
                legal=f"{list(self.shape)}, as it was fitted",
                cause="the columns, the image size or the order of the axes are different",
            )

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.settle()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # Rounding a mean of 1.6e9 to half precision would make it infinity, so only the device may change.
        device = fn(torch.empty(0, device=next(self.buffers()).device)).device
        for name, buffer in self._buffers.items():
            if buffer is not None:
                narrow = device.type in WITHOUT_FLOAT64 and buffer.dtype == torch.float64
                exact = buffer.float() if narrow else buffer
                moved = fn(exact)
                self._buffers[name] = moved if moved.dtype == exact.dtype else exact.to(device)
        return self
