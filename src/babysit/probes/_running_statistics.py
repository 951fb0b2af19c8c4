"""How far a batch normalisation's running statistics are from those of the batches it sees."""

from __future__ import annotations

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from babysit.probes._numbers import as_float, some_rows

LEAST_ROWS = 2  # numbers of a unit that have a standard deviation


def measure_running_statistics(module: _BatchNorm, inputs: Tensor) -> dict[str, Tensor]:
    """Compare what evaluation would normalise by with what this batch [N, C, ...] was normalised by.

    Nothing is said in evaluation mode, where the batch's own statistics are not used, nor of a module that keeps none.

    Example:
        >>> import torch
        >>> norm = torch.nn.BatchNorm1d(1, momentum=0.0)
        >>> found = measure_running_statistics(norm, torch.tensor([[2.0], [4.0]]))
        >>> {name: round(float(value), 3) for name, value in found.items()}
        {'running-mean-gap': 3.0, 'running-std-ratio': 1.0}
    """
    mean, variance = module.running_mean, module.running_var
    if not module.training or not isinstance(mean, Tensor) or not isinstance(variance, Tensor) or inputs.ndim < 2:
        return {}
    values = as_float(some_rows(inputs)).movedim(1, -1).reshape(-1, inputs.shape[1])  # [positions, units]
    if values.shape[0] < LEAST_ROWS:
        return {}
    spread = (as_float(variance) + module.eps).sqrt()
    gap = (values.mean(0) - as_float(mean)).abs() / spread
    ratio = (values.var(0, correction=0) + module.eps).sqrt() / spread
    return {"running-mean-gap": gap.median(), "running-std-ratio": ratio.median()}
