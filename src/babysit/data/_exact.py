"""Whether numbers may be kept in float32: only where that loses nothing against their spread."""

from __future__ import annotations

import torch
from torch import Tensor

# A rounding error below this share of a column's standard deviation is far below what float32 arithmetic in the
# network loses anyway (2^-24 a step, thousands of steps), so keeping more digits would buy nothing.
LOSS = 1e-5
ROWS_PER_CHUNK = 8192


def keeps_in_float32(loss: Tensor, std: Tensor) -> bool:
    """Whether float32 keeps what counts.

    Args:
        loss: [D] the largest rounding error of each column; NaN or infinity where a number does not fit at all.
        std: [D] the standard deviations.
    """
    return bool(((loss == 0) | (loss <= LOSS * std)).all())


def smallest_type(numbers: Tensor) -> Tensor:
    """Numbers in the smallest type that loses nothing: uint8 as it is, float32, or float64.

    Args:
        numbers: [N, ...] of any real type; NaN for missing.

    Returns:
        The same numbers as uint8, float32 or float64.

    Example:
        >>> smallest_type(torch.tensor([[1], [300]])).dtype
        torch.float32
        >>> smallest_type(torch.tensor([[1_600_000_000.0], [1_600_000_100.0]], dtype=torch.float64)).dtype
        torch.float64
    """
    if numbers.dtype in (torch.uint8, torch.float32):
        return numbers
    if numbers.dtype == torch.bool:
        return numbers.to(torch.uint8)
    if numbers.dtype in (torch.float16, torch.bfloat16, torch.int8, torch.int16, torch.uint16):
        return numbers.to(torch.float32)  # all of their values are float32 values
    flat = numbers.reshape(len(numbers), -1)
    sample = flat[:: max(1, len(flat) // 10_000)].to(torch.float64)
    spread = (sample - sample.nanmean(0)).square().nanmean(0).sqrt().nan_to_num()
    loss = torch.zeros(flat.shape[1], dtype=torch.float64)
    for start in range(0, len(flat), ROWS_PER_CHUNK):
        exact = flat[start : start + ROWS_PER_CHUNK].to(torch.float64)
        error = (exact.to(torch.float32).to(torch.float64) - exact).abs()
        loss = torch.maximum(loss, error.masked_fill(exact.isnan(), 0).amax(0))
        if not keeps_in_float32(loss, spread):
            return numbers.to(torch.float64)
    return numbers.to(torch.float32)
