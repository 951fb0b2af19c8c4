"""What is kept: recipe, trace, findings, remedies, the Run folder, and the tree of errors. No torch."""

from babysit.record._errors import (
    BabysitError,
    DataError,
    InputError,
    MissingExtraError,
    RecipeError,
    RunFolderError,
    RunLockedError,
    RunVersionError,
    StorageError,
)

__all__ = [
    "BabysitError",
    "DataError",
    "InputError",
    "MissingExtraError",
    "RecipeError",
    "RunFolderError",
    "RunLockedError",
    "RunVersionError",
    "StorageError",
]
