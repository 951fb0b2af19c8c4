"""The same rows evaluated twice: whether their answers are the same, and what is drawn at random where they are not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from babysit.probes import first_tensor
from babysit.rehearsal._noise_followed import Source, drawn_by
from babysit.rehearsal._restore import random_streams_restored

DIFFERS = 0.01  # of the spread of answers: the order in which numbers are summed changes some 1e-6 of it
ON_PURPOSE = 3  # passes of the same rows in one evaluation, from which on they are samples that are averaged
LABELS = frozenset("cross-entropy nll bce bce-with-logits".split())


class EvaluatedTwice:
    """Repeats the first pass of a script's evaluation, on a copy of the network.

    A finding is held back until the evaluation is over: whoever evaluates the same rows again and again draws samples
    on purpose.

    Args:
        tell: Where events go: name, what was seen, line.
    """

    def __init__(self, tell: Callable[[str, str, str], None]) -> None:
        self._tell = tell
        self._done = False
        self._labels = False  # whether rows have one label each
        self._rows: Tensor | None = None
        self._passes = 0
        self._found: tuple[str, str] | None = None

    def loss_computed(self, name: str, targets: Tensor) -> None:
        """A loss function was called in training."""
        self._labels = name in LABELS and targets.numel() == len(targets) if targets.ndim else False

    def evaluates(self, module: nn.Module, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        """A pass without gradients is about to begin."""
        entered = first_tensor([arguments, options])
        if self._rows is not None and entered is not None and entered.shape == self._rows.shape:
            self._passes += bool(torch.equal(entered, self._rows))
        if self._done or module.training or entered is None or entered.ndim < 2 or len(entered) < 2:
            return
        self._done = True
        # Someone has switched single layers back to training mode, and knows why.
        if any(isinstance(one, _DropoutNd) and one.training for one in module.modules()):
            return
        if ON_PURPOSE * len(torch.unique(entered, dim=0)) <= len(entered):
            return  # each row stands there again and again
        self._rows, self._passes = entered.detach().clone(), 1
        self._found = self._repeated(module, arguments, options)

    def over(self) -> None:
        """The evaluation is over."""
        found, self._found = self._found, None
        if self._passes < ON_PURPOSE and found is not None:
            self._tell("evaluation-not-repeatable", *found)
        self._rows = None

    def _repeated(
        self, module: nn.Module, arguments: tuple[Any, ...], options: Mapping[str, Any]
    ) -> tuple[str, str] | None:
        with random_streams_restored():
            network = copy.deepcopy(module)
            first, noise = drawn_by(network, *arguments, **options)
            second, _ = drawn_by(network, *arguments, **options)
        one, other = first_tensor(first), first_tensor(second)
        if one is None or other is None or one.shape != other.shape or not one.is_floating_point():
            return None
        away = float((one - other).detach().abs().mean()) / max(float(one.detach().float().std()), 1e-30)
        told: dict[Source, str] = {"dropout": "dropout", "mask": "a random mask", "noise": "random noise"}
        known = [name for name in told if name in noise.sources and (name == "dropout" or self._labels)]
        if away < DIFFERS or not known:
            return None
        text = (
            f"the same {len(one)} rows evaluated twice, after eval(), have answers that differ by {away:.2f} of their"
            f" spread (limit {DIFFERS:g}): {told[known[0]]} is still on"
        )
        return text, noise.sources[known[0]]
