"""Transformers: a callback for its Trainer.

What it sees: what `babysit run` sees, from the first step to the last; losses as they are, where the Trainer's own log
replaces NaN (`logging_nan_inf_filter`). Weights and gradients that are spread over processes are not measured.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.adapters._fit_watch import BabysitCallback, missing


class TransformersCallback(BabysitCallback):
    """Watches what a Transformers Trainer trains: `Trainer(..., callbacks=[TransformersCallback()])`.

    Its arguments are those of all callbacks of babysit; see `docs/frameworks.md`.
    """

    framework = "Transformers"

    @staticmethod
    def bases() -> tuple[type, ...]:
        """Its `TrainerCallback`."""
        try:
            from transformers import TrainerCallback
        except ModuleNotFoundError as error:
            if error.name != "transformers":
                raise
            raise missing("Transformers", "transformers") from None
        return (TrainerCallback,)

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """The training begins."""
        fit = self._new_fit()
        model, optimizer = given["model"], given["optimizer"]
        if self.preflight:
            fit.check(model, given["train_dataloader"], _Rate(optimizer, given.get("lr_scheduler")).fresh, step=_loss)
        fit.begin(model, [optimizer], together=args.world_size > 1)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop where that is asked for."""
        if self.stopped:
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The training is over."""
        self._end_fit()


def _loss(network: nn.Module, batch: Any) -> Tensor:
    loss: Tensor = network(**batch)["loss"]
    return loss


class _Rate:
    """An optimizer as the training's, at its full rate: a warm-up has set it to zero by now."""

    def __init__(self, optimizer: Any, scheduler: Any) -> None:
        self._optimizer, self._scheduler = optimizer, scheduler

    def fresh(self, parameters: Any) -> Optimizer:
        inner = getattr(self._optimizer, "optimizer", self._optimizer)
        groups = [{**group, "lr": group.get("initial_lr", group["lr"])} for group in inner.param_groups]
        wanted = {id(one) for one in parameters}
        for group in groups:
            group["params"] = [one for one in group["params"] if id(one) in wanted]
        made: Optimizer = type(inner)([group for group in groups if group["params"]])
        return made
