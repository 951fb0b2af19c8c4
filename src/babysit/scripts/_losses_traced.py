"""A loss written by hand is a loss: what it is, what it answers to, and what other answers would cost.

In steps that are measured, the way from the network's outputs to the loss is recorded. When the backward pass begins,
the loss is recognised by its value, and told to all who listen to PyTorch's own loss functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from babysit.probes import Aside, Heard, LossProbe, LossTape, first_tensor
from babysit.record import Event, Row

Told = Callable[[str, Tensor, Tensor, Tensor | None, str], None]  # name, outputs, targets, value, reduction


class LossesTraced:
    """Records one step at a time.

    Args:
        tell: Where numbers go.
        told: Called with a loss that was recognised, as with one of PyTorch's own.

    Attributes:
        on: Whether anything is looked at.
    """

    def __init__(self, tell: Callable[[Iterable[Event | Row]], None], told: Told, *, on: bool) -> None:
        self.on = on
        self._tell, self._told = tell, told
        self._probe = LossProbe()
        self._tape: LossTape | None = None
        self._inputs: Tensor | None = None
        self._heard: Heard | None = None

    def pause(self) -> None:
        """A backward pass is about to begin: within it the record could not be taken off itself."""
        if self._tape is not None and self._tape.is_of_this_thread:
            self._tape.stop()

    def heard(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """A loss function of PyTorch was called; the first of a step counts. One that failed ends the record."""
        if value is None:
            self.stop()
        if self.on and self._heard is None:
            self._heard = Heard(name, outputs, targets)

    def pass_begins(self) -> None:
        """The network's own pass is not recorded."""
        if self._tape is not None:
            self._tape.paused = True

    def pass_ends(self, inputs: object, outputs: object, *, wanted: bool) -> None:
        """A pass of the network is over; what follows goes to the loss.

        Args:
            inputs: What it was given.
            outputs: What it gave; None where it failed.
            wanted: Whether the step is measured.
        """
        if not self.on:
            return
        if outputs is None:
            self.stop()  # no loss comes of it
            return
        try:
            with Aside():
                if not torch.is_grad_enabled():
                    return
                if self._tape is None:
                    tape = LossTape()
                    if not wanted or not tape.start():
                        return
                    self._tape, self._inputs = tape, first_tensor(inputs)
                self._tape.outputs(outputs)
                self._tape.paused = False
        except Exception as error:
            self._lost(error)

    def follow_weights(self) -> None:
        """No network is called: what is made from any weight counts, from the next step on."""
        if not self.on or self._tape is not None:
            return
        tape = LossTape()
        tape.of_weights = True
        if tape.start():
            self._tape, self._inputs = tape, None

    def stop(self) -> LossTape | None:
        """Record no more. Returns what was recorded."""
        if self._tape is None or not self._tape.is_of_this_thread:
            return None
        tape, self._tape = self._tape, None
        tape.stop()
        return tape

    def backward_begins(self, step: int, loss: Tensor, network: nn.Module | None) -> None:
        """A backward pass begins at the loss: what is known of it is told."""
        if self._tape is not None and not self._tape.is_of_this_thread:
            return  # another training, beside the one that is recorded
        heard, self._heard = self._heard, None
        inputs, self._inputs = self._inputs, None
        tape = self.stop()
        if tape is None or not tape.roots or not self.on:
            return
        try:
            weights = [] if network is None else list(network.parameters())
            # What is replayed is none of the user's to pack or to save.
            with torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is):
                seen = self._probe.see(step, tape, loss, inputs, heard, weights)
            if seen is None:
                return
            self._tell(seen.rows)
            if seen.known is not None:
                value = loss.new_tensor(seen.known.value) if seen.reduction == "mean" else None
                self._told(
                    seen.known.name, seen.known.answers.requires_grad_(), seen.known.targets, value, seen.reduction
                )
                self._heard = None
        except Exception as error:
            self._lost(error)

    def _lost(self, error: Exception) -> None:
        """An error of babysit's own: losses written by hand are not followed any more, all else is."""
        self.on = False
        self.stop()
        text = f"losses written by hand are not followed any more: {type(error).__name__}: {error}"
        self._tell([Event(0, "unseen", text, "loss")])


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor
