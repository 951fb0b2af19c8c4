"""Real sets that come with scikit-learn, by name."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from babysit.data._found import Arrays, Found, Table
from babysit.data._prepared import ImageLayout

BUNDLED = ("breast-cancer", "diabetes", "digits", "iris", "wine")


def load_bundled(name: str) -> Found:
    """A bundled set as a source.

    Args:
        name: One of `BUNDLED`. digits: 1,797 images of 8 by 8 pixels, 0 to 16, ten classes. iris (150 rows, 4
            columns, 3 classes), wine (178, 13, 3), breast-cancer (569, 30, 2). diabetes: 442 rows, 10 columns as
            they were measured, a number to predict.

    Source:
        scikit-learn's `sklearn.datasets`; nothing is downloaded.
    """
    import sklearn.datasets

    if name == "digits":
        digits = sklearn.datasets.load_digits()
        images = torch.from_numpy(digits.images.astype(np.uint8))
        return Arrays(name, images, ImageLayout((8, 8), "NHW"), pl.Series("digit", digits.target), "digit")
    if name == "diabetes":
        loaded = sklearn.datasets.load_diabetes(scaled=False)
        return Table(name, _frame(loaded.data, loaded.feature_names, pl.Series("target", loaded.target)))
    load = {
        "breast-cancer": sklearn.datasets.load_breast_cancer,
        "iris": sklearn.datasets.load_iris,
        "wine": sklearn.datasets.load_wine,
    }[name]
    loaded = load()
    names = pl.Series("target", np.asarray(loaded.target_names)[loaded.target].astype(str))
    return Table(name, _frame(loaded.data, loaded.feature_names, names), target="target")


def _frame(data: npt.NDArray[np.float64], names: list[str], target: pl.Series) -> pl.DataFrame:
    columns = {str(name): np.ascontiguousarray(data[:, index]) for index, name in enumerate(names)}
    return pl.DataFrame(columns).with_columns(target)
