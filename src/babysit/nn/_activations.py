"""Which activation a module, a function or a method is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from babysit.nn._activation_facts import activation, activation_facts, module_class
from babysit.record import ACTIVATIONS, ActivationFacts

_BY_FUNCTION = {function: name for name, facts in ACTIVATIONS.items() for function in facts.functions}
_BY_MODULE = {module_class(name): name for name in ACTIVATIONS}


def facts_of(what: nn.Module | Callable[..., Any] | str, *arguments: Any, **options: Any) -> ActivationFacts | None:
    """Facts about the activation that a module, a function such as `torch.relu`, or a method such as "relu_" computes.

    Args:
        what: A module (its own options count), a torch function, or the name of one.
        *arguments: What the function is called with after its input: `facts_of(F.leaky_relu, 0.2)`.
        **options: The same by keyword.

    Returns:
        None when babysit knows no such activation.

    Example:
        >>> import torch
        >>> import torch.nn.functional as F
        >>> facts_of(nn.GELU()).name, facts_of(F.leaky_relu, 0.2).chosen, facts_of(torch.matmul)
        ('gelu', {'negative_slope': 0.2}, None)
    """
    if isinstance(what, nn.Module):
        return _of_module(what)
    function = (what if isinstance(what, str) else getattr(what, "__name__", "")).strip("_")
    if function in ("clamp", "clip", "clamp_min"):
        return _of_clamp(arguments, options)
    name = _BY_FUNCTION.get(function)
    if name is None:
        return None
    if name == "prelu":
        return _of_prelu(arguments[0] if arguments else options.get("weight"))
    names = ACTIVATIONS[name].options
    given = dict(zip(names, arguments, strict=False)) | {key: options[key] for key in names if key in options}
    return _with_chosen(name, given)


def _of_module(module: nn.Module) -> ActivationFacts | None:
    for kind in type(module).__mro__:
        if kind in _BY_MODULE:
            name = _BY_MODULE[kind]
            if isinstance(module, nn.PReLU):
                return _of_prelu(module._parameters.get("weight"))
            # What a class of the user's computes when it is asked for an option is not asked for.
            own, options = vars(module), ACTIVATIONS[name].options
            chosen = {option: own[option] for option in options if option in own}
            return _with_chosen(name, chosen) if len(chosen) == len(options) else None
    return None


def _of_prelu(weight: object) -> ActivationFacts | None:
    """Slopes are learned, one a channel; the facts are those of their mean."""
    if not isinstance(weight, Tensor) or weight.device.type == "meta":
        return activation_facts("prelu")
    return _with_chosen("prelu", {"init": weight.detach().float().mean().item()})


def _of_clamp(arguments: tuple[Any, ...], options: Mapping[str, Any]) -> ActivationFacts | None:
    """`clamp` may be used as relu, relu6 or hardtanh."""
    low = options.get("min", arguments[0] if arguments else None)
    high = options.get("max", arguments[1] if len(arguments) > 1 else None)
    if not isinstance(low, int | float) or isinstance(low, bool):
        return None
    if high is None:
        return activation_facts("relu") if low == 0 else None
    if not isinstance(high, int | float) or low >= high:
        return None
    if (low, high) == (0, 6):
        return activation_facts("relu6")
    return _with_chosen("hardtanh", {"min_val": float(low), "max_val": float(high)})


def _with_chosen(name: str, given: Mapping[str, Any]) -> ActivationFacts:
    """With the options that are plain numbers or words and differ from the defaults, so that equal facts are equal."""
    usual = activation(name)
    plain = {option: value for option, value in given.items() if isinstance(value, int | float | str)}
    return activation_facts(name, **{key: value for key, value in plain.items() if value != _default(usual, key)})


def _default(module: nn.Module, option: str) -> object:
    if isinstance(module, nn.PReLU) and option == "init":
        return module.init
    return getattr(module, option)
