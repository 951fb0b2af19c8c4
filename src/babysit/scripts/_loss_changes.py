"""The loss: its arguments set right, another one in its place, its classes weighed, its sign turned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.record import LOSS_FACTS, LOSS_FUNCTIONS, InputError, Remedy
from babysit.scripts._activation_changes import ActivationChanges, before_activation
from babysit.scripts._batch_changes import BatchChanges

FUNCTIONS = {name: facts.function for name, facts in LOSS_FACTS.items() if facts.plain}
ROWS = 2048  # of targets that statistics are taken from
HALF = 0.5


class LossChanges:
    """Wraps the loss functions."""

    takes = frozenset({"class-weights", "loss", "match-shapes", "remove-sigmoid", "remove-softmax",
                       "standardise-targets", "tiny-batch"})  # fmt: skip

    def __init__(self, activations: ActivationChanges, batches: BatchChanges) -> None:
        self._activations, self._batches = activations, batches
        self._remedies: dict[str, str | None] = {}
        self._busy = False
        self._seen: list[Tensor] = []
        self._rows = 0
        self._mean = self._std = 0.0
        self._weights: Tensor | None = None
        self._called = False  # a loss function of PyTorch
        self._by_hand = False  # the loss is computed without one

    def add(self, remedy: Remedy) -> None:
        """Take one.

        Raises:
            InputError: An unknown loss.
        """
        if remedy.name == "loss" and remedy.value not in FUNCTIONS:
            raise InputError(f"there is no loss '{remedy.value}'", legal=", ".join(FUNCTIONS))
        self._remedies[remedy.name] = remedy.value

    def install(self, replace: Callable[..., None]) -> None:
        """Wrap them, over the ears of whoever listens."""
        if not self._remedies:
            return
        for function, called in LOSS_FUNCTIONS.items():
            replace(functional, function, lambda original, called=called: self._wrapped(called, original))
        if "match-shapes" in self._remedies:
            replace(torch.autograd, "backward", self._hearing)

    def begin(self, network: nn.Module) -> None:
        """Standardised targets need outputs brought back to scale."""
        if "standardise-targets" in self._remedies:
            network.register_forward_hook(lambda module, arguments, outputs: self._to_scale(outputs))
        if "match-shapes" in self._remedies:
            network.register_forward_hook(lambda module, arguments, outputs: self._flat(outputs))

    def _hearing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(*arguments: Any, **options: Any) -> Any:
            self._by_hand = not self._called
            return original(*arguments, **options)

        return backward

    def _flat(self, outputs: Any) -> Any:
        """[N, 1] as [N] for a loss written by hand, whose targets are [N]: known from the second step on."""
        training = self._by_hand and torch.is_grad_enabled()
        if training and isinstance(outputs, Tensor) and outputs.ndim > 1 and outputs.shape[1:].numel() == 1:
            return outputs.reshape(len(outputs))
        return outputs

    def _to_scale(self, outputs: Any) -> Any:
        if isinstance(outputs, Tensor) and self._rows:
            return outputs * self._std + self._mean
        return outputs

    def _wrapped(self, called: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def loss(input: Any, target: Any, *arguments: Any, **options: Any) -> Any:  # noqa: A002  its callers name it so
            if self._busy or not isinstance(input, Tensor) or not isinstance(target, Tensor):
                return original(input, target, *arguments, **options)
            self._busy = self._called = True
            try:
                return self._changed(called, original, input, target, arguments, options)
            finally:
                self._busy = False

        return loss

    def _changed(
        self, called: str, original: Callable[..., Any], outputs: Tensor, targets: Tensor, arguments: Any, options: Any
    ) -> Any:
        training = torch.is_grad_enabled() and outputs.requires_grad
        if "tiny-batch" in self._remedies and training:
            targets = self._batches.targets_kept(targets)
        if "match-shapes" in self._remedies and outputs.shape != targets.shape and outputs.numel() == targets.numel():
            targets = targets.reshape(outputs.shape)
        wanted = self._remedies.get("loss")
        if "remove-softmax" in self._remedies:
            outputs = before_activation(outputs, "softmax")
            wanted = wanted or ("cross-entropy" if called == "nll" else None)
        if "remove-sigmoid" in self._remedies:
            outputs = before_activation(outputs, "sigmoid")
            wanted = wanted or ("bce-with-logits" if called == "bce" else None)
        if "standardise-targets" in self._remedies:
            first = self._rows == 0
            if training:
                self._learn(targets)
            if self._rows:
                # The first outputs have not been brought to scale yet.
                outputs = outputs if first else (outputs - self._mean) / self._std
                targets = (targets - self._mean) / self._std
        if wanted is not None and wanted != called:
            outputs, targets = as_taken(wanted, called, outputs, targets)
            if "class-weights" in self._remedies:
                options = {"weight": self._weights_of(targets)}
                return getattr(functional, FUNCTIONS[wanted])(outputs, targets, **options)
            reduction = {"reduction": options["reduction"]} if "reduction" in options else {}
            return getattr(functional, FUNCTIONS[wanted])(outputs, targets, **reduction)
        if "class-weights" in self._remedies and called in ("cross-entropy", "nll") and targets.ndim < outputs.ndim:
            weights = self._weights_of(targets, outputs.shape[1] if outputs.ndim > 1 else 0)
            return original(outputs, targets, **{**options, "weight": weights.to(outputs)})
        if "class-weights" in self._remedies and called in ("bce", "bce-with-logits"):
            weights = self._weights_of((targets > HALF).long().reshape(-1), 2)
            each = torch.where(targets > HALF, weights[1], weights[0]).to(outputs)
            return original(outputs, targets, **{**options, "weight": each})
        return original(outputs, targets, *arguments, **options)

    def _learn(self, targets: Tensor) -> None:
        if self._rows >= ROWS:
            return
        self._seen.append(targets.detach().reshape(-1))
        self._rows += targets.numel()
        values = torch.cat(self._seen).double()
        self._mean, self._std = float(values.mean()), float(values.std(correction=0)) or 1.0

    def _weights_of(self, targets: Tensor, classes: int = 0) -> Tensor:
        """The inverse of each class's share among the first rows, with mean 1 over the rows."""
        if self._weights is None or self._rows < ROWS:
            self._seen.append(targets.detach().reshape(-1))
            self._rows += targets.numel()
            counts = torch.bincount(torch.cat(self._seen).clamp_min(0), minlength=classes).double().clamp_min(1)
            self._weights = counts.sum() / (len(counts) * counts)
        return self._weights


