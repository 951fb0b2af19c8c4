"""Weights that the output shares with an embedding, and that are too large for it."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="tied-weights-badly-scaled",
    group="dependence",
    severity="warning",
    seen_as="The first logits of a model whose output shares its weights with the embedding are far too large.",
    threshold="A standard deviation of the first logits above 3, from a weight that is an embedding's.",
    source=(
        "Arithmetic: logits of deviation s cost about s squared over two more than even answers. "
        "`nn.Embedding` draws from a standard normal; GPT-2 takes 0.02 (Radford et al. 2019)."
    ),
    why=(
        "The first loss is many times that of even answers, and the first steps undo the weights. Draw the "
        "shared weight with a deviation of 1 / sqrt(units), and multiply the embedding by sqrt(units) where "
        "it should be of size one."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:tied-weights-badly-scaled",),
    find=find,
)
