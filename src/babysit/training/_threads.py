"""How many threads PyTorch computes one call with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """Within, PyTorch's calls use so many threads; afterwards as many as before.

    Threads that share one call wait for each other at its end, many times a step: where another program takes one of
    the cores for a moment, all of them stand still. Threads with a stack each do not.
    """
    before = torch.get_num_threads()
    if before == threads:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
