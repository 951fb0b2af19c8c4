"""Parameters exchanged in an optimizer that is already at work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from babysit.record import InputError


def check_optimizer(optimizer: torch.optim.Optimizer | None) -> None:
    """Whether its parameters may change.

    Raises:
        InputError: It is LBFGS, which lays all parameters out once.
    """
    if isinstance(optimizer, torch.optim.LBFGS):
        raise InputError(
            "LBFGS cannot take other parameters once it is made",
            legal="any optimizer that works parameter by parameter",
            write="insert_batch_norm(model), and make the optimizer afterwards",
        )


def exchange_parameters(
    optimizer: torch.optim.Optimizer, removed: Tensor | None, added: Sequence[nn.Parameter], beside: Tensor
) -> None:
    """Take one parameter out with its state, and put others in that are free of weight decay.

    Args:
        optimizer: Changed in place.
        removed: What is gone from the model, if anything.
        added: What came.
        beside: A parameter whose group's settings the new ones take; the first group's when it is in none.
    """
    for group in optimizer.param_groups:
        for position, parameter in enumerate(group["params"]):
            if removed is not None and parameter is removed:
                del group["params"][position]
                if "param_names" in group:
                    del group["param_names"][position]
                optimizer.state.pop(removed, None)
                break
    groups = optimizer.param_groups
    home = next((group for group in groups if _holds(group, beside)), groups[0])
    if not home.get("weight_decay"):
        home["params"].extend(added)
        if "param_names" in home:
            home["param_names"].extend(_names(optimizer, len(added)))
        return
    # One group without decay for each set of settings, however many layers there are.
    settings = {key: value for key, value in home.items() if key not in ("params", "param_names")} | {
        "weight_decay": 0.0
    }
    for group in groups:
        if {key: value for key, value in group.items() if key not in ("params", "param_names")} == settings:
            group["params"].extend(added)
            if "param_names" in group:
                group["param_names"].extend(_names(optimizer, len(added)))
            return
    named = "param_names" in home
    params: Any = list(zip(_names(optimizer, len(added)), added, strict=True)) if named else list(added)
    optimizer.add_param_group({**settings, "params": params})


def _holds(group: dict[str, Any], parameter: Tensor) -> bool:
    return any(held is parameter for held in group["params"])


def _names(optimizer: torch.optim.Optimizer, count: int) -> list[str]:
    """Names that are not taken yet."""
    taken = {name for group in optimizer.param_groups for name in group.get("param_names", ())}
    free = (f"batch_norm.{number}" for number in range(len(taken) + count))
    return [name for name in free if name not in taken][:count]
