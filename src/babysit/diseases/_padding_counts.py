"""Padding that the loss or the answers depend on."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    """Padding that attention, recurrent layers or the loss count; a mean over rows of one length is a warning."""
    return told_by_event(DISEASE, trace) or told_by_event(DISEASE, trace, "padding-averaged", "warning")


DISEASE = Disease(
    name="padding-counts",
    group="dependence",
    severity="sick",
    seen_as=(
        "The loss counts the positions behind the ends of rows, or a row gets another answer without its padding."
    ),
    threshold=(
        "At least 30 % of the positions that the loss counts lie behind the ends of rows and have one target. Or, in"
        " evaluation mode, the answers to rows with twelve positions of padding or more change by at least 0.02 of the"
        " spread of answers when six are left of them (median of 4 to 8 rows): a warning where rows are only averaged,"
        " all batches are equally wide, and neither attention nor a recurrent layer reads the padding."
    ),
    source=(
        "Measured on untrained networks, by asking a copy for single rows with less padding. Masked and packed ones,"
        " and convolutions with a maximum over time, change by 1e-6 at most; attention without a mask by 0.04 to 0.6, a"
        " recurrent layer that is read at its last position by 0.43, a mean over all positions by 0.5 to 1."
    ),
    why=(
        "The network learns about padding instead of rows, and answers to the same row differ with the "
        "longest row of its batch. Mask padded positions in attention and means, and leave their targets out "
        "of the loss with `ignore_index`."
    ),
    remedies=(),
    explained_by=("inputs-ignored", "outputs-identical"),
    reads=("event:padding-counts", "event:padding-averaged"),
    find=find,
)
