"""Gradients between the backward pass and the step: turned round, or asked for with `torch.autograd.grad`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from babysit.record import Event, Row
from babysit.rehearsal import where_in_script
from babysit.remedies import Replacements
from babysit.scripts._networks_seen import in_transformation, parameters_of

LOOKED_AT = 50  # steps whose gradients are kept until the step
MOST_NUMBERS = 2**22  # of gradients that are kept
OPPOSITE, LEAST = -0.99, 3  # cosine of a gradient and what the optimizer is given in its place, in so many steps
HALF = 0.5  # of the weights that are stepped: a gradient with respect to fewer is no training step


class GradientsSeen:
    """Looks at gradients in a rehearsal.

    Args:
        tell: Where events go.
        around: Within it is a backward pass; with the loss where `torch.autograd.grad` is asked for its gradient, to
            change weights by it.
        on: Whether anything is looked at but those losses.

    Attributes:
        open: Whether the script is watched.
    """

    def __init__(
        self,
        tell: Callable[[Iterable[Event | Row]], None],
        around: Callable[[Tensor | None], AbstractContextManager[None]],
        *,
        on: bool,
    ) -> None:
        self.open = True
        self._tell, self._around, self._on = tell, around, on
        self._optimizers: Sequence[Optimizer] = ()
        self._kept: list[tuple[Tensor, Tensor]] = []  # weights, and the loss's gradient for each
        self._before: list[Tensor] = []  # the weights, as they were then
        self._opposite = self._looked = 0
        self._step = 0
        self._asking = False

    def install(self, replaced: Replacements, optimizers: Sequence[Optimizer]) -> None:
        """Before the script's first line."""
        self._optimizers = optimizers
        replaced.put(torch.autograd, "grad", self._grad)
        replaced.put(Tensor, "backward", self._pulling)

    def _pulling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensor: Tensor, *arguments: Any, **options: Any) -> Any:
            if not self.open:
                return original(tensor, *arguments, **options)
            with self._around(None):
                return original(tensor, *arguments, **options)

        return backward

    def _grad(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def grad(outputs: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
            asked = self._asked(outputs, inputs, options) if self.open else None
            if asked is None:
                return original(outputs, inputs, *arguments, **options)
            self._moved_by_hand()
            self._asking = True
            try:
                with self._around(asked[0]):
                    result = original(outputs, inputs, *arguments, **options)
            finally:
                self._asking = False
            found = [result] if isinstance(result, Tensor) else list(result)
            self._keep([(one, slope) for one, slope in zip(asked[1], found, strict=True) if slope is not None])
            return result

        return grad

    def _asked(self, outputs: Any, inputs: Any, options: dict[str, Any]) -> tuple[Tensor, list[Tensor]] | None:
        """The loss and the weights, where weights are to be changed by this gradient."""
        if options.get("create_graph") or in_transformation():
            return None
        losses = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        weights = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        if len(losses) != 1 or not isinstance(losses[0], Tensor) or losses[0].numel() != 1:
            return None
        if not weights or not all(isinstance(one, Tensor) and one.is_leaf and one.requires_grad for one in weights):
            return None
        stepped = {id(one) for optimizer in self._optimizers for one in parameters_of(optimizer)}
        if stepped and len(stepped & {id(one) for one in weights}) < HALF * len(stepped):
            return None
        return losses[0], weights

    def backward_ended(self, weights: Iterable[Tensor]) -> None:
        """A backward pass is over."""
        if self._asking:
            return  # its gradients are at hand
        self._moved_by_hand()
        self._keep([(one, one.grad) for one in weights if one.grad is not None])

    def _keep(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        self._kept = []
        if not self._on or self._step >= LOOKED_AT or any(slope.is_sparse for _, slope in pairs):
            return
        if 0 < sum(one.numel() for one, _ in pairs) <= MOST_NUMBERS:
            self._kept = [(one, slope.detach().clone()) for one, slope in pairs]
            self._before = [] if self._optimizers else [one.detach().clone() for one, _ in pairs]

    def _moved_by_hand(self) -> None:
        """Without an optimizer: the step that was taken since, against the gradient."""
        if not self._before or len(self._before) != len(self._kept):
            return
        changes = [one.detach() - before for (one, _), before in zip(self._kept, self._before, strict=True)]
        cosine = _cosine(changes, [-slope for _, slope in self._kept])
        self._before = []
        if cosine is not None:
            self._tell([Row(max(0, self._step - 1), "train", "", "update-cosine", cosine)])

    def before_step(self, optimizer: Optimizer) -> None:
        """An optimizer is about to step: by the gradient of the loss, or by its opposite?"""
        own = {id(one) for one in parameters_of(optimizer)}
        kept, self._kept = [pair for pair in self._kept if id(pair[0]) in own], []
        given = [one.grad for one, _ in kept if one.grad is not None]
        if not kept or len(given) < len(kept):
            return
        cosine = _cosine(given, [slope for _, slope in kept])
        if cosine is None:
            return
        self._looked += 1
        self._opposite += cosine < OPPOSITE
        if self._opposite == self._looked == LEAST:
            text = (
                f"the optimizer is given the opposite of the loss's gradient in {LEAST} steps of {LEAST}, their cosine"
                f" is {cosine:.3g}"
            )
            self._tell([Event(self._step, "gradient-sign-flipped", f"{where_in_script() or 'step'}: {text}")])

    def stepped(self) -> None:
        """A step was taken."""
        self._step += 1


def _cosine(first: Sequence[Tensor], second: Sequence[Tensor]) -> float | None:
    """Of two lists of tensors as one vector each; None where one has no length."""
    product = float(sum((one.double() * other.double()).sum() for one, other in zip(first, second, strict=True)))
    lengths = [float(sum(one.double().square().sum() for one in found)) ** 0.5 for found in (first, second)]
    return product / (lengths[0] * lengths[1]) if all(0 < length < float("inf") for length in lengths) else None
