"""Decides from the data what a recipe leaves open, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from babysit.data import ImageLayout, Prepared, TableLayout
from babysit.record import Decision, Recipe, RecipeError
from babysit.training._loss import check_loss_fits

# Steps after which a training of this size has learned what it will; the budget in epochs follows from it.
STEPS = 4000
IMAGE_STEPS = 2000  # each costs a hundred times as much on a CPU, and convolutions need fewer
MANY_ROWS = 20_000  # from here a wider first layer did better (adult, credit)
SMALL_IMAGE = 16  # pixels a side; two stages see all of it
SMALLEST_IMAGE = 8  # pixels a side; two halvings of it leave something to average over
# With batch norm, standardised inputs and these budgets: of 1e-3, 3e-3 and 5e-3 the one that did best or as well as the
# best on iris, wine, breast-cancer, diabetes, digits and california, five seeds each, for adamw; the other optimizers'
# are where their updates are about as large.
RATES = {"sgd": 0.05, "adam": 3e-3, "adamw": 3e-3, "rmsprop": 1e-3, "adagrad": 3e-2}
L2 = 1e-4  # a thousandth of the largest decay that the default search tries


Choose = Callable[[str, str, Any, str], None]  # section, setting, value, why


def decide(recipe: Recipe, prepared: Prepared) -> tuple[Recipe, tuple[Decision, ...]]:
    """The recipe with everything filled in, and what was decided.

    Raises:
        RecipeError: A choice in the recipe does not fit the data or the machine.
    """
    sections: dict[str, dict[str, Any]] = {}
    decisions: list[Decision] = []

    def choose(section: str, setting: str, value: Any, why: str) -> None:
        sections.setdefault(section, {})[setting] = value
        decisions.append(Decision(setting=f"{section}.{setting}", value=_text(value), why=why))

    rows = len(prepared.split["train"])
    _decide_loss(recipe, prepared, choose)
    _decide_model(recipe, prepared, rows, choose)
    _decide_budget(recipe, prepared.layout, rows, choose)
    if recipe.optimizer.lr is None:
        lr = RATES[recipe.optimizer.name]
        choose("optimizer", "lr", lr, f"a learning rate at which {recipe.optimizer.name} seldom fails on scaled inputs")
    if recipe.regularisation.l2 is None:
        choose("regularisation", "l2", L2, "a decay that costs little and seldom fails")
    filled = recipe.model_copy(
        update={name: getattr(recipe, name).model_copy(update=values) for name, values in sections.items()}
    )
    check_loss_fits(filled.loss, prepared.task)
    return filled, tuple(decisions)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "-".join(str(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _decide_loss(recipe: Recipe, prepared: Prepared, choose: Choose) -> None:
    if recipe.loss.name == "auto":
        if prepared.task.kind == "classification":
            choose("loss", "name", "cross-entropy", f"the target has {len(prepared.task.classes)} classes")
        else:
            choose("loss", "name", "mse", "the target is a number")


def _decide_model(recipe: Recipe, prepared: Prepared, rows: int, choose: Choose) -> None:
    model = recipe.model
    if model.factory is not None:
        if recipe.initialisation.scheme == "auto":
            choose("initialisation", "scheme", "pytorch", f"{model.factory} gives the network its first weights")
        return
    layout = prepared.layout
    architecture: str = model.architecture
    if architecture == "auto":
        architecture, why = _suitable(recipe, layout)
        choose("model", "architecture", architecture, why)
    if architecture != "mlp" and not isinstance(layout, ImageLayout):
        raise RecipeError(
            f"architecture '{architecture}' needs images, the data is a table",
            legal="mlp",
            write="--set architecture=mlp",
        )
    if model.widths is None:
        if isinstance(layout, ImageLayout) and architecture != "mlp":
            side = _side(layout)
            widths, why = ((32, 64), "small images") if side <= SMALL_IMAGE else ((16, 32, 64), "images of some size")
            choose("model", "widths", widths, f"{why}: {side} pixels a side")
        else:
            widths = (128, 128) if rows < MANY_ROWS else (256, 128)
            choose("model", "widths", widths, f"{rows:,} training rows")
    if model.batch_norm is None:
        choose("model", "batch_norm", True, "it allows higher learning rates and depends less on the first weights")
    if model.dropout is None:
        choose("model", "dropout", 0.1, "a little noise against overfitting")


def _suitable(recipe: Recipe, layout: TableLayout | ImageLayout) -> tuple[str, str]:
    """The kind of network for the data, and why."""
    if not isinstance(layout, ImageLayout):
        return "mlp", "rows of numbers and categories"
    if recipe.preprocessing.images in ("pca", "whiten"):
        return "mlp", f"{recipe.preprocessing.images} turns images into components"
    side = _side(layout)
    if side < SMALLEST_IMAGE:
        return "mlp", f"images of {side} pixels a side are too small for convolutions"
    return "convolutional", f"images of {side} pixels a side"


def _side(layout: ImageLayout) -> int:
    """The shorter side of an image in pixels."""
    return min(layout.shape[:2] if layout.axes == "NHWC" else layout.shape[-2:])


def _decide_budget(recipe: Recipe, layout: TableLayout | ImageLayout, rows: int, choose: Choose) -> None:
    budget = recipe.budget
    batch_size = budget.batch_size
    if batch_size is None:
        batch_size = min(256, max(32, 2 ** round(math.log2(rows / 150))))
        choose("budget", "batch_size", batch_size, f"a power of two near a 150th of {rows:,} rows, from 32 to 256")
    epochs = budget.epochs
    if epochs is None:
        steps = IMAGE_STEPS if isinstance(layout, ImageLayout) else STEPS
        epochs = min(60, max(10, round(steps * batch_size / rows)))
        choose("budget", "epochs", epochs, f"about {epochs * max(1, rows // batch_size):,} steps")
    if budget.patience is None:
        patience = max(10, epochs // 3)
        choose("budget", "patience", patience, "stops after a third of the epochs without a better validation loss")


def choose_device(wanted: str) -> torch.device:
    """The device a recipe asks for; auto takes CUDA, then MPS, then the CPU.

    Raises:
        RecipeError: This machine has none of that kind.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[wanted]:
        raise RecipeError(
            f"this machine has no {wanted} device that PyTorch can use",
            legal=", ".join(name for name, found in there.items() if found),
            write="--set device=auto",
        )
    return torch.device(wanted)
