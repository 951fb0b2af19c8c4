"""One module put in the place of another, wherever a model refers to it."""

from __future__ import annotations

from torch import nn


def replace_module(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Under every name it has, except inside the new one."""
    own = set(map(id, new.modules()))
    for parent in list(model.modules()):
        if id(parent) in own:
            continue
        for name, child in list(parent._modules.items()):
            if child is old:
                parent._modules[name] = new
