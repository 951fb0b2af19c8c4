"""`stop-earlier`: the weights of the best validation loss kept."""

from __future__ import annotations

from babysit.remedies._remedy_kind import RemedyKind


class StopEarlier(RemedyKind):
    """The weights of the best validation loss kept."""

    name = "stop-earlier"
    summary = "keep the weights of the best validation loss"
    advice = "after each epoch: keep a copy of model.state_dict() when the validation loss is the lowest so far"
    not_recipe = "the training of a recipe keeps the weights of the best validation loss already"
    not_live = "it is about which weights are kept at the end, and a rehearsal keeps none"
    not_script = "it is about which weights the script keeps at its end, which only its author can say"
    not_source = "where the script keeps its weights is not certain"
