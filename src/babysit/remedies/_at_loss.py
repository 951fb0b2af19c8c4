"""The loss: its arguments set right, another one in its place, its classes weighed, its targets brought to scale."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.probes import is_replay
from babysit.record import LOSS_FACTS, LOSS_FUNCTIONS
from babysit.remedies._application import Application
from babysit.remedies._at_activations import AtActivations, before_activation
from babysit.remedies._hooks import Hooks
from babysit.remedies._replacements import Replacements

Squashing = Literal["softmax", "sigmoid"]
ROWS = 2048  # of targets that statistics are taken from
HALF = 0.5
SUM_OFF = 1e-3  # rows of probabilities sum to one, up to rounding


class AtLoss:
    """Wraps the loss functions.

    Args:
        activations: Who remembers what entered a softmax or sigmoid.
    """

    def __init__(self, activations: AtActivations) -> None:
        self._activations = activations
        self._other: tuple[str, Application] | None = None
        self._off: dict[Squashing, Application] = {}
        self._matches: Application | None = None
        self._weighs: Application | None = None
        self._scales: Application | None = None
        self._targets_kept: Callable[[Tensor], Tensor] | None = None
        self._heard: Callable[[str, Tensor, Tensor], None] | None = None
        self._busy = False
        self._seen: list[Tensor] = []
        self._rows = 0
        self._mean = self._std = 0.0
        self._weights: Tensor | None = None
        self._called = False  # a loss function of PyTorch
        self._by_hand = False  # the loss is computed without one

    def use(self, name: str, application: Application) -> None:
        """Use another loss function."""
        self._other = name, application
        self._activations.remember()

    def take_off(self, what: Squashing, application: Application) -> None:
        """Give the loss what enters a softmax or sigmoid, and use the loss function that applies it itself."""
        self._off[what] = application
        self._activations.remember()

    def match_shapes(self, application: Application) -> None:
        """Give targets the shape of the outputs."""
        self._matches = application

    def weigh_classes(self, application: Application) -> None:
        """Weigh each class by the inverse of its share."""
        self._weighs = application

    def scale_targets(self, application: Application) -> None:
        """Learn standardised targets, and bring the network's outputs back to scale."""
        self._scales = application

    def keep_targets(self, kept: Callable[[Tensor], Tensor]) -> None:
        """Compare with other targets in training."""
        self._targets_kept = kept

    def targets_used(self, targets: Tensor) -> Tensor:
        """What outputs are compared with in training, where the script gave `targets`."""
        return targets if self._targets_kept is None else self._targets_kept(targets)

    def hear_first(self, heard: Callable[[str, Tensor, Tensor], None]) -> None:
        """Call it with the name, outputs and targets of the first loss in training."""
        self._heard = heard

    @property
    def _wanted(self) -> bool:
        asked = (self._other, self._matches, self._weighs, self._scales, self._targets_kept, self._heard)
        return bool(self._off) or any(one is not None for one in asked)

    def install(self, replaced: Replacements) -> None:
        """Wrap them, beneath whoever listens to losses."""
        if not self._wanted:
            return
        for function, called in LOSS_FUNCTIONS.items():
            replaced.put(functional, function, functools.partial(self._wrapped, called))
        if self._matches is not None:
            replaced.put(torch.autograd, "backward", self._hearing)

    def begin(self, network: nn.Module, hooks: Hooks) -> None:
        """Standardised targets need outputs brought back to scale."""
        if self._scales is not None:
            hooks.after(network, lambda module, arguments, outputs: self._to_scale(outputs))
        if self._matches is not None:
            hooks.after(network, lambda module, arguments, outputs: self._flat(outputs))

    def _hearing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(*arguments: Any, **options: Any) -> Any:
            self._by_hand = not self._called
            return original(*arguments, **options)

        return backward

    def _flat(self, outputs: Any) -> Any:
        """[N, 1] as [N] for a loss written by hand, whose targets are [N]: known from the second step on."""
        training = self._by_hand and torch.is_grad_enabled()
        if training and isinstance(outputs, Tensor) and outputs.ndim > 1 and outputs.shape[1:].numel() == 1:
            if self._matches is not None:
                self._matches.took_hold()
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
        if training and not is_replay() and self._heard is not None:
            self._heard(called, outputs, targets)
            self._heard = None
        if self._targets_kept is not None and training:
            targets = self._targets_kept(targets)
        if self._matches is not None and outputs.shape != targets.shape and outputs.numel() == targets.numel():
            targets = targets.reshape(outputs.shape)
            self._matches.took_hold()
        wanted = self._other[0] if self._other is not None else None
        for what in self._off:
            outputs, instead = self._without(what, called, outputs)
            wanted = wanted or instead
        if self._scales is not None:
            outputs, targets = self._scaled(self._scales, outputs, targets, training)
        if wanted is not None and wanted != called:
            if self._other is not None:
                self._other[1].took_hold()
            outputs, targets = as_taken(wanted, called, outputs, targets)
            kept = {name: options[name] for name in ("reduction",) if name in options}
            original, arguments, options = getattr(functional, LOSS_FACTS[wanted].function), (), kept
            called = wanted
        elif self._other is not None and wanted == called:
            self._other[1].reason = f"the loss is {called} already"
        return original(outputs, targets, *arguments, **self._weighed(called, outputs, targets, options))

    def _without(self, what: Squashing, called: str, outputs: Tensor) -> tuple[Tensor, str | None]:
        """What entered the softmax or sigmoid, and the loss function that applies it itself, where that is another."""
        application = self._off[what]
        if not squashed(outputs, what):
            application.reason = f"what enters the loss comes from no {what}"
            return outputs, None
        application.took_hold()
        exchanged = ("nll", "cross-entropy") if what == "softmax" else ("bce", "bce-with-logits")
        return before_activation(outputs, what), exchanged[1] if called == exchanged[0] else None

    def _scaled(
        self, application: Application, outputs: Tensor, targets: Tensor, training: bool
    ) -> tuple[Tensor, Tensor]:
        if not targets.is_floating_point():
            application.reason = "the targets are classes, which have no scale"
            return outputs, targets
        first = self._rows == 0 or (is_replay() and len(self._seen) == 1)
        if training and not is_replay():
            self._learn(targets)
        if not self._rows:
            return outputs, targets
        application.took_hold()
        # The first outputs have not been brought to scale yet.
        outputs = outputs if first else (outputs - self._mean) / self._std
        return outputs, (targets - self._mean) / self._std

    def _learn(self, targets: Tensor) -> None:
        if self._rows >= ROWS:
            return
        self._seen.append(targets.detach().reshape(-1))
        self._rows += targets.numel()
        values = torch.cat(self._seen).double()
        self._mean, self._std = float(values.mean()), float(values.std(correction=0)) or 1.0

    def _weighed(self, called: str, outputs: Tensor, targets: Tensor, options: dict[str, Any]) -> dict[str, Any]:
        """The options of the loss with a weight for each class."""
        if self._weighs is None:
            return options
        if called in ("cross-entropy", "nll") and targets.ndim < outputs.ndim:
            self._weighs.took_hold()
            weights = self._weights_of(targets, outputs.shape[1] if outputs.ndim > 1 else 0)
            return {**options, "weight": weights.to(outputs)}
        if called in ("bce", "bce-with-logits"):
            self._weighs.took_hold()
            weights = self._weights_of((targets > HALF).long().reshape(-1), 2)
            return {**options, "weight": torch.where(targets > HALF, weights[1], weights[0]).to(outputs)}
        self._weighs.reason = f"the loss {called} compares no classes that could be weighed"
        return options

    def _weights_of(self, targets: Tensor, classes: int = 0) -> Tensor:
        """The inverse of each class's share among the first rows, with mean 1 over the rows."""
        if self._weights is None or (self._rows < ROWS and not is_replay()):
            self._seen.append(targets.detach().reshape(-1))
            self._rows += targets.numel()
            counts = torch.bincount(torch.cat(self._seen).clamp_min(0), minlength=classes).double().clamp_min(1)
            self._weights = counts.sum() / (len(counts) * counts)
        return self._weights


@torch.no_grad()
def squashed(outputs: Tensor, what: Squashing) -> bool:
    """Whether outputs are what a softmax or sigmoid gives.

    Example:
        >>> squashed(torch.tensor([[0.2, 0.8]]), "softmax"), squashed(torch.tensor([[2.0, 8.0]]), "softmax")
        (True, False)
    """
    kind, _ = getattr(outputs, "_babysit_before", ("", None))
    if kind == what:
        return True
    if what == "sigmoid":
        return bool(((outputs >= 0) & (outputs <= 1)).all())
    return outputs.ndim > 1 and bool((outputs >= 0).all() and ((outputs.sum(1) - 1).abs() < SUM_OFF).all())


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
