"""Activations by name, and the card of whatever activation a network turns out to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from babysit.nn._cards import ActivationCard, activation_card, make_activation
from babysit.nn._catalogue import CATALOGUE

_BY_FUNCTION = {function: name for name, entry in CATALOGUE.items() for function in entry.functions}
_BY_MODULE = {entry.module: name for name, entry in CATALOGUE.items()}


def activation(name: str, **options: Any) -> nn.Module:
    """An activation by name: PyTorch's own module, or Maxout's `MaxPieces`.

    Args:
        name: One of `activation_names()`.
        **options: The module's own: `negative_slope`, `alpha`, `pieces`, `inplace`, ...

    Returns:
        A new module; all but maxout keep the shape of what they are given.

    Raises:
        InputError: No activation of that name, or no such option.

    Example:
        >>> activation("leaky-relu", negative_slope=0.1)
        LeakyReLU(negative_slope=0.1)
    """
    return make_activation(name, **options)


def card_for(what: nn.Module | Callable[..., Any] | str, *arguments: Any, **options: Any) -> ActivationCard | None:
    """The card of a module, of a function such as `torch.relu`, or of a method's name such as "relu_".

    Args:
        what: A module instance (its own options count), a torch function, or the name of one.
        *arguments: What the function is called with after its input: `card_for(F.leaky_relu, 0.2)`.
        **options: The same by keyword.

    Returns:
        None when it is no activation that babysit knows.

    Example:
        >>> import torch
        >>> import torch.nn.functional as F
        >>> card_for(nn.GELU()).name, card_for(F.leaky_relu, 0.2).options, card_for(torch.matmul)
        ('gelu', {'negative_slope': 0.2}, None)
    """
    if isinstance(what, nn.Module):
        return _card_for_module(what)
    name = what if isinstance(what, str) else getattr(what, "__name__", "")
    name = name.strip("_")
    if name in ("clamp", "clip", "clamp_min"):
        return _card_for_clamp(arguments, options)
    if name not in _BY_FUNCTION:
        return None
    catalogue_name = _BY_FUNCTION[name]
    if catalogue_name == "prelu":
        return _card_for_prelu(arguments[0] if arguments else options.get("weight"))
    names = CATALOGUE[catalogue_name].options
    given = dict(zip(names, arguments, strict=False)) | {key: options[key] for key in names if key in options}
    return _card_or_none(catalogue_name, given)


def _card_for_module(module: nn.Module) -> ActivationCard | None:
    for kind in type(module).__mro__:
        if kind in _BY_MODULE:
            name = _BY_MODULE[kind]
            if isinstance(module, nn.PReLU):
                return _card_for_prelu(module.weight)
            given = {option: getattr(module, option) for option in CATALOGUE[name].options}
            return _card_or_none(name, given)
    return None


def _card_for_prelu(weight: object) -> ActivationCard | None:
    """Slopes are learned, one a channel; the card is that of their mean."""
    if not isinstance(weight, Tensor) or weight.device.type == "meta":
        return activation_card("prelu")
    return _card_or_none("prelu", {"init": weight.detach().float().mean().item()})


def _card_for_clamp(arguments: tuple[Any, ...], options: Mapping[str, Any]) -> ActivationCard | None:
    """`clamp` is relu, relu6 or hardtanh by hand."""
    low = options.get("min", arguments[0] if arguments else None)
    high = options.get("max", arguments[1] if len(arguments) > 1 else None)
    if not isinstance(low, int | float) or isinstance(low, bool):
        return None
    if high is None:
        return activation_card("relu") if low == 0 else None
    if not isinstance(high, int | float) or low >= high:
        return None
    return activation_card("relu6") if (low, high) == (0, 6) else _card_or_none(
        "hardtanh", {"min_val": float(low), "max_val": float(high)}
    )  # fmt: skip


def _card_or_none(name: str, given: Mapping[str, Any]) -> ActivationCard | None:
    """With the options that are plain numbers or words and differ from the defaults, so that equal cards are equal."""
    defaults = make_activation(name)
    changed = {option: value for option, value in given.items() if isinstance(value, int | float | str)}
    return activation_card(name, **{key: value for key, value in changed.items() if value != _default(defaults, key)})


def _default(module: nn.Module, option: str) -> object:
    if isinstance(module, nn.PReLU) and option == "init":
        return module.init
    return getattr(module, option)
