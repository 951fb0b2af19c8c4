"""The model that is kept: raw inputs in, answers out, everything between inside one `nn.Module`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl
import safetensors.torch
import torch
from torch import Tensor, nn

from babysit.data import Columns, Preprocessing, TargetStandardise, Task, read_new_rows
from babysit.nn import Features, MakeNetwork, Pixels, build
from babysit.record import DataSection, LossSection, Recipe, to_json
from babysit.training._loss import outputs_needed

ROWS = 4096  # answered at once


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

    def predict(self, rows: object) -> pl.DataFrame:
        """Answers for rows as they came, with the names of the classes.

        Args:
            rows: A polars or pandas frame, columns by name, one row or several as dictionaries, a file, an array or
                images; read as those of training were.

        Returns:
            A row for each: `prediction`; for classes also `confidence` and `probability_CLASS` for each class.

        Raises:
            DataError: The rows have other columns or shapes than those of training.

        Example:
            >>> load("runs/houses-1").predict({"area": [80, 120], "town": ["Ulm", "Kiel"]})  # doctest: +SKIP
        """
        if isinstance(rows, Mapping):
            single = all(isinstance(value, str) or not isinstance(value, Iterable) for value in rows.values())
            rows = pl.DataFrame([dict(rows)] if single else dict(rows), strict=False)
        elif isinstance(rows, list) and rows and all(isinstance(row, Mapping) for row in rows):
            rows = pl.DataFrame([dict(row) for row in rows], infer_schema_length=None, strict=False)
        data = DataSection() if self.columns is None else DataSection(missing=self.columns.missing)
        new = read_new_rows(rows, data, self.columns, self.preprocessing.layout, self.task, scored=False)
        device = next(self.parameters()).device
        was_training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                parts = [self(new.inputs[part].to(device)).cpu() for part in torch.arange(len(new.inputs)).split(ROWS)]
        finally:
            self.train(was_training)
        return pl.DataFrame(answer_columns(self, torch.cat(parts)))

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


def answer_columns(model: TrainedModel, given: Tensor) -> dict[str, pl.Series]:
    """A model's answers [n, C] or [n] as columns."""
    if model.task.kind == "regression":
        return {"prediction": pl.Series("prediction", given.double().numpy())}
    probabilities = given.double().softmax(dim=1)
    confidence, predicted = probabilities.max(dim=1)
    classes = model.task.classes
    columns = {
        "prediction": pl.Series("prediction", [classes[code] for code in predicted.tolist()], dtype=pl.String),
        "confidence": pl.Series("confidence", confidence.numpy()),
    }
    for code, name in enumerate(classes):
        columns[f"probability_{name}"] = pl.Series(f"probability_{name}", probabilities[:, code].numpy())
    return columns


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
