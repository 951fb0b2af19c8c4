"""Random streams keyed by what they are for, so that no draw depends on which draws came before it.

The order of epoch 7 is the same whether the training ran through or was resumed at epoch 7, and whether or not the
network has dropout. A stream is named by the recipe's seed and words: `stream_seed(0, "order", 7)`.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def stream_seed(seed: int, *names: str | int) -> int:
    """A seed in [0, 2^63) for the stream of that name.

    Example:
        >>> stream_seed(0, "order", 1) != stream_seed(0, "order", 2)
        True
    """
    text = "\0".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def shuffled(count: int, seed: int, epoch: int) -> Tensor:
    """A permutation of 0 .. count-1 (int64 [count]) for an epoch."""
    generator = torch.Generator().manual_seed(stream_seed(seed, "order", epoch))
    return torch.randperm(count, generator=generator)


def seed_streams(seed: int) -> None:
    """Begin the default streams of the processor, and of CUDA where there is any.

    What `torch.manual_seed` does; where there is no CUDA without the stack trace that `seed_device` tells of.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)


def seed_device(device: torch.device, seed: int) -> None:
    """Begin the default streams that a network on `device` draws from, as `torch.manual_seed` would.

    `torch.manual_seed` begins those of every kind of device, and where CUDA is not in use yet it formats a stack trace
    each time to keep for later: 1.5 ms, a tenth of a short epoch.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
