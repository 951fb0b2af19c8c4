"""An answer that does not depend on what it should: it is read where there is only padding."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="inputs-ignored",
    group="dependence",
    severity="sick",
    seen_as="The answer to a row hardly depends on its own tokens, and it does depend on the padding after them.",
    threshold=(
        "Of rows with five tokens of padding or more at the end, the median share of the answer's gradient on"
        " tokens that are not padding is below 5 %."
    ),
    source=(
        "Measured by the gradient with respect to the tokens' embeddings. A recurrent layer forgets what lies far"
        " behind; a public tutorial had this fault (practical-torchtext issue 5)."
    ),
    why=(
        "Rows shorter than the longest row of their batch get nearly the same answer, whatever they are. Read each"
        " row's output at its own last token, or pack the sequences."
    ),
    remedies=(),
    explained_by=(),
    reads=("event:inputs-ignored",),
    find=find,
    alone=True,
)
