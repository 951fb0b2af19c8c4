"""Trials of every kind on small data: each trained alone by `Training`, by a Cohort's plain loop, and stacked."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import polars as pl
import torch
from torch import Tensor

from babysit.data import Prepared, prepare
from babysit.record import Recipe, Trial, with_settings
from babysit.training import Training, assemble, decide, examples_of, loss_of
from babysit.training._layouts import computing_with

CPU = torch.device("cpu")
PLAIN = (
    "epochs=3", "batch_size=16", "lr=0.01", "budget.patience=0", "schedule.name=constant", "warm_up=0", "l2=0",
    "model.widths=[7, 6]", "batch_norm=false", "dropout=0", "optimizer.name=sgd", "momentum=0",
)  # fmt: skip


@functools.cache
def data(kind: str) -> Prepared:
    """Small sets: numbers and categories with missing values, a number to learn, two classes, images."""
    generator = np.random.default_rng(5)
    rows = 90
    numbers = generator.normal(size=(rows, 3))
    sort = generator.choice(["red", "green", "blue"], size=rows)
    holes = numbers.copy()
    holes[::11, 1] = np.nan
    value = numbers @ [1.0, -2.0, 0.5] + (sort == "red")
    frame = {"a": holes[:, 0], "b": holes[:, 1], "c": holes[:, 2], "sort": sort}
    match kind:
        case "table":
            frame["target"] = np.digitize(value, [-1.0, 1.0]).astype(str)
        case "two":
            frame["target"] = np.where(value > 1.0, "yes", "no")
        case "number":
            frame["target"] = value
        case "counts":
            frame["target"] = generator.poisson(np.exp(value / 3)).astype(float)
        case _:
            images = generator.integers(0, 256, size=(rows, 8, 8, 3), dtype=np.uint8)
            labels = generator.integers(0, 4, size=rows)
            images[np.arange(rows), labels, labels] = 255
            return prepare(Recipe(), {"x": images, "y": labels})
    settings = ["data.target=target"]
    if kind in ("number", "counts"):
        settings.append("data.task=regression")
    return prepare(with_settings(Recipe(), settings), pl.DataFrame(frame))


def trial(kind: str, number: int, *settings: str, fold: int | None = None) -> Trial:
    """A trial on `data(kind)`."""
    architecture = ["architecture=mlp"] if kind == "images" else []
    recipe = with_settings(Recipe(), [*PLAIN, *architecture, *settings])
    return Trial(number, decide(recipe, data(kind))[0], fold=fold)


def trained_alone(kind: str, chosen: Trial, threads: int = 1) -> dict[str, Tensor]:
    """Weights and buffers that the loop ends with: the last ones, or the best where patience chooses.

    Stacks compute with one thread: with two, PyTorch adds in another order, and on some processors the largest of a
    window is then found in another place, after which the same training by the same code ends 0.02 away.
    """
    prepared, recipe = data(kind), chosen.recipe
    model, _ = assemble(recipe, prepared)
    examples = examples_of(model, prepared, recipe, CPU)
    if not recipe.budget.patience:
        examples = dataclasses.replace(examples, validation=examples.validation[:0])
    with computing_with(threads):
        Training(model.network, loss_of(prepared, recipe, CPU), examples, recipe).run()
    return model.network.state_dict()


# Name: data, and what each of its members is set to, setting by setting with blanks between.
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "rates": ("table", ("lr=0.1", "lr=0.003", "lr=1e-5")),
    "momentum": ("table", ("momentum=0.9", "momentum=0.5", "momentum=0")),
    "nesterov": ("table", ("nesterov=true momentum=0.9", "nesterov=true momentum=0.3")),
    "adam": ("table", ("optimizer.name=adam", "optimizer.name=adam beta1=0.5", "optimizer.name=adam beta2=0.9")),
    "adamw": ("table", ("optimizer.name=adamw l2=0.1", "optimizer.name=adamw l2=0 lr=0.1")),
    "rmsprop": ("table", ("optimizer.name=rmsprop momentum=0", "optimizer.name=rmsprop decay=0.9")),
    "rmsprop-momentum": ("table", ("optimizer.name=rmsprop momentum=0.9", "optimizer.name=rmsprop momentum=0.5")),
    "adagrad": ("table", ("optimizer.name=adagrad", "optimizer.name=adagrad lr=0.1")),
    "l2-in-loss": ("table", ("l2=0.1 l2_mode=loss", "l2=0 l2_mode=loss", "l2=1 l2_mode=loss")),
    "decoupled": ("table", ("l2=0.1", "l2=0", "l2=1")),
    "modes-of-l2": ("table", ("l2=0.1 l2_mode=loss", "l2=0.1")),
    "l1": ("table", ("l1=0.01", "l1=0")),
    "max-norm": ("table", ("max_norm=0.5", "max_norm=1", "")),
    "clip": ("table", ("clip_norm=0.1", "clip_norm=1", "", "clip_norm=0.2 l2=0.5 l2_mode=loss")),
    "clip-adam": ("table", ("clip_norm=0.1 optimizer.name=adam l1=0.01", "optimizer.name=adam")),
    "dropout": ("table", ("dropout=0.1", "dropout=0.5", "dropout=0.1 lr=0.1")),
    "batch-norm": ("table", ("batch_norm=true", "batch_norm=true lr=0.1")),
    "batch-norm-dropout": ("table", ("batch_norm=true dropout=0.2", "batch_norm=true dropout=0.3")),
    "seeds": ("table", ("seed=1 dropout=0.2", "seed=2 dropout=0.2", "seed=3 dropout=0.4")),
    "first-weights": ("table", ("scheme=small-random std=0.1", "scheme=xavier", "scheme=he", "scheme=lsuv")),
    "first-biases": ("table", ("initialisation.bias=0.1", "")),
    "schedules": (
        "table",
        (
            "schedule.name=step",
            "schedule.name=cosine warm_up=0.2",
            "schedule.name=inverse-time",
            "schedule.name=constant warm_up=0.5",
        ),
    ),
    "lengths": ("table", ("epochs=2 schedule.name=cosine", "epochs=3 schedule.name=cosine")),
    "plateau": (
        "table",
        (
            "epochs=8 schedule.name=plateau schedule.patience=1 budget.patience=9 lr=0.5",
            "epochs=8 schedule.name=plateau schedule.patience=2 budget.patience=9 lr=2",
        ),
    ),
    "patience": ("table", ("epochs=12 budget.patience=1 lr=1", "epochs=12 budget.patience=2 lr=0.02")),
    "smoothing": ("table", ("label_smoothing=0.1", "label_smoothing=0.4", "")),
    "balanced": ("table", ("class_weights=balanced", "class_weights=balanced label_smoothing=0.2")),
    "hinge": ("table", ("loss.name=hinge", "loss.name=hinge lr=0.001")),
    "hinge-balanced": (
        "table",
        (
            "loss.name=hinge class_weights=balanced",
            "loss.name=hinge class_weights=balanced lr=0.1",
        ),
    ),
    "bce": ("two", ("loss.name=bce-with-logits", "loss.name=bce-with-logits label_smoothing=0.2")),
    "bce-balanced": (
        "two",
        (
            "loss.name=bce-with-logits class_weights=balanced",
            "loss.name=bce-with-logits class_weights=balanced lr=0.1",
        ),
    ),
    "two-classes": ("two", ("", "lr=0.1")),
    "squared": ("number", ("", "lr=0.001")),
    "squared-unscaled": ("number", ("targets=none", "targets=none lr=0.001")),
    "huber": ("number", ("loss.name=huber delta=0.3", "loss.name=huber delta=2")),
    "poisson": ("counts", ("loss.name=poisson-nll", "loss.name=poisson-nll lr=0.001")),
    "no-hidden-layer": ("table", ("model.widths=[]", "model.widths=[] lr=0.1")),
    "embedding": ("table", ("model.embedding=3 optimizer.name=adam", "model.embedding=3 optimizer.name=adam lr=0.1")),
    "flattened": ("images", ("", "lr=0.1")),
    "pca": ("images", ("images=pca components=5 lr=1e-5", "images=pca components=5 lr=1e-4")),
    **{
        f"activation-{name}": ("table", (f"activation={name}", f"activation={name} lr=0.05"))
        for name in (
            "identity", "sigmoid", "tanh", "leaky-relu", "prelu", "elu", "selu", "gelu", "silu", "mish", "maxout",
        )
    },
    "maxout-norm": (
        "table",
        (
            "activation=maxout pieces=3 batch_norm=true",
            "activation=maxout pieces=3 batch_norm=true lr=0.1",
        ),
    ),
    "convolutional": (
        "images",
        (
            "architecture=convolutional model.widths=[4,6]",
            "architecture=convolutional model.widths=[4,6] lr=0.1",
        ),
    ),
    "convolutional-norm": (
        "images",
        (
            "architecture=convolutional model.widths=[4,6] batch_norm=true dropout=0.2 optimizer.name=adam",
            "architecture=convolutional model.widths=[4,6] batch_norm=true dropout=0.4 optimizer.name=adam",
        ),
    ),
    "convolutional-maxout": (
        "images",
        (
            "architecture=convolutional model.widths=[4] activation=maxout epochs=1",
            "architecture=convolutional model.widths=[4] activation=maxout lr=0.1 epochs=1",
        ),
    ),
    "residual": (
        "images",
        (
            "architecture=residual model.widths=[4] epochs=1",
            "architecture=residual model.widths=[4] lr=0.1 epochs=1",
        ),
    ),
}  # fmt: skip


def trials(case: str) -> list[Trial]:
    """The members of a case."""
    kind, members = CASES[case]
    return [trial(kind, number, *settings.split()) for number, settings in enumerate(members)]
