"""`dropout`: another share of dropped activations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from babysit.record import Remedy, Trace
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._at_network import BeforeTraining
from babysit.remedies._remedy_kind import RemedyKind
from babysit.remedies._values import Number

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class Dropout(RemedyKind):
    """Another share of dropped activations."""

    name = "dropout"
    summary = "another dropout: dropout=0"
    values = Number("0", "0.2", least=0, below=1, of="a share from 0 to below 1")
    settings = ("model.dropout={value}",)
    too_strong = "dropout-too-high"
    searched = True
    advice = "in the network: nn.Dropout({value}) wherever it has one"
    place = "network"
    unmet = "no network was trained"
    held_in = frozenset({"network"})

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """Without dropout, where there is some."""
        return ((16, self.off),) if self.in_use(trace) else ()

    def in_use(self, trace: Trace, network: nn.Module | None = None) -> bool:
        """Whether a layer drops."""
        if network is None:
            return any(layer.kind == "dropout" for layer in trace.layers)
        return any(getattr(module, attribute) > 0 for module, attribute in _dropping(network))

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Set every layer that drops, before the first step."""
        share = self.values.number(remedy)

        def begin(training: BeforeTraining, application: Application) -> None:
            found = list(_dropping(training.network))
            # To drop nothing where nothing drops is what was asked for.
            if not found and share:
                application.fail("the network has no dropout")
            for module, attribute in found:
                training.hooks.at_the_end(setattr, module, attribute, getattr(module, attribute))
                setattr(module, attribute, share)
            application.took_hold()

        applied.network.at_start(begin, application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Another share where the layers are made."""
        from babysit.remedies.source import write_dropout

        return write_dropout(edits, self.values.of(remedy))


def _dropping(network: nn.Module) -> Iterable[tuple[nn.Module, str]]:
    """Modules that drop, and the attribute that says how much."""
    for module in network.modules():
        if isinstance(module, _DropoutNd):
            yield module, "p"
        elif isinstance(module, nn.MultiheadAttention) or (isinstance(module, nn.RNNBase) and module.num_layers > 1):
            yield module, "dropout"
