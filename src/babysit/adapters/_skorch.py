"""skorch: a callback for its networks.

What it sees: what `babysit run` sees, from the first step of `fit` to the last.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

from babysit.adapters._fit_watch import BabysitCallback, missing


class SkorchCallback(BabysitCallback):
    """Watches what skorch trains: `NeuralNetClassifier(..., callbacks=[SkorchCallback()])`.

    Its arguments are those of all callbacks of babysit; see `docs/frameworks.md`. Copies that scikit-learn makes,
    as for a grid search, watch their own training each.
    """

    framework = "skorch"

    @staticmethod
    def bases() -> tuple[type, ...]:
        """Its `Callback`."""
        try:
            from skorch.callbacks import Callback
        except ModuleNotFoundError as error:
            if error.name != "skorch":
                raise
            raise missing("skorch", "skorch") from None
        return (Callback,)

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:  # noqa: N803  skorch's names
        """The training begins."""
        fit = self._new_fit()
        if self.preflight:
            rows = net.get_iterator(net.get_dataset(X, y), training=True)
            fit.check(net.module_, rows, net.optimizer_, step=lambda network, batch: _loss(net, batch))
        optimizers = [one for name in net._optimizers if isinstance(one := getattr(net, f"{name}_"), Optimizer)]
        parts = {name.rstrip("_"): getattr(net, f"{name.rstrip('_')}_") for name in net._modules}
        fit.begin(net.module_ if len(parts) == 1 else nn.ModuleDict(parts), optimizers)

    def on_batch_end(self, net: Any, batch: Any = None, training: bool | None = None, **_: Any) -> None:
        """Stop where that is asked for, in the way that skorch has for it."""
        if training and self.stopped:
            raise KeyboardInterrupt

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:  # noqa: N803
        """The training is over."""
        self._end_fit()


def _loss(net: Any, batch: Any) -> Any:
    rows, targets = batch
    return net.get_loss(net.infer(rows), targets, X=rows, training=True)
