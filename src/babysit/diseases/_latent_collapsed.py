"""Latent units that no longer tell rows apart."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="latent-collapsed",
    group="dependence",
    severity="sick",
    seen_as="Every unit of a sampled latent has the same mean for all rows, and its penalty is close to zero.",
    threshold=(
        "In each of the last three looks, at 150 steps or later, no unit's mean has a variance over rows above"
        " 0.01, and the divergence from a standard normal is below 0.05 nats a unit."
    ),
    source=(
        "Burda, Grosse and Salakhutdinov 2016 (arXiv:1509.00519), section 4, call a unit active above 0.01. A"
        " public project had this fault (GNTPP issue 4)."
    ),
    why=(
        "The decoder gets noise alone and answers the mean of all rows. The penalty outweighs the "
        "reconstruction: sum both over the same axes and take the mean over rows, or raise the penalty's "
        "weight slowly."
    ),
    remedies=(),
    explained_by=("inputs-constant", "parameters-frozen"),
    reads=("event:latent-collapsed",),
    find=find,
)
