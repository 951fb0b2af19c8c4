"""`bias-prior`: output biases that start at what the targets are on average.

The loss before the first step is then that of a constant answer. Lin et al. 2017 (focal loss, arXiv:1708.02002, section
3.3) start the bias of a rare class at the logit of its share.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from babysit.probes import listen, stop_listening
from babysit.record import Remedy, losses_that
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._at_network import BeforeTraining
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._state import RehearsalState

BATCHES = 32  # that the targets are counted over
LEAST_SHARE = 1e-4  # of a class that was not seen among them


class BiasPrior(RemedyKind):
    """Output biases that start at what the targets are on average."""

    name = "bias-prior"
    summary = "start the output biases at what the targets are on average"
    advice = (
        "once the network is made, in its last layer: with torch.no_grad(): bias.copy_(the average of targets_train)"
    )
    place = "network"
    unmet = "no loss function of PyTorch was called"
    not_source = "where the last layer is made is not certain"

    def live(self, remedy: Remedy, state: RehearsalState, application: Application) -> None:
        """From the targets of the first batches."""
        heard = _Heard()
        listen(heard)
        try:
            for batch in state.first_batches(BATCHES):
                state.loss_of(state.network, batch)
        finally:
            stop_listening(heard)
        if not heard.targets:
            application.fail("no loss function of PyTorch was called")
        targets = torch.cat([one.flatten(1) if one.ndim > 1 else one for one in heard.targets])
        _set(state.network, heard.name, heard.outputs[0], targets, application)

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """From the targets of the first batch, before its backward pass."""

        def begin(training: BeforeTraining, application: Application) -> None:
            applied.loss.hear_first(
                lambda name, outputs, targets: _set(training.network, name, outputs, targets, application)
            )

        applied.network.at_start(begin, application)
        applied.loss.hear_first(lambda *_: None)


@dataclass
class _Heard:
    """Keeps what enters a loss function."""

    name: str = ""
    outputs: list[Tensor] = field(default_factory=list)
    targets: list[Tensor] = field(default_factory=list)

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None, reduction: str) -> None:
        if not self.name or name == self.name:
            self.name = name
            self.outputs.append(outputs.detach())
            self.targets.append(targets.detach())

    def loss_evaluated(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """No gradient flows back from it: it is not a loss to train on."""

    def backward_begins(self, loss: Tensor, scale: float | Tensor) -> None:
        """Nobody calls it here."""


def _set(network: nn.Module, name: str, outputs: Tensor, targets: Tensor, application: Application) -> None:
    linear = [module for module in network.modules() if isinstance(module, nn.Linear) and module.bias is not None]
    if not linear:
        application.fail("the network has no linear layer with biases")
    bias, prior = linear[-1].bias, _prior(name, targets, outputs)
    if prior is None:
        application.fail(f"the loss {name} does not tell which constant answer costs least")
    if prior.shape != bias.shape:
        application.fail(f"the last linear layer has {len(bias)} outputs, and a constant answer {prior.numel()}")
    with torch.no_grad():
        bias.copy_(prior)
    application.took_hold()


@torch.no_grad()
def _prior(name: str, targets: Tensor, outputs: Tensor) -> Tensor | None:
    """The constant answer that costs least."""
    if name == "cross-entropy" and not targets.is_floating_point() and outputs.ndim > 1:
        counts = torch.bincount(targets[targets >= 0].flatten(), minlength=outputs.shape[1]).float()
        return (counts / counts.sum()).clamp_min(LEAST_SHARE).log()
    values = targets.float().reshape(len(targets), -1)
    if name == "bce-with-logits":
        return torch.logit(values.mean(0).clamp(LEAST_SHARE, 1 - LEAST_SHARE))
    return values.mean(0) if name in losses_that(distance=True) else None
