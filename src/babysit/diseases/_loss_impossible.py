"""A loss with a value, or with targets, that it cannot have."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="loss-impossible",
    group="dependence",
    severity="sick",
    seen_as="A likelihood is above one, or the targets of a CTC loss hold the blank.",
    threshold="One blank among the labels that `ctc_loss` counts, or a `ctc_loss` or `nll_loss` below -0.001.",
    source=(
        "Arithmetic: the logarithm of a probability is never above zero. The blank stands between labels and is"
        " never one (Graves et al. 2006); a question of PyTorch's forum had this fault (75181)."
    ),
    why=(
        "Making such a loss smaller is not the same as making the answers better. Give the loss the arguments that"
        " its documentation asks for: log-probabilities, and lengths without padding."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:loss-impossible",),
    find=find,
)
