"""The model that is kept: raw inputs in, answers out, everything between inside one `nn.Module`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from babysit.data import Columns, Preprocessing, TargetStandardise, Task
from babysit.nn import Features, MakeNetwork, Pixels, build
from babysit.record import LossSection, Recipe, to_json
from babysit.training._loss import outputs_needed


class TwoClasses(nn.Module):
    """One logit z for the second class becomes the scores (0, z) of both: softmax of these is (1 - p, p)."""

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, 1] to [N, 2]."""
        return torch.cat([torch.zeros_like(outputs), outputs], dim=1)


class OneNumber(nn.Module):
    """Outputs [N, 1] to values [N] in the target's unit, through what undoes the scaling of targets."""

    def __init__(self, undo: nn.Module | None = None, exponential: bool = False) -> None:
        super().__init__()
        self.undo = undo
        self.exponential = exponential

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, 1] to [N]."""
        values = outputs[:, 0].exp() if self.exponential else outputs[:, 0]
        if isinstance(self.undo, TargetStandardise):
            return self.undo.inverse(values)
        return values


class TrainedModel(nn.Module):
    """A network with its preprocessing before it and its answer after it.

    Call it with raw inputs: for a table the float tensor [N, D] that `columns.encode(frame)` makes, for images the
    pixels as they came ([N, H, W], [N, H, W, C] or [N, C, H, W]).

    Shapes:
        Classification gives scores (logits) [N, C], whose softmax are the probabilities of `task.classes`; regression
        gives values [N] in the target's unit.

    Attributes:
        preprocessing: Raw inputs to what the network takes; fitted on the training rows.
        network: What was trained.
        answer: The network's outputs to scores or values.
        task: What was learned.
        columns: How a table becomes raw inputs; None for arrays and images.
    """

    def __init__(
        self, preprocessing: Preprocessing, network: nn.Module, answer: nn.Module, task: Task, columns: Columns | None
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.network = network
        self.answer = answer
        self.task = task
        self.columns = columns

    def forward(self, raw: Tensor) -> Tensor:
        """Scores [N, C] or values [N]."""
        answers: Tensor = self.answer(self.network(self.preprocessing(raw)))
        return answers

    def settings(self, loss: LossSection) -> dict[str, Any]:
        """What rebuilds the model without its weights, as plain JSON values."""
        return {
            "preprocessing": self.preprocessing.settings(),
            "task": asdict(self.task),
            "columns": None if self.columns is None else to_json(self.columns),
            "loss": loss.name,
            "targets": "standardised" if isinstance(getattr(self.answer, "undo", None), TargetStandardise) else "raw",
        }


class Ensemble(TrainedModel):
    """Several models of one task that answer together: the mean of their probabilities, or of their values.

    Each prepares the raw inputs in its own way. `preprocessing`, `network`, `task` and `columns` are the first model's;
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
        # The first model registers both: registered here as well, its parameters would count twice.
        for name in ("preprocessing", "network"):
            vars(self)[name] = self._modules.pop(name)
        self.models = nn.ModuleList(models)

    def forward(self, raw: Tensor) -> Tensor:
        """Scores [N, C] or values [N]."""
        answers = torch.stack([model(raw) for model in self.models])
        if self.task.kind == "regression":
            return answers.mean(dim=0)
        # The logarithm of the mean probability: computed from logarithms, so that small ones do not become 0.
        return answers.log_softmax(dim=2).logsumexp(dim=0)


def build_model(
    recipe: Recipe,
    task: Task,
    preprocessing: Preprocessing,
    columns: Columns | None,
    target_scaling: TargetStandardise | None,
    make: MakeNetwork = build,
) -> TrainedModel:
    """A model with PyTorch's own first weights, or those that the user's function gave it.

    Args:
        recipe: Every decision filled in.
        task: What is learned.
        preprocessing: Fitted, or about to receive its state.
        columns: Of a table.
        target_scaling: What standardises regression targets, when they are.
        make: Makes the network.
    """
    network = make(recipe.model, network_inputs(preprocessing), outputs_needed(recipe.loss, task))
    answer: nn.Module
    if task.kind == "regression":
        answer = OneNumber(target_scaling, exponential=recipe.loss.name == "poisson-nll")
    else:
        answer = TwoClasses() if recipe.loss.name == "bce-with-logits" else nn.Identity()
    return TrainedModel(preprocessing, network, answer, task, columns)


def network_inputs(preprocessing: Preprocessing) -> Features | Pixels:
    """What the preprocessing hands to the network for one row."""
    shape = preprocessing.outputs
    if len(shape) == 3:
        return Pixels(*shape)
    levels = preprocessing.levels
    return Features(shape[0] - len(levels), tuple(levels))


def pack_weights(model: nn.Module) -> bytes:
    """All weights, buffers and statistics as the bytes of a safetensors file."""
    # Copies, as safetensors refuses tensors that share memory, and steps of the preprocessing may share statistics.
    copies = {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }
    return safetensors.torch.save(copies)
