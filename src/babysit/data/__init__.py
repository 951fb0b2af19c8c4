"""Sources, columns, splits, streaming statistics and preprocessing that travels with the model."""

from babysit.data._affine import TargetStandardise
from babysit.data._columns import Columns
from babysit.data._folds import folds_of_prepared, k_folds
from babysit.data._found import physical_memory
from babysit.data._layout import ImageLayout, TableLayout
from babysit.data._moments import Moments, moments_of
from babysit.data._new_rows import read_new_rows
from babysit.data._prepare import prepare
from babysit.data._prepared import Prepared
from babysit.data._preprocessing import Preprocessing
from babysit.data._row_file import RowFile, write_rows
from babysit.data._rows import Rows, TensorRows
from babysit.data._target import Task

__all__ = [
    "Columns",
    "ImageLayout",
    "Moments",
    "Prepared",
    "Preprocessing",
    "RowFile",
    "Rows",
    "TableLayout",
    "TargetStandardise",
    "Task",
    "TensorRows",
    "folds_of_prepared",
    "k_folds",
    "moments_of",
    "physical_memory",
    "prepare",
    "read_new_rows",
    "write_rows",
]
