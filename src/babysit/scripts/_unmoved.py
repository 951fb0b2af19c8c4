"""Whether weights that no optimizer has are changed at all."""

from __future__ import annotations

import torch
from torch import nn

LEAST_BACKWARDS = 3  # passes after which weights that are changed by hand would have moved


class Unmoved:
    """Remembers a network's first weights.

    Args:
        network: Trained without an optimizer.

    Example:
        >>> net = nn.Linear(2, 1)
        >>> unmoved = Unmoved(net)
        >>> unmoved.after(9)
        True
        >>> _ = nn.init.zeros_(net.weight)
        >>> unmoved.after(9)
        False
    """

    def __init__(self, network: nn.Module) -> None:
        self._first = [(one, one.detach().clone()) for one in network.parameters() if one.requires_grad]

    def after(self, backwards: int) -> bool:
        """Whether every weight is what it was, after enough backward passes to tell."""
        return backwards >= LEAST_BACKWARDS and all(torch.equal(one.detach(), first) for one, first in self._first)
