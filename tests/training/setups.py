"""Small trainings on made data, for tests of the loop."""

import pathlib

import numpy as np
import torch
from torch import nn

from babysit.data import Task
from babysit.record import DataSummary, Recipe, Run, RunSummary, with_settings
from babysit.training import Examples, Training, build_loss, outputs_needed

CLASSES = Task("classification", "kind", ("a", "b", "c"))
TWO = Task("classification", "kind", ("a", "b"))
NUMBER = Task("regression", "size")


def recipe(*settings: str) -> Recipe:
    """Five epochs of eight steps, nothing that regularises, a constant rate."""
    plain = ("epochs=5", "batch_size=8", "lr=0.05", "budget.patience=0", "schedule.name=constant", "warm_up=0", "l2=0")
    return with_settings(Recipe(), [*plain, "optimizer.name=sgd", "momentum=0", "loss.name=cross-entropy", *settings])


def network(outputs: int = 3, seed: int = 0, *, dropout: float = 0.0, batch_norm: bool = False) -> nn.Sequential:
    """4-6-outputs, drawn anew from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = [nn.Linear(4, 6)]
        if batch_norm:
            layers.append(nn.BatchNorm1d(6))
        layers += [nn.Tanh(), nn.Dropout(dropout), nn.Linear(6, outputs)]
        return nn.Sequential(*layers)


def examples(task: Task = CLASSES, rows: int = 80, validation: int = 16) -> Examples:
    """Rows of four numbers whose target follows from them."""
    generator = torch.Generator().manual_seed(7)
    inputs = torch.randn(rows, 4, generator=generator)
    if task.kind == "regression":
        targets = inputs.sum(dim=1).abs()
    else:
        targets = inputs[:, : len(task.classes)].argmax(dim=1)
    order = torch.arange(rows)
    return Examples(
        inputs, targets, nn.Identity(), order[: rows - validation], order[rows - validation :], torch.device("cpu")
    )


def trained(chosen: Recipe, task: Task = CLASSES, **changes: object) -> nn.Sequential:
    """A network after the recipe's training, with its last weights (there are no validation rows)."""
    model = network(outputs_needed(chosen.loss, task), **changes)  # type: ignore[arg-type]
    rows = examples(task, validation=0)
    Training(model, build_loss(chosen.loss, task, [10, 20, 30][: len(task.classes)]), rows, chosen).run()
    return model


def kept_run(path: pathlib.Path, chosen: Recipe) -> Run:
    """A Run folder for a training on `examples`."""
    summary = RunSummary(
        data=DataSummary(source="made", kind="table", rows=80, shape=(4,), task="classification", target="kind")
    )
    return Run.create(
        path, recipe=chosen, summary=summary, model={}, split={"train": np.arange(64)}, weights=b"", fingerprint=""
    )
