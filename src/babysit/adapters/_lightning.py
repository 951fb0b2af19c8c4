"""Lightning: a callback for its Trainer, under either of its names.

What it sees: what `babysit run` sees, from the first training step to the last: layers, gradients, updates, losses,
data, evaluations. Not the sanity check before.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from babysit.adapters._fit_watch import BabysitCallback, missing
from babysit.record import InputError
from babysit.training import GUARD_MODES, GuardMode

NAMES = ("lightning.pytorch", "pytorch_lightning")
SWITCH = "BABYSIT_LIGHTNING"
OFF = ("", "0", "off", "false", "no")


class LightningCallback(BabysitCallback):
    """Watches what a Lightning Trainer trains: `Trainer(callbacks=[LightningCallback()])`.

    Its arguments are those of all callbacks of babysit; see `docs/frameworks.md`. It is a callback of `lightning` and
    of `pytorch_lightning`, whichever of them a program has imported; of both where it has both.
    """

    framework = "Lightning"

    @staticmethod
    def bases() -> tuple[type, ...]:
        """`Callback` of the Lightning that is in use."""
        loaded = [sys.modules[name] for name in NAMES if name in sys.modules]
        for name in NAMES:
            if loaded:
                break
            try:
                loaded = [importlib.import_module(name)]
            except ModuleNotFoundError as error:
                if error.name not in (name, name.partition(".")[0]):
                    raise
        if not loaded:
            raise missing("Lightning", "lightning")
        return tuple(dict.fromkeys(module.Callback for module in loaded))

    def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """The training begins: pre-flight and sanity check are before it."""
        fit = self._new_fit()
        if self.preflight:
            _refuse_by_hand(pl_module)
            with _says_nothing(pl_module):
                fit.check(_Stepping(trainer, pl_module), trainer.train_dataloader, trainer.optimizers[0], step=_loss)
        fit.begin(pl_module, trainer.optimizers, together=trainer.world_size > 1)

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Stop where that is asked for."""
        if self.stopped:
            trainer.should_stop = True

    def on_train_end(self, *_: Any) -> None:
        """The training is over."""
        self._end_fit()

    def on_exception(self, *_: Any) -> None:
        """It ended by an error."""
        self._end_fit(finished=False)


class _Stepping(nn.Module):
    """A module whose pass is a training step where it is given a batch, and its own where it is not."""

    def __init__(self, trainer: Any, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._to_device = trainer.strategy.batch_to_device

    def forward(self, *inputs: Any, batch: Any = None) -> Any:
        if batch is None:
            return self.module(*inputs)
        given = self.module.training_step(self._to_device(batch), 0)  # type: ignore[operator]
        loss = given["loss"] if isinstance(given, Mapping) else given
        if not isinstance(loss, Tensor):
            raise InputError(f"training_step gives a {type(loss).__name__}", legal="a loss, or a dict with one")
        return loss


def _loss(network: nn.Module, batch: Any) -> Tensor:
    loss: Tensor = network(batch=batch)
    return loss


@contextmanager
def _says_nothing(module: nn.Module) -> Iterator[None]:
    """What a training step logs in a rehearsal is nobody's: Lightning takes it in its own steps alone."""
    names = {"log", "log_dict"} - vars(module).keys()
    for name in names:
        vars(module)[name] = lambda *_, **__: None
    try:
        yield
    finally:
        for name in names:
            vars(module).pop(name, None)


def _refuse_by_hand(module: Any) -> None:
    if not module.automatic_optimization:
        raise InputError(
            "a module that optimises by hand has no training step that could be rehearsed",
            write="babysit check train.py, or preflight=False",
        )


def lightning_factory() -> list[Any]:
    """What Lightning's entry point asks for: with `BABYSIT_LIGHTNING=1` every Trainer is watched, with no code at all.

    `BABYSIT_LIGHTNING=stop` and `rollback` switch the guard on as well.
    """
    asked = os.environ.get(SWITCH, "").strip().lower()
    if asked in OFF:
        return []
    guard: GuardMode = next((mode for mode in GUARD_MODES if mode == asked), "off")
    return [LightningCallback(guard=guard)]
