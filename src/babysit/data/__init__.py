"""Sources, columns, splits, streaming statistics and preprocessing that travels with the model."""

from babysit.data._columns import Columns
from babysit.data._folds import k_folds
from babysit.data._new_rows import NewRows, read_new_rows
from babysit.data._prepare import prepare
from babysit.data._prepared import ImageLayout, Indices, Prepared, Rows, TableLayout, Task
from babysit.data._rows import TensorRows
from babysit.data._statistics import ColumnStatistics, RunningStatistics, statistics_of

__all__ = [
    "ColumnStatistics",
    "Columns",
    "ImageLayout",
    "Indices",
    "NewRows",
    "Prepared",
    "Rows",
    "RunningStatistics",
    "TableLayout",
    "Task",
    "TensorRows",
    "k_folds",
    "prepare",
    "read_new_rows",
    "statistics_of",
]
