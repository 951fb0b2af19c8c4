"""Tensors that travel beside what is pickled."""

import mmap

import pytest
import torch

from babysit.training._hand_over import ALIGNED, Place, pack, unpack


def test_everything_comes_back() -> None:
    given = {
        "matrix": torch.arange(6.0).view(2, 3).t(),
        "none": torch.empty(0, 3),
        "number": torch.tensor(7),
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "flags": torch.tensor([True, False]),
        "learned": torch.nn.Parameter(torch.ones(2)),
        "text": ["a", 1, float("inf")],
    }
    memory = mmap.mmap(-1, 4096)
    place = Place(memory)
    found = unpack(pack(given, place), torch.frombuffer(memory, dtype=torch.uint8))
    assert found.keys() == given.keys()
    assert found["text"] == given["text"]
    for name, value in given.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(found[name], value), name
            assert found[name].dtype == value.dtype
    assert place.used % ALIGNED == 0


def test_a_place_that_is_too_small_is_an_error() -> None:
    with pytest.raises(MemoryError):
        pack(torch.ones(100), Place(mmap.mmap(-1, 256)))
