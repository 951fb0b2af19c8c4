"""`scale-inputs`: inputs from 0 to 1."""

from __future__ import annotations

from babysit.remedies._input_scaling import STATISTICS, InputScaling


class ScaleInputs(InputScaling):
    """Inputs from 0 to 1."""

    name = "scale-inputs"
    summary = "scale the inputs to the range 0 to 1"
    how = "range"
    settings = ("preprocessing.numbers=scale", "preprocessing.images=scale")
    advice = (
        "before the training loop: inputs = (inputs - low) / (high - low), with low and high from"
        f" inputs_train.aminmax(dim=0), {STATISTICS}"
    )