def as_taken(wanted: str, called: str, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and targets as another loss takes them."""
    _kind, before = getattr(outputs, "_babysit_before", ("", None))
    if wanted in ("cross-entropy", "bce-with-logits") and isinstance(before, Tensor) and before.shape == outputs.shape:
        outputs = before
    elif wanted == "bce-with-logits" and called == "bce":
        outputs = before_activation(outputs, "sigmoid")
    if wanted in ("cross-entropy", "nll"):
        if outputs.ndim > 1 and targets.shape == outputs.shape:
            targets = targets.argmax(1)
        elif targets.is_floating_point():
            targets = targets.long()
        if targets.ndim == outputs.ndim and targets.shape[1:] == (1,) * (targets.ndim - 1):
            targets = targets.reshape(len(targets))
        return outputs, targets
    if wanted in ("bce", "bce-with-logits") and outputs.shape != targets.shape:
        if outputs.numel() == targets.numel():
            targets = targets.reshape(outputs.shape)
        elif outputs.ndim > 1 and not targets.is_floating_point():
            targets = functional.one_hot(targets.reshape(-1), outputs.shape[1])
    elif outputs.shape != targets.shape and outputs.numel() == targets.numel():
        targets = targets.reshape(outputs.shape)
    return outputs, targets.to(outputs.dtype)
