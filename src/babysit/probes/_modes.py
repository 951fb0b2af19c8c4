"""In which mode a network's passes are made, where it makes a difference: batch norm and dropout have two."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd


class Modes:
    """Counts passes made in the other mode than they should be.

    Attributes:
        matter: Whether anything in the network behaves differently in training and in evaluation.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
        >>> modes = Modes(net)
        >>> modes.trained(net)
        >>> modes.trained(net.eval())
        >>> modes.matter, modes.counts()
        (True, {'evaluation-mode-share': 0.5, 'training-mode-evaluations': 0})
    """

    def __init__(self, network: nn.Module) -> None:
        self.matter = any(isinstance(module, _BatchNorm | _DropoutNd) for module in network.modules())
        self._trained = self._trained_in_evaluation_mode = self._evaluated_in_training_mode = 0

    def trained(self, module: nn.Module) -> None:
        """A pass with gradients."""
        self._trained += 1
        self._trained_in_evaluation_mode += not module.training

    def evaluated(self, module: nn.Module) -> None:
        """A pass without gradients."""
        self._evaluated_in_training_mode += module.training

    def counts(self) -> dict[str, float]:
        """Of all passes until now; nothing where modes make no difference."""
        if not self.matter:
            return {}
        return {
            "evaluation-mode-share": self._trained_in_evaluation_mode / max(1, self._trained),
            "training-mode-evaluations": self._evaluated_in_training_mode,
        }
