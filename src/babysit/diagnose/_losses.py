"""What is known of the losses that facts name."""

from __future__ import annotations

SQUARED_OR_ABSOLUTE = frozenset({"mse", "l1", "smooth-l1", "huber"})
ELEMENTWISE = SQUARED_OR_ABSOLUTE | {"bce", "bce-with-logits", "gaussian-nll", "poisson-nll"}
# Never below zero, whatever enters them, as long as targets are what they should be.
NEVER_NEGATIVE = SQUARED_OR_ABSOLUTE | {"cross-entropy", "bce", "bce-with-logits", "hinge"}
