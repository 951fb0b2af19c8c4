"""Activations that grow from layer to layer at the first step."""

from __future__ import annotations

from babysit.diseases._depth import activations_at_the_start, scheme_for
from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LEARNED, loss_left, severity_by_outcome
from babysit.record import Finding, Severity, Trace

DEEPEST = 2  # of the last ones the smaller counts, where there are enough of them
ENOUGH = 4
# Residual blocks without normalisation grow by design: ten with He weights, each of which doubles the variance, 20-fold
# (measured, and the first loss is 187). Growth of 300 and more is not a design.
GROWN, EXPLODED = 30.0, 300.0
LARGE = 10.0  # a std that is no larger does no harm, however small it began


def find(trace: Trace) -> list[Finding]:
    """Compare the deepest hidden layers with the first one."""
    profile = activations_at_the_start(trace)
    if len(profile) < 2 or profile[0].value <= 0:
        return []
    first = profile[0]
    deepest = profile[-DEEPEST:] if len(profile) >= ENOUGH else profile[-1:]
    last = min(deepest, key=lambda point: point.value)
    growth = last.value / first.value
    if growth < GROWN or last.value < LARGE:
        return []
    severity: Severity = "sick" if growth >= EXPLODED else "warning"
    evidence = {
        "first layer": first.layer,
        "its std over rows": first.value,
        "deep layer": last.layer,
        "std over rows there": last.value,
        "growth": growth,
        "growth per layer": growth ** (1 / (len(profile) - 1)),
        "threshold": EXPLODED if growth >= EXPLODED else GROWN,
        "hidden layers": len(profile),
    }
    share = loss_left(trace)
    if share is not None:
        evidence["loss left"] = share
    remedies = (f"initialise={scheme_for(trace)}", "insert-batch-norm")
    return [
        DISEASE.finding(last.layer, evidence=evidence, severity=severity_by_outcome(trace, severity), remedies=remedies)
    ]


DISEASE = Disease(
    name="activations-explode",
    group="set-up",
    severity="sick",
    seen_as="At the first step, the outputs of the layers grow from layer to layer by orders of magnitude.",
    threshold=(
        f"Standard deviation over rows of the deepest hidden layers (the smaller of the last two of {ENOUGH} and more)"
        f" over that of the first: from {GROWN:g} a warning, from {EXPLODED:g} sick, where it is {LARGE:g} at least;"
        " one step milder where the loss is below half of a constant answer's. Behind a normalisation, what leaves it."
    ),
    source=(
        "He et al. 2015, arXiv:1502.01852, equation 14: the variance is multiplied by n Var(w) / 2 a ReLU layer;"
        " weights of std 1 over 500 inputs multiply the std by 16. Measured on digits and small synthetic tasks, where"
        " this line was set too: 130 trainings that learn grow 1.2-fold at most, ten residual blocks 20-fold; eight"
        " layers of 256 with std 0.5 grow 17000-fold and start at a loss of 1e7, five with std 1 grow 900-fold and"
        " become NaN. The doubling of residual blocks: Zhang et al. 2019 (Fixup), arXiv:1901.09321."
    ),
    why=(
        "The outputs of the deep layers are far too large at the start, so the first loss and the first step are"
        " huge. The training then becomes NaN, or the network gives wild answers for new rows."
    ),
    remedies=("initialise=he", "insert-batch-norm"),
    explained_by=("evaluation-mode-in-training",),
    reads=("activation-std", "batch-rows", "row-spread", *READS_LEARNED),
    find=find,
)
