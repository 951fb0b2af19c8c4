"""A loss that does not answer to what the network gives out, or not to which row's target is whose."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._learned import LEARNED, way_from_chance
from babysit.diseases._reading import always, latest, observed
from babysit.record import OUTPUTS, TARGETS, Finding, Trace

LEAST_STEPS = 5
UNCHANGED = 1e-6  # of the loss: rounding
PAIRED_ROWS, PAIRED = 8, 0.95  # rows that came again, and the share of them that had their own target again


def find(trace: Trace) -> list[Finding]:
    """Three signs, the surest first; one is enough."""
    return _no_gradient(trace) or _any_row(trace) or _one_sign(trace)


def _no_gradient(trace: Trace) -> list[Finding]:
    shares = observed(trace, "gradient-zero-row-share", layer=OUTPUTS).values
    if len(shares) < LEAST_STEPS or not always(shares, lambda share: share == 1):
        return []
    evidence = {
        "rows whose outputs get a gradient of zero": min(shares),
        "threshold": f"all, in {LEAST_STEPS} steps and more",
        "steps": len(shares),
    }
    return [DISEASE.finding("loss", evidence=evidence)]


def _any_row(trace: Trace) -> list[Finding]:
    """Only where rows have targets of their own: the same row comes with the same target again."""
    changes = observed(trace, "exchanged-rows-change", layer=OUTPUTS).values
    again, same = (latest(trace, name, layer=TARGETS) or 0.0 for name in ("recurring-rows", "same-target-share"))
    if len(changes) < LEAST_STEPS or not always(changes, lambda change: change <= UNCHANGED):
        return []
    if again < PAIRED_ROWS or same < PAIRED:
        return []
    evidence = {
        "largest change of the loss when the rows' outputs are exchanged": max(changes),
        "threshold": UNCHANGED,
        "steps": len(changes),
        "rows that came again with the same target": f"{same:.0%} of {again:.0f}",
    }
    return [DISEASE.finding("loss", evidence=evidence)]


def _one_sign(trace: Trace) -> list[Finding]:
    signs = observed(trace, "gradient-one-sign", layer=OUTPUTS).values
    if len(signs) < LEAST_STEPS or not always(signs, lambda sign: sign == 1):
        return []
    way = way_from_chance(trace)
    if way is not None and way > LEARNED:
        return []
    evidence = {
        "steps in which no output is pushed the other way": len(signs),
        "of steps": len(signs),
        "threshold": f"all, in {LEAST_STEPS} steps and more",
    }
    return [DISEASE.finding("loss", evidence=evidence)]


DISEASE = Disease(
    name="loss-ignores-outputs",
    group="dependence",
    severity="sick",
    seen_as="The loss has no gradient for the outputs, or is the same whichever row's target an output is compared to.",
    threshold=(
        f"In each of at least {LEAST_STEPS} measured steps: the loss's gradient is exactly zero for the outputs of all"
        f" rows while the loss is not zero; or the loss changes by at most {UNCHANGED:g} of itself when the rows'"
        f" outputs are exchanged, and rows that come again have the same target ({PAIRED:.0%} of at least"
        f" {PAIRED_ROWS} of them); or every output is pushed the same way, though some targets lie above and others"
        " below, or are of two classes."
    ),
    source=(
        "Arithmetic: weights learn from the gradient of the loss with respect to the outputs alone. A loss of averages"
        " over the batch is lowest as soon as the averages agree, whichever row has which answer."
    ),
    why=(
        "What the outputs should become does not reach the network: an argmax, a rounding, a detach or an average"
        " stands between them and the loss, or a term of it is missing. Compare each output with its own row's target."
    ),
    remedies=("loss=mse", "loss=cross-entropy"),
    explained_by=(
        "loss-broadcasts",
        "softmax-wrong-axis",
        "wrong-output-activation",
        "units-dead",
        "units-saturated",
        "rows-mixed",
    ),
    reads=(
        "balanced-accuracy",
        "classes-seen",
        "exchanged-rows-change",
        "gradient-one-sign",
        "gradient-zero-row-share",
        "r2",
        "recurring-rows",
        "same-target-share",
    ),
    find=find,
)
