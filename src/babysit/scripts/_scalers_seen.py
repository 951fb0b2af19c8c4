"""Gradient scalers: whether scaled gradients are clipped, stepped with, or never scaled at all."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.rehearsal import where_in_script
from babysit.remedies import Replacements
from babysit.scripts._networks_seen import parameters_of

REMEMBERED = 64
NEAR = 8  # operations between the root of a backward pass and a scaled loss: a division by the number of batches


class ScalersSeen:
    """Looks at what is done with a scaler's gradients between two of its updates.

    Args:
        tell: Where events go, each once: its name, what was seen, and the line.
    """

    def __init__(self, tell: Callable[[str, str, str], None]) -> None:
        self._tell = tell
        self._scale = 1.0  # of the scaler in use; 1 where there is none
        self._products: list[Any] = []  # graph nodes of scaled losses, until their backward pass
        # Since the last update: whether each backward pass began at a scaled loss.
        self._backwards: deque[bool] = deque(maxlen=REMEMBERED)
        self._unscaled: set[int] = set()  # optimizers
        # Parameters that were clipped: to which norm, where, and which optimizers were unscaled by then.
        self._clipped: dict[int, tuple[float, str, frozenset[int]]] = {}
        self._stepping_by_scaler = False

    def install(self, replaced: Replacements) -> None:
        """Before the script's first line."""
        for name, wrap in (
            ("scale", self._scaling),
            ("unscale_", self._unscaling),
            ("step", self._stepping),
            ("update", self._updating),
        ):
            replaced.put(torch.amp.GradScaler, name, wrap)
        original = nn.utils.clip_grad_norm_
        for owner in (nn.utils, nn.utils.clip_grad):
            if getattr(owner, "clip_grad_norm_", None) is original:
                replaced.put(owner, "clip_grad_norm_", self._clipping)

    def backward_begins(self, loss: Tensor) -> None:
        """A backward pass begins."""
        if self._scale == 1.0:
            return
        waiting, near = [loss.grad_fn], False
        for _ in range(NEAR):
            near = near or any(node is one for node in waiting for one in self._products)
            waiting = [after for node in waiting if node is not None for after, _ in node.next_functions][:NEAR]
        self._backwards.append(near)
        self._products = []

    def stepped_by(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped."""
        if self._scale == 1.0 or self._stepping_by_scaler or id(optimizer) in self._unscaled:
            return
        if self._backwards and all(self._backwards):
            text = f"the optimizer steps with gradients that are still multiplied by the scaler's {self._scale:.3g}"
            self._tell("scaler-misused", f"{text}: its own step() is called, not scaler.step(optimizer)", "")

    def _scaling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def scale(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            with contextlib.suppress(Exception):
                if scaler.is_enabled():
                    if self._scale == 1.0:
                        self._scale = float(scaler._scale)  # once: on a GPU it has to be waited for
                    if isinstance(result, Tensor) and result.grad_fn is not None:
                        self._products.append(result.grad_fn)
            return result

        return scale

    def _unscaling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def unscale(scaler: Any, optimizer: Any) -> Any:
            result = original(scaler, optimizer)
            self._unscaled.add(id(optimizer))
            return result

        return unscale

    def _stepping(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(scaler: Any, optimizer: Any, *arguments: Any, **options: Any) -> Any:
            with contextlib.suppress(Exception):
                self._before_scalers_step(scaler, optimizer)
            self._stepping_by_scaler = True
            try:
                return original(scaler, optimizer, *arguments, **options)
            finally:
                self._stepping_by_scaler = False

        return step

    def _before_scalers_step(self, scaler: Any, optimizer: Optimizer) -> None:
        if not scaler.is_enabled() or self._scale == 1.0:
            return
        clipped = [self._clipped[id(one)] for one in parameters_of(optimizer) if id(one) in self._clipped]
        scaled = [(norm, line) for norm, line, unscaled in clipped if id(optimizer) not in unscaled]
        if scaled:
            norm, line = scaled[0]
            text = f"gradients are clipped to a norm of {norm:.3g} while they are multiplied by {self._scale:.3g}"
            self._tell("scaler-misused", f"{text}: what is left of them is at most {norm / self._scale:.2g}", line)
        elif self._backwards and not any(self._backwards):
            text = f"the loss is not scaled, and scaler.step divides its gradients by {self._scale:.3g}"
            self._tell("scaler-misused", text, "")

    def _updating(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def update(scaler: Any, *arguments: Any, **options: Any) -> Any:
            self._backwards.clear()
            self._products = []
            self._unscaled, self._clipped = set(), {}
            return original(scaler, *arguments, **options)

        return update

    def _clipping(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def clip(parameters: Any, max_norm: Any, *arguments: Any, **options: Any) -> Any:
            if self._scale != 1.0:
                if not isinstance(parameters, Tensor) and isinstance(parameters, Iterable):
                    parameters = list(parameters)  # it may be gone through once only
                with contextlib.suppress(Exception):
                    self._clips([parameters] if isinstance(parameters, Tensor) else parameters, float(max_norm))
            return original(parameters, max_norm, *arguments, **options)

        return clip

    def _clips(self, parameters: list[Tensor], norm: float) -> None:
        if self._backwards and all(self._backwards):
            line, unscaled = where_in_script(), frozenset(self._unscaled)
            self._clipped |= {id(one): (norm, line, unscaled) for one in parameters}
