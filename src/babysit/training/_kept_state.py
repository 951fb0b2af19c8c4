"""Kept state: weights, buffers and optimizers' state of somebody's training, in one file, to go back to.

The file is safetensors: `network.NAME`, and `optimizer.NUMBER.PARAMETER.KEY`; plain numbers of the optimizers are JSON
in its metadata. No pickle.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from babysit.record import InputError, RunFolderError, refuse_irregular

PLAIN = (bool, int, float, str, type(None))


def pack_state(network: nn.Module, optimizers: Sequence[Optimizer], step: int) -> bytes:
    """The state as the bytes of a file.

    Raises:
        InputError: Its weights are spread over several processes.
    """
    tensors = {f"network.{name}": tensor for name, tensor in _weights(network)}
    numbers: dict[str, Any] = {}
    for number, optimizer in enumerate(optimizers):
        for index, entries in optimizer.state_dict()["state"].items():
            kept = {key: value for key, value in entries.items() if isinstance(value, (Tensor, *PLAIN))}
            if len(kept) < len(entries):
                continue  # lists of tensors, such as those of LBFGS: the optimizer begins anew there
            for key, value in kept.items():
                name = f"optimizer.{number}.{index}.{key}"
                if isinstance(value, Tensor):
                    tensors[name] = value
                else:
                    numbers[name] = value
    metadata = {"step": str(step), "numbers": json.dumps(numbers)}
    return safetensors.torch.save(_apart(tensors), metadata)


def all_finite(network: nn.Module) -> bool:
    """Whether all weights and buffers are numbers."""
    return all(bool(torch.isfinite(one).all()) for _, one in _weights(network) if one.is_floating_point())


def put_back(content: bytes, network: nn.Module, optimizers: Sequence[Optimizer]) -> None:
    """Put a packed state into network and optimizers; rates and other settings of the optimizers stay as they are."""
    tensors, metadata = safetensors.torch.load(content), _metadata(content)
    with torch.no_grad():
        for name, weight in _weights(network):
            if (kept := tensors.get(f"network.{name}")) is not None:
                weight.copy_(kept)
    everything: dict[str, Any] = {**tensors, **json.loads(metadata["numbers"])}
    for number, optimizer in enumerate(optimizers):
        states: dict[int, dict[str, Any]] = {}
        for name, value in everything.items():
            kind, _, rest = name.partition(".")
            if kind == "optimizer" and rest.startswith(f"{number}."):
                index, _, key = rest.partition(".")[2].partition(".")
                states.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})


def read_state(path: pathlib.Path) -> bytes:
    """The bytes of a kept state.

    Raises:
        RunFolderError: The file is gone or damaged.
    """
    try:
        refuse_irregular(path, RunFolderError)
        content = path.read_bytes()
        safetensors.torch.load(content)
        return content
    except (OSError, safetensors.SafetensorError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}", cause="it was deleted or damaged meanwhile") from None


def _weights(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Weights and buffers that have values, each once."""
    for name, one in [*network.named_parameters(), *network.named_buffers()]:
        if is_lazy(one):
            continue
        if hasattr(one, "to_local"):  # a DTensor
            raise InputError(
                f"the weight {name} is spread over several processes, and the guard keeps whole weights",
                legal="a network that each process has whole, such as under DistributedDataParallel",
            )
        yield name, one.detach()


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of which none shares its memory with another: the format wants it so."""
    seen: set[int] = set()
    found = {}
    for name, tensor in tensors.items():
        one = tensor.detach().cpu().contiguous()
        memory = one.untyped_storage().data_ptr()
        found[name] = (
            one.clone() if memory in seen or one.numel() < one.untyped_storage().size() // one.itemsize else one
        )
        seen.add(memory)
    return found


def _metadata(content: bytes) -> dict[str, str]:
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return found
