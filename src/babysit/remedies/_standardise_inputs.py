"""`standardise-inputs`: each feature with mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterable

from babysit.record import Trace
from babysit.remedies._input_scaling import STATISTICS, InputScaling


class StandardiseInputs(InputScaling):
    """Each feature with mean 0 and standard deviation 1."""

    name = "standardise-inputs"
    summary = "subtract each feature's mean and divide by its standard deviation, from the training rows"
    how = "standardise"
    settings = ("preprocessing.numbers=standardise", "preprocessing.images=channel-mean-std")
    advice = f"before the training loop: inputs = (inputs - inputs_train.mean(0)) / inputs_train.std(0), {STATISTICS}"
    for_tiny_batch = (3, None)

    def for_any_training(self, trace: Trace) -> Iterable[tuple[int, str | None]]:
        """First of all."""
        return ((1, None),)
