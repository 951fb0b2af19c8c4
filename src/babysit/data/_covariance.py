"""The covariance of all pairs of features, from pieces of the data seen once, in O(D^2 + a block) memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from babysit.data._moments import Floats, Numbers

ROWS_PER_PRODUCT = 4096  # adding a product [D, D] to the sum then costs about a tenth of the product itself
# Up to so many features the product is made in float64, which then takes less than the reading of the data.
FEATURES_IN_FLOAT64 = 512
WHOLE_IN_FLOAT32 = 2.0**24  # whole numbers below this are float32 values, and so are their sums


@dataclass
class _Missing:
    """What products lack where a value was missing: sums of y_i m_j and of m_i m_j, m being 1 where present."""

    values: Floats
    present: Floats


class RunningCovariance:
    """Sums of products of all pairs of features over pieces; missing values (NaN) count as the mean.

    With y = x - shift, a shift near the mean, and m = 1 where a value is present (y = 0 where it is not), the sum of
    (x_i - mean_i)(x_j - mean_j) over rows in which both are present is a combination of the sums of y_i y_j, y_i m_j
    and m_i m_j. The last two are kept as matrices only once a value was missing.

    Products of more than 512 features are made in float32 and summed in float64. For bytes they are exact even so: the
    shift is a whole number, and as long as a product's diagonal, which bounds every partial sum in it, stays below
    2^24, float32 holds each of these whole numbers.

    Args:
        features: D, how many features a row has.
    """

    def __init__(self, features: int) -> None:
        self.features = features
        self.rows = 0
        self.shift = np.zeros(features)
        self.seen = np.zeros(features, bool)
        self.sums = np.zeros(features)  # of y
        self.products = np.zeros((features, features))  # of y_i y_j
        self._missing: _Missing | None = None
        self._block: npt.NDArray[Any] | None = None
        self._filled = 0
        self._whole = False
        self._rows_per_product = ROWS_PER_PRODUCT

    def update(self, numbers: Numbers) -> None:
        """Take in rows [n, D] of any real type; n may be 0."""
        whole = numbers.dtype == np.uint8
        wide = self.features <= FEATURES_IN_FLOAT64 or numbers.dtype not in (np.uint8, np.float32)
        number_type = np.float64 if wide else np.float32
        if self._block is None or self._block.dtype != number_type or whole != self._whole:
            self._flush()
            self._block = np.empty((ROWS_PER_PRODUCT, self.features), number_type)
            self._whole = whole
        for start in range(0, len(numbers), ROWS_PER_PRODUCT):
            piece = numbers[start : start + ROWS_PER_PRODUCT]
            self._settle_shift(piece, whole)
            self._add(self._block, piece)

    def merge(self, other: RunningCovariance) -> None:
        """Take in what another has seen; both may go on afterwards."""
        self._flush()
        other._flush()
        new = other.seen & ~self.seen
        self.shift[new] = other.shift[new]  # nothing was summed there yet
        self.seen |= other.seen
        move = np.where(other.seen, other.shift - self.shift, 0.0)
        theirs = other._missing_or_none_missing()
        values, present = theirs.values, theirs.present
        # y' = y + move where present: (y_i + a_i m_i)(y_j + a_j m_j), summed.
        cross = values * move
        self.products += other.products + cross + cross.T + present * np.outer(move, move)
        if self._missing is not None or other._missing is not None:
            mine = self._missing_or_none_missing()
            self._missing = _Missing(mine.values + values + move[:, None] * present, mine.present + present)
        self.sums += other.sums + move * present.diagonal()
        self.rows += other.rows

    def result(self, mean: Floats) -> Floats:
        """[D, D] covariance over N, with missing values taken for the mean.

        Args:
            mean: [D] of the present values.
        """
        self._flush()
        away = np.where(self.seen, mean - self.shift, 0.0)
        if self._missing is None:
            covariance = self.products - np.outer(away, self.sums)
            covariance -= np.outer(self.sums - self.rows * away, away)
        else:
            cross = self._missing.values * away
            covariance = self.products - cross - cross.T + self._missing.present * np.outer(away, away)
        covariance /= max(1, self.rows)
        return covariance

    def _settle_shift(self, piece: Numbers, whole: bool) -> None:
        """Features that appear for the first time are shifted by the mean of what appeared."""
        if self.seen.all():
            return
        new = ~self.seen
        values = piece[:, new].astype(np.float64)
        present = ~np.isnan(values)
        count = present.sum(0)
        with np.errstate(invalid="ignore", over="ignore"):
            shift = np.where(present, values, 0.0).sum(0) / np.maximum(count, 1)
            # A float32 number, so that subtracting it from float32 data near it is exact; whole for whole data.
            shift = np.rint(shift) if whole else shift.astype(np.float32).astype(np.float64)
        self.shift[new] = np.where(np.isfinite(shift), shift, 0.0)
        self.seen[new] = count > 0

    def _add(self, block: npt.NDArray[Any], piece: Numbers) -> None:
        shift = self.shift.astype(block.dtype)
        taken = 0
        while taken < len(piece):
            rows = min(len(piece) - taken, len(block) - self._filled)
            # In steps that stay in a core's cache between the conversion and the subtraction.
            step = max(1, 2**17 // max(1, self.features))
            for start in range(0, rows, step):
                stop = min(start + step, rows)
                target = block[self._filled + start : self._filled + stop]
                target[...] = piece[taken + start : taken + stop]
                with np.errstate(invalid="ignore"):
                    target -= shift
            self._filled += rows
            taken += rows
            if self._filled == len(block):
                self._flush()

    def _flush(self) -> None:
        """Products of the rows that wait."""
        if self._block is None or self._filled == 0:
            return
        rows = self._block[: self._filled]
        self._filled = 0
        with np.errstate(invalid="ignore", over="ignore"):  # infinities show in the mean and are refused there
            sums = rows.sum(0, dtype=np.float64)
            if np.isnan(sums).any():
                sums = self._add_missing(rows)
            elif self._missing is not None:
                self._missing.values += sums[:, None]
                self._missing.present += len(rows)
            self.sums += sums
            self.rows += len(rows)
            self._add_products(rows)

    def _add_missing(self, rows: npt.NDArray[Any]) -> Floats:
        """Set missing values to the shift, that is 0, note where they were, and give the sums [D] of the rest."""
        missing = np.isnan(rows)
        rows[missing] = 0.0
        present = (~missing).astype(rows.dtype)
        state = self._missing_or_none_missing()
        state.values += rows.T @ present
        state.present += present.T @ present
        self._missing = state
        sums: Floats = rows.sum(0, dtype=np.float64)
        return sums

    def _add_products(self, rows: npt.NDArray[Any]) -> None:
        exact = self._whole and rows.dtype == np.float32
        for start in range(0, len(rows), self._rows_per_product):
            piece = rows[start : start + self._rows_per_product]
            product = piece.T @ piece  # NumPy sees the symmetry and computes one half
            if exact and len(piece) > 1 and product.diagonal().max() >= WHOLE_IN_FLOAT32:
                self._rows_per_product = len(piece) // 2
                self._add_products(rows[start:])
                return
            self.products += product

    def _missing_or_none_missing(self) -> _Missing:
        """The matrices for missing values; when nothing was missing so far, what they would be."""
        if self._missing is not None:
            return self._missing
        values = np.repeat(self.sums[:, None], self.features, axis=1)
        return _Missing(values, np.full((self.features, self.features), float(self.rows)))
