"""What enters the loss as prediction: values, and whether they are probabilities already."""

from __future__ import annotations

import torch
from torch import Tensor

from babysit.probes._numbers import as_float, readable, some_rows
from babysit.probes._pending import Pending
from babysit.record import OUTPUTS

SUM_WITHIN = 1e-3  # how far from one a row of probabilities may sum
ROUNDINGS = 2  # by so many roundings of its type, where it has few digits: bfloat16 has three


def measure_outputs(step: int, outputs: Tensor, pending: Pending) -> None:
    """Measure predictions [N, ...], classes in the second dimension as PyTorch's losses have them."""
    outputs = outputs.detach()
    if not readable(outputs) or not outputs.is_floating_point() or not outputs.numel():
        return
    whole = outputs if outputs.ndim > 1 else outputs.reshape(-1, 1)
    values = as_float(some_rows(whole)).movedim(1, -1)
    values = values.reshape(-1, values.shape[-1])  # [rows, width]
    low, high = values.aminmax()
    std, mean = torch.std_mean(values, correction=0)
    inside = (values >= 0) & (values <= 1)
    numbers: dict[str, float | Tensor] = {
        "batch-rows": float(whole.shape[0]),
        "width": float(values.shape[1]),
        "value-mean": mean,
        "value-std": std,
        "value-min": low,
        "value-max": high,
        "unit-interval-share": inside.mean(dtype=torch.float32),
        "negative-share": (values < 0).mean(dtype=torch.float32),
        "zero-share": (values == 0).mean(dtype=torch.float32),
        "not-finite-share": 1 - torch.isfinite(values).mean(dtype=torch.float32),
    }
    if len(values) > 1:  # one row is like itself
        numbers["constant-share"] = (values == values[:1]).all(dim=0).mean(dtype=torch.float32)
    within = max(SUM_WITHIN, ROUNDINGS * torch.finfo(outputs.dtype).eps)
    if values.shape[1] > 1:
        close = (values.sum(1) - 1).abs() <= within
        numbers["row-sum-one-share"] = (close & inside.all(1)).mean(dtype=torch.float32)
        numbers["log-normalised-share"] = (values.logsumexp(1).abs() <= within).mean(dtype=torch.float32)
    if outputs.ndim == 2 and len(values) == len(whole) and len(whole) > 1:  # all rows of the batch, or sums say nothing
        over_rows = (values.sum(0) - 1).abs() <= within
        numbers["column-sum-one-share"] = (over_rows & inside.all(0)).mean(dtype=torch.float32)
    for name, value in numbers.items():
        pending.add(step, OUTPUTS, name, value)
