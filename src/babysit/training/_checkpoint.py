"""Checkpoint: all that a training needs to go on as if it had never stopped, in one safetensors file.

Tensors are stored under `network.NAME`, `best.NAME`, `optimizer.INDEX.KEY` and `random.DEVICE`; counters and the
optimizer's plain numbers are JSON in the file's metadata. No pickle.
"""

from __future__ import annotations

import json
import pathlib
from dataclasses import asdict, dataclass, field
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn, optim

from babysit.record import RunFolderError, refuse_irregular
from babysit.training._step import Plateau

CHECKPOINT_SCHEMA = 1
FILE = "checkpoint.safetensors"


@dataclass
class Position:
    """Where a training stands.

    Attributes:
        epoch: Epoch under way, from 0.
        batch: Batches done of it.
        step: Steps done since the beginning.
        loss_sum: Sum of the losses of the rows of the epoch so far.
        rows: Rows of the epoch so far.
        best_loss: Lowest validation loss.
        best_epoch: The epoch that reached it; -1 before the first.
        seconds: Time spent so far.
        done: Why the training ended; empty while it has not.
        plateau: Memory of the plateau schedule.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    rows: int = 0
    best_loss: float = float("inf")
    best_epoch: int = -1
    seconds: float = 0.0
    done: str = ""
    plateau: Plateau = field(default_factory=Plateau)


def pack(position: Position, network: nn.Module, best: dict[str, Tensor], optimizer: optim.Optimizer) -> bytes:
    """The state as the bytes of a safetensors file; `best` is empty before the first epoch ended."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    state = optimizer.state_dict()["state"]
    numbers: dict[str, dict[str, Any]] = {}
    for index, entries in state.items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                numbers.setdefault(str(index), {})[key] = value
    tensors |= {f"random.{name}": stream for name, stream in _random_states().items()}
    metadata = {
        "schema": str(CHECKPOINT_SCHEMA),
        "position": json.dumps(asdict(position)),
        "optimizer": json.dumps(numbers),
    }
    return safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)


def unpack(path: pathlib.Path, network: nn.Module, optimizer: optim.Optimizer) -> tuple[Position, dict[str, Tensor]]:
    """Put a stored state into network, optimizer and random streams. Returns the position and the best weights.

    Raises:
        RunFolderError: The file is damaged or belongs to another network.
    """
    try:
        refuse_irregular(path, RunFolderError)
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is not a mapping
        if metadata.get("schema") != str(CHECKPOINT_SCHEMA):
            raise RunFolderError(f"{path} has checkpoint schema {metadata.get('schema')}", legal=str(CHECKPOINT_SCHEMA))
        content = json.loads(metadata["position"])
        position = Position(**{**content, "plateau": Plateau(**content["plateau"])})
        network.load_state_dict(_under("network.", tensors))
        _restore_optimizer(optimizer, tensors, json.loads(metadata["optimizer"]))
        _restore_random(_under("random.", tensors))
    except RunFolderError:
        raise
    except (OSError, safetensors.SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise RunFolderError(
            f"{path} cannot be resumed from: {error}", cause="the file was damaged, or the recipe beside it changed"
        ) from None
    best = _under("best.", tensors)
    return position, best


def best_weights(run: pathlib.Path) -> dict[str, Tensor]:
    """The best weights in a Run's checkpoint, or the present ones before the first epoch ended; empty without one."""
    try:
        refuse_irregular(run / FILE, RunFolderError)
        with safetensors.safe_open(run / FILE, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is not a mapping
    except FileNotFoundError:
        return {}
    return _under("best.", tensors) or _under("network.", tensors)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _restore_optimizer(
    optimizer: optim.Optimizer, tensors: dict[str, Tensor], numbers: dict[str, dict[str, Any]]
) -> None:
    state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in numbers.items()}
    for name, tensor in _under("optimizer.", tensors).items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def _restore_random(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])
