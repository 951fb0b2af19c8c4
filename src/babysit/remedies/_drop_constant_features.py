"""`drop-constant-features`: features without variance left out."""

from __future__ import annotations

from babysit.record import Remedy, Trace
from babysit.remedies._input_scaling import InputScaling


class DropConstantFeatures(InputScaling):
    """Features without variance left out: they enter the network as 0."""

    name = "drop-constant-features"
    summary = "leave out features without variance"
    how = "varying"
    searched = False
    advice = "before the training loop: inputs = inputs[:, inputs_train.std(0) > 0], for the other rows, too"
    unmet = "every feature of the inputs varies"
    not_recipe = "the preprocessing of a recipe leaves out columns without variance already"

    def worth_trying(self, remedy: Remedy, trace: Trace, finding: str) -> list[Remedy]:
        """Never: a feature that does not vary costs time and changes no answer that a bias could not give."""
        return []
