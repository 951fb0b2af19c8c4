"""Keras 3 on PyTorch: a callback for `fit`.

What it sees: losses, inputs, weights and gradients of the whole network. Keras calls its layers and steps its weights
by itself, so that layers and rates are not seen, and a pre-flight is not possible.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any

from torch import nn

from babysit.adapters._fit_watch import BabysitCallback, missing
from babysit.record import InputError


class KerasCallback(BabysitCallback):
    """Watches what Keras trains on PyTorch: `model.fit(..., callbacks=[KerasCallback()])`.

    Its arguments are those of all callbacks of babysit, without `preflight`; see `docs/frameworks.md`.
    """

    framework = "Keras"

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if self.preflight:
            raise InputError(
                "Keras has optimizers of its own, and a pre-flight of live objects needs one of torch.optim",
                write="babysit check train.py, which checks a script that trains with Keras",
            )

    @staticmethod
    def bases() -> tuple[type, ...]:
        """Its `Callback`.

        Raises:
            InputError: Keras computes with something else than PyTorch.
        """
        try:
            import keras
        except ModuleNotFoundError as error:
            if error.name != "keras":
                raise
            raise missing("Keras", "keras") from None
        if keras.backend.backend() != "torch":
            raise InputError(
                f"Keras computes with {keras.backend.backend()}, and babysit sees PyTorch alone",
                write="KERAS_BACKEND=torch, before Keras is imported",
            )
        return (keras.callbacks.Callback,)

    def on_train_begin(self, logs: Any = None) -> None:
        """The training begins."""
        fit = self._new_fit()
        model: Any = self.model  # type: ignore[attr-defined]
        fit.begin(_variables(model), [], lower=lambda factor: _lower(model.optimizer, factor))
        # Where `fit` raises, Keras calls no `on_train_end`: its list of callbacks is let go then.
        weakref.finalize(sys._getframe(1).f_locals.get("self", fit), fit.end, finished=False)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step was taken; stop where that is asked for."""
        if self.fit_ is not None:
            self.fit_.step_taken()
        if self.stopped:
            self.model.stop_training = True  # type: ignore[attr-defined]

    def on_train_end(self, logs: Any = None) -> None:
        """The training is over."""
        self._end_fit()


def _variables(model: Any) -> nn.Module:
    """The tensors behind a model's and its optimizer's variables, as a module that a guard can keep."""
    held = nn.Module()
    named = {id(one): one for one in (*model.variables, *model.optimizer.variables)}
    for number, variable in enumerate(named.values()):
        if variable is not getattr(model.optimizer, "_learning_rate", None):
            held.register_buffer(f"variable{number}", variable.value.detach())
    return held


def _lower(optimizer: Any, factor: float) -> None:
    optimizer.learning_rate = float(optimizer.learning_rate) * factor
