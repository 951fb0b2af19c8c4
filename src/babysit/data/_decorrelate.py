"""PCA, PCA-whitening and ZCA-whitening.

Source: Stanford CS231n, course notes 2, "PCA and whitening": rotate zero-centred data into the eigenvectors of its
covariance (over N); whitening divides by the square root of the eigenvalue plus 1e-5; ZCA (Bell and Sejnowski 1997)
rotates back. scikit-learn's PCA divides by N - 1 and adds nothing under the root, so its whitened values are
sqrt((N - 1) / N) times these, up to the 1e-5.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from babysit.data._statistics import ColumnStatistics
from babysit.data._step import WIDE, Step
from babysit.data._wording import counted
from babysit.record import InputError

EPSILON = 1e-5  # under the root, so that directions without variance are not blown up; the lecture's figure


class _Rotation(Step):
    """Rows times a matrix made of the covariance's eigenvectors."""

    needs_covariance: ClassVar[bool] = True

    mean: Tensor
    directions: Tensor
    variances: Tensor
    _near: Tensor
    _matrix: Tensor
    _offset: Tensor

    def __init__(self, features: int, components: int | float | None = None) -> None:
        super().__init__(features)
        whole = isinstance(components, int) and not isinstance(components, bool)
        legal = components is None or (1 <= components <= features if whole else 0 < components <= 1)
        if not legal or isinstance(components, bool):
            raise InputError(
                f"components = {components} is not possible with {counted(features, 'feature')}",
                legal=f"a whole number from 1 to {features}, or a share of the variance, above 0 and at most 1.0",
            )
        self.components = components
        self.kept = components if isinstance(components, int) else (features if components is None else None)
        self._statistic("mean", features)
        self._statistic("directions", self.kept or 0, features)
        self._statistic("variances", features)
        self._working("_near", torch.full((features,), torch.nan))
        self._working("_matrix", torch.empty(0))
        self._working("_offset", torch.empty(0))

    @property
    def variance_kept(self) -> float:
        """The share of the variance in the directions that are kept."""
        total = float(self.variances.sum())
        return float(self.variances[: self.kept].sum()) / total if total > 0 else 1.0

    def forward(self, raw: Tensor) -> Tensor:
        """Rows [N, D] of any real type to float32."""
        self._check(raw)
        if raw.dtype in WIDE:
            return (raw - self.mean).to(torch.float32) @ self._matrix
        return torch.addmm(self._offset, raw.to(torch.float32) - self._near, self._matrix)

    def _learn(self, statistics: ColumnStatistics) -> None:
        if statistics.covariance is None:
            raise InputError("these statistics lack the covariance", write="statistics_of(..., covariance=True)")
        # NumPy's LAPACK takes 3 s for 3072 features where the one in PyTorch's wheels took 25 s on the same processor.
        variances, vectors = (torch.from_numpy(part) for part in np.linalg.eigh(statistics.covariance.cpu().numpy()))
        # A covariance has no negative eigenvalues; rounding makes some of the zeros negative.
        variances = variances.flip(0).clamp(min=0)
        directions = vectors.flip(1).T
        largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
        # An eigenvector's sign is arbitrary: its largest entry is made positive, as scikit-learn does.
        directions = directions * torch.where(largest < 0, -1.0, 1.0)
        if self.kept is None:
            self.kept = directions_for_share(variances, float(self.components or 1.0))
        self.mean = statistics.mean
        self.directions = directions[: self.kept].contiguous()
        self.variances = variances

    def _derive(self) -> None:
        self.kept = len(self.directions)
        matrix = self._rotation()
        self._near = self.mean.to(torch.float32)
        self._matrix = matrix.to(torch.float32)
        self._offset = ((self._near.to(self.mean.dtype) - self.mean) @ matrix).to(torch.float32)

    def _rotation(self) -> Tensor:
        """float64 [D, outputs]."""
        return self.directions.T

    def _whitening(self) -> Tensor:
        """float64 [D, kept]: onto each direction, divided by the spread there."""
        return self.directions.T / (self.variances[: self.kept] + EPSILON).sqrt()

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        # How many directions a share of the variance needs is known only to the state that arrives.
        arriving = state_dict.get(f"{prefix}directions")
        if not isinstance(self.components, int) and arriving is not None and arriving.shape[1:] == (self.features,):
            self.directions = self.directions.new_empty(arriving.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _kept_in_words(self) -> str:
        if self.kept == self.features:
            return f"all {counted(self.features, 'direction')} are kept"
        return (
            f"{self.kept} of {counted(self.features, 'direction')} are kept, {self.variance_kept:.1%} of the variance"
        )

    def _refuse_unknown_width(self) -> int:
        if self.kept is None:
            raise InputError(
                f"the number of directions that hold {self.components:g} of the variance is known only after fitting",
                write="fit(chunks) first",
            )
        return self.kept


class PCA(_Rotation):
    """Rotate zero-centred rows into the directions of greatest variance, greatest first.

    Args:
        features: D, numbers in a row.
        components: How many directions are kept: a number, a share of the variance (0.95), or None for all.

    Shapes:
        [N, D] of any real type to float32 [N, components].

    Attributes:
        mean: float64 [D].
        directions: float64 [components, D], of length 1; the largest entry of each is positive.
        variances: float64 [D] all eigenvalues of the covariance over N, greatest first.

    Raises:
        InputError: components cannot be met, or it is used before it was fitted.
        DataError: Rows of another width; in `fit` also no rows or an infinite value.

    Example:
        >>> rows = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [0.0, 0.0]])
        >>> step = PCA(2, components=0.95).fit([rows])
        >>> step.outputs, [round(value, 4) for value in step(rows)[:, 0].tolist()]
        ((1,), [1.4142, -1.4142, 0.0])
    """

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of one row after the step."""
        return (self._refuse_unknown_width(),)

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        return f"rotated to principal components (PCA): {self._kept_in_words()}"


class Whiten(_Rotation):
    """PCA, then each direction divided by sqrt(its variance + 1e-5): the covariance becomes the identity.

    Args:
        features: D, numbers in a row.
        components: How many directions are kept: a number, a share of the variance (0.95), or None for all.

    Shapes:
        [N, D] of any real type to float32 [N, components].

    Raises:
        InputError: components cannot be met, or it is used before it was fitted.
        DataError: Rows of another width; in `fit` also no rows or an infinite value.

    Example:
        >>> rows = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> (Whiten(2).fit([rows])(rows).square().mean(0) - 1).abs().max() < 1e-4
        tensor(True)
    """

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of one row after the step."""
        return (self._refuse_unknown_width(),)

    def _rotation(self) -> Tensor:
        return self._whitening()

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        return f"whitened (PCA, each direction to variance 1): {self._kept_in_words()}"


class ZCA(_Rotation):
    """Whiten, then rotate back: of all whitened data the nearest to the original, so images still look like images.

    Args:
        features: D, numbers in a row.
        components: How many directions are kept on the way: a number, a share of the variance, or None for all.

    Shapes:
        [N, D] of any real type to float32 [N, D].

    Raises:
        InputError: components cannot be met, or it is used before it was fitted.
        DataError: Rows of another width; in `fit` also no rows or an infinite value.

    Example:
        >>> rows = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> [round(value, 3) for value in ZCA(2).fit([rows])(rows)[0].tolist()]
        [1.414, 0.0]
    """

    def _rotation(self) -> Tensor:
        return self._whitening() @ self.directions

    def describe(self) -> str:
        """What it does to the data, in a sentence."""
        return f"whitened and rotated back (ZCA): {self._kept_in_words()}"


def directions_for_share(variances: Tensor, share: float) -> int:
    """The least number of directions that hold a share of the variance.

    Args:
        variances: [D], greatest first.
        share: Above 0, up to 1.

    Example:
        >>> directions_for_share(torch.tensor([6.0, 3.0, 1.0, 0.0]), 0.9)
        2
    """
    cumulative = variances.cumsum(0) / variances.sum().clamp(min=torch.finfo(torch.float64).tiny)
    # A part in 1e12 is rounding: 0.9 of the variance must not need a third direction because of it.
    return min(int((cumulative < share - 1e-12).sum()) + 1, len(variances))
