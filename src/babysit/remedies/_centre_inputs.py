"""`centre-inputs`: each feature's mean subtracted."""

from __future__ import annotations

from babysit.remedies._input_scaling import STATISTICS, InputScaling


class CentreInputs(InputScaling):
    """Each feature's mean subtracted."""

    name = "centre-inputs"
    summary = "subtract each feature's mean, taken from the training rows"
    how = "centre"
    searched = False
    settings = ("preprocessing.numbers=centre", "preprocessing.images=channel-mean")
    advice = f"before the training loop: inputs = inputs - inputs_train.mean(0), {STATISTICS}"
