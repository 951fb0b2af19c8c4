"""Scores of a model on rows it has not learned from."""

from __future__ import annotations

import numpy as np
import torch
from sklearn import metrics
from torch import Tensor

from babysit.data import Prepared
from babysit.record import Evaluation, Score
from babysit.train._batches import as_rows, in_order
from babysit.train._model import TrainedModel


@torch.no_grad()
def answers(model: TrainedModel, prepared: Prepared, rows: Tensor, device: torch.device) -> Tensor:
    """Scores [n, C] or values [n] for rows int64 [n], on the CPU."""
    return torch.cat([model(prepared.inputs[part].to(device)).cpu() for part in in_order(rows)])


def evaluate_phase(model: TrainedModel, prepared: Prepared, phase: str, device: torch.device) -> Evaluation:
    """Scores on the rows of a phase."""
    rows = as_rows(prepared.split[phase])
    given = answers(model, prepared, rows, device)
    wanted = prepared.targets[rows].numpy()
    if prepared.task.kind == "regression":
        values = given.numpy().astype(np.float64)
        scores = (Score(name="R2", value=float(metrics.r2_score(wanted, values))),)
        return Evaluation(phase=phase, rows=len(rows), scores=scores)
    predicted = given.argmax(dim=1).numpy()
    scores = (Score(name="accuracy", value=float(metrics.accuracy_score(wanted, predicted))),)
    return Evaluation(phase=phase, rows=len(rows), scores=scores, classes=prepared.task.classes)
