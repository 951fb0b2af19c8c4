"""Networks that are meant to follow the trained one, as targets or averages, and never change."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from babysit.record import Event
from babysit.remedies import Replacements
from babysit.scripts._networks_seen import name_of

LEAST_STEPS = 10  # in which the weights are gone through after the backward pass, as one does who changes them


class _Reads:
    """Of one module: in which steps its weights were gone through, and what they were at first."""

    def __init__(self, module: nn.Module, network: nn.Module) -> None:
        self.steps: set[int] = set()
        self.first = [one.detach().clone() for one in module.parameters()]
        self.of_network = [one.detach().clone() for one in network.parameters()]


class FollowersSeen:
    """Sees which modules' weights a script goes through in the place where averages are taken: after each step.

    A network that is frozen on purpose is not gone through there, nor is one that is updated now and then.

    Args:
        step: The step under way.
    """

    def __init__(self, step: Callable[[], int]) -> None:
        self._now = step
        self._network: nn.Module | None = None
        self._counts: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()
        self._reads: dict[nn.Module, _Reads] = {}  # which keeps them alive until the training is over
        self._after_backward = self._busy = False

    def install(self, replaced: Replacements) -> None:
        """Before the script's first line."""
        replaced.put(nn.Module, "named_parameters", self._going_through)

    def begin(self, network: nn.Module) -> None:
        """Which network is trained is known now."""
        self._network = network

    def passes(self) -> None:
        """A training pass begins."""
        self._after_backward = False

    def backward_ended(self) -> None:
        """A backward pass is over."""
        self._after_backward = True

    def _going_through(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def named_parameters(module: nn.Module, *arguments: Any, **options: Any) -> Iterator[tuple[str, Tensor]]:
            found = original(module, *arguments, **options)
            if not self._after_backward or self._busy or self._network is None:
                return found  # type: ignore[no-any-return]
            return self._counted(original, module, found)

        return named_parameters

    def _counted(
        self, original: Callable[..., Any], module: nn.Module, found: Iterator[tuple[str, Tensor]]
    ) -> Iterator[tuple[str, Tensor]]:
        if module not in self._counts:
            self._counts[module] = sum(1 for _ in original(module))
        for count, item in enumerate(found, 1):
            if count == self._counts[module]:  # who goes through two at once leaves the longer one unfinished
                self.read(module)
            yield item

    def read(self, module: nn.Module) -> None:
        """All weights of a module were gone through, or its state was asked for."""
        network = self._network
        if network is None or not self._after_backward or self._busy:
            return
        self._busy = True
        try:
            if module not in self._reads:
                if any(one is module for one in network.modules()) or not _alike(module, network):
                    return
                self._reads[module] = _Reads(module, network)
            self._reads[module].steps.add(self._now())
        finally:
            self._busy = False

    def end(self) -> list[Event]:
        """The training is over. Returns what there is to tell."""
        network, found = self._network, []
        self._busy = True
        for module, reads in list(self._reads.items()):
            if len(reads.steps) < LEAST_STEPS or network is None:
                continue
            stays = _equal(module, reads.first)
            if stays and not _equal(network, reads.of_network):
                text = (
                    f"{name_of(module)}: its weights are gone through in {len(reads.steps)} steps, after the backward"
                    f" pass, and not one of them has changed; those of {name_of(network)} have"
                )
                found.append(Event(max(reads.steps), "network-never-updated", text, name_of(module)))
        return found


def _alike(module: nn.Module, network: nn.Module) -> bool:
    wanted = [tuple(one.shape) for one in module.parameters()]
    return bool(wanted) and any([tuple(one.shape) for one in part.parameters()] == wanted for part in network.modules())


def _equal(module: nn.Module, values: list[Tensor]) -> bool:
    own = list(module.parameters())
    return len(own) == len(values) and all(
        one.shape == value.shape and bool(torch.equal(one.detach(), value))
        for one, value in zip(own, values, strict=True)
    )
