"""Remedies on live objects: what each changes in a RehearsalState. To add one: a function, and a line in the table."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, cast

from torch import nn, optim
from torch.nn.modules.dropout import _DropoutNd
from torch.optim import Optimizer

from babysit.nn import activation, facts_of, initialise, insert_batch_norm
from babysit.record import InputError, Remedy, Row
from babysit.rehearsal._batches import inputs_and_targets
from babysit.rehearsal._bias_prior import set_bias_prior
from babysit.rehearsal._input_scaling import centre, scale_to_range, standardise
from babysit.rehearsal._state import RehearsalState
from babysit.rehearsal._tiny_batch import TINY, keep_tiny_batch

OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], Optimizer]] = {
    "adagrad": optim.Adagrad,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "rmsprop": optim.RMSprop,
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.01, momentum=0.9),
}


def treat(state: RehearsalState, remedies: Sequence[Remedy], seed: int = 0) -> None:
    """Apply remedies to a state, in their order.

    Raises:
        InputError: One that live objects cannot take, or a value that is not legal.
    """
    for remedy in remedies:
        if remedy.name not in TREATMENTS:
            nearest = difflib.get_close_matches(remedy.name, TREATMENTS, n=1, cutoff=0.0)[0]
            raise InputError(
                f"the remedy '{remedy}' cannot be tried here", legal=", ".join(TREATMENTS), write=f"'{nearest}'"
            )
        TREATMENTS[remedy.name](state, remedy, seed)


def number(remedy: Remedy, *, least: float = 0.0) -> float:
    """The remedy's value as a number.

    Raises:
        InputError: It has none, or a smaller one than `least`.
    """
    try:
        value = float(remedy.value or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least:
        raise InputError(
            f"the remedy '{remedy}' needs a number", legal=f"{least:g} or more", write=f"{remedy.name}=0.01"
        )
    return value


def _lr(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    wanted = number(remedy)
    first = float(state.optimizers[0].param_groups[0]["lr"])
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = wanted * float(group["lr"]) / first if first else wanted


def _lr_times(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    factor = number(remedy)
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = factor * float(group["lr"])


def _lr_sweep(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    low, high, steps = (float(part) for part in (remedy.value or "").split(":"))
    groups = [group for optimizer in state.optimizers for group in optimizer.param_groups]
    first = float(groups[0]["lr"]) or 1.0
    shares = [float(group["lr"]) / first for group in groups]

    def rise(step: int, batch: object) -> tuple[list[Row], bool]:
        rate = low * (high / low) ** ((step + 1) / (steps - 1))
        for group, share in zip(groups, shares, strict=True):
            group["lr"] = rate * share
        return [], False

    rise(-1, None)
    state.after_step = rise


def _optimizer(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    if remedy.value not in OPTIMIZERS:
        raise InputError(f"there is no optimizer '{remedy.value}'", legal=", ".join(OPTIMIZERS), write="optimizer=adam")
    parameters = [parameter for parameter in state.network.parameters() if parameter.requires_grad]
    state.optimizers = [OPTIMIZERS[remedy.value](parameters)]


def _weight_decay(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    wanted = number(remedy)
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            if "weight_decay" in group:
                group["weight_decay"] = wanted


def _dropout(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    share = number(remedy)
    for module in state.network.modules():
        if isinstance(module, _DropoutNd):
            module.p = share
        elif isinstance(module, nn.RNNBase | nn.MultiheadAttention):
            module.dropout = share


def _clip_norm(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    state.clip_norm = number(remedy) or None


def _initialise(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    initialise(state.network, cast(Any, remedy.value or "auto"), sample=sample_of(state), seed=seed)


def _insert_batch_norm(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    sample = sample_of(state)
    device = next(state.network.parameters()).device
    insert_batch_norm(state.network, optimizer=state.optimizers[0], sample=sample)
    state.network.to(device)


def _activation(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    made = activation(remedy.value or "relu")
    for parent in list(state.network.modules()):
        for name, child in list(parent.named_children()):
            if facts_of(child) is not None:
                parent._modules[name] = made


def _flip_sign(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    loss_of = state.loss_of
    state.loss_of = lambda network, batch: -loss_of(network, batch)


def _unfreeze(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    stepped = {id(one) for opt in state.optimizers for group in opt.param_groups for one in group["params"]}
    for parameter in state.network.parameters():
        parameter.requires_grad_(True)
        if id(parameter) not in stepped:
            state.optimizers[0].param_groups[0]["params"].append(parameter)


def _tiny_batch(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    keep_tiny_batch(state, int(number(remedy, least=1)) if remedy.value else TINY)


def _bias_prior(state: RehearsalState, remedy: Remedy, seed: int) -> None:
    set_bias_prior(state)


def sample_of(state: RehearsalState) -> Any:
    """Arguments of the network from the first batch, which is put back."""
    first = next(state.batches)
    state.batches = chain([first], state.batches)
    parts = inputs_and_targets(first)
    return parts[0] if parts is not None else first


TREATMENTS: dict[str, Callable[[RehearsalState, Remedy, int], None]] = {
    "activation": _activation,
    "bias-prior": _bias_prior,
    "centre-inputs": lambda state, remedy, seed: centre(state),
    "clip-norm": _clip_norm,
    "dropout": _dropout,
    "flip-sign": _flip_sign,
    "initialise": _initialise,
    "insert-batch-norm": _insert_batch_norm,
    "lr": _lr,
    "lr-sweep": _lr_sweep,
    "lr-times": _lr_times,
    "optimizer": _optimizer,
    "scale-inputs": lambda state, remedy, seed: scale_to_range(state),
    "standardise-inputs": lambda state, remedy, seed: standardise(state),
    "tiny-batch": _tiny_batch,
    "unfreeze": _unfreeze,
    "weight-decay": _weight_decay,
}
