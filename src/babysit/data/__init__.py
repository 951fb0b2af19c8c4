"""Sources, columns, splits, streaming statistics and preprocessing that travels with the model."""

from babysit.data._columns import Columns
from babysit.data._prepare import prepare
from babysit.data._prepared import ImageLayout, Indices, Prepared, Rows, TableLayout, Task
from babysit.data._rows import TensorRows

__all__ = [
    "Columns",
    "ImageLayout",
    "Indices",
    "Prepared",
    "Rows",
    "TableLayout",
    "Task",
    "TensorRows",
    "prepare",
]
