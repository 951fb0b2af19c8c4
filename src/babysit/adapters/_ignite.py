"""Ignite: a handler for the engine that trains.

What it sees: what `babysit run` sees, from the engine's start to its end.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

from babysit.adapters._fit_watch import BabysitCallback, missing
from babysit.record import InputError


class IgniteHandler(BabysitCallback):
    """Watches what an Ignite engine trains: `IgniteHandler(model, optimizer).attach(trainer)`.

    Its other arguments are those of all callbacks of babysit, without `preflight`; see `docs/frameworks.md`.

    Args:
        network: What is trained.
        optimizer: What steps it; several in a list.
        **settings: As for all callbacks.
    """

    framework = "Ignite"

    def __init__(self, network: nn.Module, optimizer: Optimizer | list[Optimizer], **settings: Any) -> None:
        super().__init__(**settings)
        if self.preflight:
            raise InputError(
                "an engine's step does not say what its loss is",
                write="babysit.check(model, loss, loader, optimizer) before trainer.run",
            )
        self._network = network
        self._optimizers = [optimizer] if isinstance(optimizer, Optimizer) else optimizer

    def attach(self, engine: Any) -> None:
        """Watch what this engine trains.

        Raises:
            MissingExtraError: Ignite is not installed.
        """
        try:
            from ignite.engine import Events
        except ModuleNotFoundError as error:
            if error.name != "ignite":
                raise
            raise missing("Ignite", "ignite") from None
        engine.add_event_handler(Events.STARTED, self._began)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._stepped)
        engine.add_event_handler(Events.COMPLETED, self._ended)

    def _began(self, engine: Any) -> None:
        self._new_fit().begin(self._network, self._optimizers)

    def _stepped(self, engine: Any) -> None:
        if self.stopped:
            engine.terminate()

    def _ended(self, engine: Any) -> None:
        self._end_fit()
