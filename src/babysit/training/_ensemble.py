"""Several models of one task as one: they answer together, as the lecture's last trick has it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from babysit.training._model import TrainedModel


class Ensemble(TrainedModel):
    """Models that answer together: the mean of their probabilities, or of their values.

    Each prepares the raw inputs in its own way. What is said of `preprocessing`, `task` and `columns` is the first's;
    all have learned the same task from the same data.

    Args:
        models: One or more.

    Shapes:
        As of one model: scores [N, C], whose softmax are the mean probabilities, or values [N].

    Attributes:
        models: As they were given.
    """

    def __init__(self, models: Sequence[TrainedModel]) -> None:
        first = models[0]
        super().__init__(first.preprocessing, first.network, nn.Identity(), first.task, first.columns)
        self.models = nn.ModuleList(models)

    def forward(self, raw: Tensor) -> Tensor:
        """Scores [N, C] or values [N]."""
        answers = torch.stack([model(raw) for model in self.models])
        if self.task.kind == "regression":
            return answers.mean(dim=0)
        # The logarithm of the mean probability: computed from logarithms, so that small ones do not become 0.
        return answers.log_softmax(dim=2).logsumexp(dim=0)
