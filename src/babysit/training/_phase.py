"""The loss and the score of a network on some rows, in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from babysit.training._batches import Examples, in_order


class PhaseNumbers(NamedTuple):
    """Mean loss over the rows (penalties left out), and accuracy for classes or R2 for numbers."""

    loss: float
    score_name: str
    score: float


@torch.no_grad()
def measure_phase(network: nn.Module, loss: nn.Module, examples: Examples, rows: Tensor) -> PhaseNumbers:
    """Forward all rows (int64 [n], at least one) and measure; the network's mode is as it was afterwards."""
    was_training = network.training
    network.eval()
    classes = not examples.targets.is_floating_point()
    total = torch.zeros((), dtype=torch.float64, device=examples.device)
    errors = torch.zeros_like(total)  # right answers, or squared errors
    try:
        for inputs, targets in _pieces(examples, rows):
            outputs = network(inputs)
            total += loss(outputs, targets).double() * len(targets)
            if classes:
                errors += (predicted_classes(outputs) == targets).sum()
            else:
                errors += (examples.link(outputs[:, 0]) - targets).double().square().sum()
    finally:
        network.train(was_training)
    mean = float(total) / len(rows)
    if classes:
        return PhaseNumbers(mean, "accuracy", float(errors) / len(rows))
    wanted = examples.targets[rows.to(examples.targets.device)].double()
    spread = float((wanted - wanted.mean()).square().sum())
    return PhaseNumbers(mean, "r2", 1 - float(errors) / spread if spread else float("nan"))


def _pieces(examples: Examples, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Preprocessed inputs and targets; those of the validation rows are kept."""
    kept = examples.held_out if rows is examples.validation else None
    if kept is None:
        yield from (examples.cut(part) for part in in_order(rows))
        return
    targets = examples.targets[rows.to(examples.targets.device)]
    yield from zip(in_order(kept), in_order(targets), strict=True)


def predicted_classes(outputs: Tensor) -> Tensor:
    """Class numbers int64 [N] from outputs [N, C], or [N, 1] for one logit of the second class."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).long()
    return outputs.argmax(dim=1)
