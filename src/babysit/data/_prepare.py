"""prepare: from a source to rows ready to be cut into batches."""

from __future__ import annotations

from torch import Tensor

from babysit.data._deal import Keys, deal, refuse_unlearned
from babysit.data._describe import describe
from babysit.data._fingerprint import fingerprint
from babysit.data._found import Arrays, Found, Table
from babysit.data._given_files import join_labels, with_given_files
from babysit.data._prepare_large import prepare_large
from babysit.data._prepare_table import prepare_table
from babysit.data._prepared import ImageLayout, Prepared
from babysit.data._rows import TensorRows
from babysit.data._sources import find_source
from babysit.data._target import encode_target
from babysit.record import Recipe, RecipeError


def prepare(recipe: Recipe, source: object | None = None) -> Prepared:
    """Read data, find the target, deal the rows, learn the columns from the training rows, and encode all of them.

    Args:
        recipe: Its data, split and seed are used.
        source: A path, the name of a bundled set (digits, iris, wine, breast-cancer, diabetes), or an object: a
            polars or pandas frame, a pair of arrays, a dictionary of arrays, a Hugging Face dataset, a PyTorch
            `Dataset`. None takes the recipe's.

    Returns:
        Raw rows in memory, or on disk when they would take too much of it; nothing is scaled or filled in yet.

    Raises:
        DataError: The data cannot be used; says what was found and what to write.
        RecipeError: A setting does not fit the data.

    Example:
        >>> prepared = prepare(Recipe(), "digits")
        >>> prepared.inputs.shape, prepared.inputs.dtype, prepared.task.kind
        (torch.Size([1797, 8, 8]), torch.uint8, 'classification')
        >>> {phase: len(rows) for phase, rows in prepared.split.items()}
        {'train': 1257, 'validation': 270, 'test': 270}
    """
    chosen = source if source is not None else recipe.data.source
    if chosen is None:
        raise RecipeError("no data was given", write="source = under [data] in the recipe, or babysit fit DATA")

    def read(named: object) -> Found:
        return find_source(named, recipe.data)

    found = with_given_files(read(chosen), recipe.split, read)
    if isinstance(found, Arrays):
        return prepare_arrays(recipe, found)
    return prepare_table(recipe, found) if isinstance(found, Table) else prepare_large(recipe, found)


def prepare_arrays(recipe: Recipe, found: Arrays) -> Prepared:
    """Arrays, dealt; their rows stay as they came."""
    for setting, name in (("group", recipe.split.group), ("time", recipe.split.time)):
        if name is not None:
            raise RecipeError(
                f"split.{setting}: {found.name} holds arrays, which have no column '{name}'",
                write="a table with that column",
            )
    if recipe.data.types:
        raise RecipeError(f"data.types: {found.name} holds arrays, which have no named columns", write="types = {}")
    values, joined = join_labels(found.targets, found.given.get("train", len(found.targets)))
    target = encode_target(values, found.name, recipe.data.task, found.class_names)
    classes = target.values.numpy() if target.task.kind == "classification" else None
    split, dealt = deal(len(target.values), recipe.split, recipe.seed, Keys(classes), found.given)
    notes = refuse_unlearned(target.task, target.values.numpy(), split)
    inputs = TensorRows(found.inputs) if isinstance(found.inputs, Tensor) else found.inputs
    summary = describe(
        found.name,
        "images" if isinstance(found.layout, ImageLayout) else "arrays",
        tuple(found.inputs.shape[1:]),
        target.task,
        target.values,
        split,
        notes=(*found.notes, *notes),
    )
    return Prepared(
        inputs=inputs,
        targets=target.values,
        task=target.task,
        layout=found.layout,
        columns=None,
        split=split,
        summary=summary,
        decisions=(*found.decisions, *joined, *target.decisions, dealt),
        fingerprint=fingerprint(inputs, target.values, target.task.classes),
    )
