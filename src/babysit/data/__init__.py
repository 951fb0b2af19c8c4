"""Sources, columns, splits, streaming statistics and preprocessing that travels with the model."""

from babysit.data._affine import Centre, ScaleToRange, Standardise, TargetStandardise
from babysit.data._columns import Columns
from babysit.data._decorrelate import PCA, ZCA, Whiten
from babysit.data._folds import folds_of_prepared, k_folds
from babysit.data._found import physical_memory
from babysit.data._image_scaling import ChannelMean, ChannelMeanStd, MeanImage, ScalePixels
from babysit.data._impute import Impute
from babysit.data._layout import ImageLayout, TableLayout
from babysit.data._new_rows import NewRows, read_new_rows
from babysit.data._prepare import prepare
from babysit.data._prepared import Prepared
from babysit.data._preprocessing import Preprocessing
from babysit.data._row_file import RowFile, write_rows
from babysit.data._rows import Indices, Rows, TensorRows
from babysit.data._statistics import ColumnStatistics, RunningStatistics, statistics_of
from babysit.data._target import Task

__all__ = [
    "Centre",
    "ChannelMean",
    "ChannelMeanStd",
    "ColumnStatistics",
    "Columns",
    "ImageLayout",
    "Impute",
    "Indices",
    "MeanImage",
    "NewRows",
    "PCA",
    "Prepared",
    "Preprocessing",
    "RowFile",
    "Rows",
    "RunningStatistics",
    "ScalePixels",
    "ScaleToRange",
    "Standardise",
    "TableLayout",
    "TargetStandardise",
    "Task",
    "TensorRows",
    "Whiten",
    "ZCA",
    "folds_of_prepared",
    "k_folds",
    "physical_memory",
    "prepare",
    "read_new_rows",
    "statistics_of",
    "write_rows",
]
