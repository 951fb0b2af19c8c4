"""Gradients that are NaN or infinite though the loss is a number."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="gradients-not-finite",
    group="dependence",
    severity="sick",
    seen_as="Before a step, some gradients are NaN or infinite, while the loss is finite.",
    threshold="One gradient that is not finite, under a finite loss.",
    source=(
        "Arithmetic: one such step makes every weight it reaches NaN. The derivative of a square root, a norm, a"
        " logarithm or a quotient has a pole at zero; a public project had this fault (siamese-triplet issue 18)."
    ),
    why=(
        "The step makes weights NaN, and nothing can be learned after it. Add a small number under the root, the"
        " logarithm or the quotient: `(x + 1e-9).sqrt()`."
    ),
    remedies=(),
    explained_by=("inputs-not-finite", "targets-not-finite"),
    reads=("event:gradients-not-finite",),
    find=find,
)
