"""Weight decay so strong that the weights go to zero and nothing is learned."""

from __future__ import annotations

import statistics

from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LOSS, loss_left
from babysit.diseases._reading import observed
from babysit.record import WEIGHTED, Finding, Severity, Trace

# Lengths of the weights at the end over those at the start. Measured on digits: AdamW with 0.1 keeps all, SGD at 0.1
# with a decay of 0.03 keeps .5 and learns to 98 %, with 1 keeps nothing.
SHRUNK, GONE = 0.5, 0.1
AT_CHANCE = 0.95  # of a constant answer's loss
LEAST_STEPS = 8  # between two lengths
LEAST_LOSSES = 20
PENALTY = 1.0  # over the data's own loss


def find(trace: Trace) -> list[Finding]:
    """Weights that shrink, while nothing is learned."""
    share = loss_left(trace)
    kept = _kept(trace)
    if len(observed(trace, "loss").values) < LEAST_LOSSES:
        return []
    if share is None or share < AT_CHANCE or kept is None:
        return []
    if kept > SHRUNK:
        return _of_one_layer(trace, share)
    penalty = _penalty(trace)
    decay = _decay(trace)
    # Weights may come down from a bad start by gradients alone: something must be known to pull at them.
    if not decay and penalty < PENALTY:
        return []
    severity: Severity = "sick" if kept <= GONE else "warning"
    evidence: dict[str, float | str] = {
        "length of weights at the end over the start": kept,
        "threshold": GONE if kept <= GONE else SHRUNK,
        "loss left": share,
        "at chance from": AT_CHANCE,
    }
    if decay:
        evidence["weight decay"] = decay
    if penalty > 0:
        evidence["penalty over the data's loss"] = penalty
    remedies = (f"weight-decay={decay / 100:.1g}", "weight-decay=0") if decay else ("weight-decay=0",)
    return [DISEASE.finding(evidence=evidence, severity=severity, remedies=remedies)]


def _of_one_layer(trace: Trace, share: float) -> list[Finding]:
    """A penalty on the weights of one layer, in the loss, that outweighs the data until nothing of them is left."""
    by_layer = _kept_by_layer(trace)
    layer = min(by_layer, key=lambda name: by_layer[name])
    penalty = _penalty(trace, 0)
    if by_layer[layer] > GONE or penalty < PENALTY:
        return []
    evidence: dict[str, float | str] = {
        "length of this layer's weights at the end over the start": by_layer[layer],
        "threshold": GONE,
        "penalty over the data's loss at the start": penalty,
        "threshold of the penalty": PENALTY,
        "loss left": share,
        "at chance from": AT_CHANCE,
    }
    return [DISEASE.finding(layer, evidence=evidence, remedies=())]


def _kept(trace: Trace) -> float | None:
    """The median over weighted layers; None before there are steps enough to tell."""
    ratios = _kept_by_layer(trace).values()
    return statistics.median(ratios) if ratios else None


def _kept_by_layer(trace: Trace) -> dict[str, float]:
    found = {}
    for layer in trace.layers:
        steps, lengths = observed(trace, "weight-norm", layer=layer.name)
        if layer.kind in WEIGHTED and len(lengths) > 1 and lengths[0] > 0 and steps[-1] - steps[0] >= LEAST_STEPS:
            found[layer.name] = lengths[-1] / lengths[0]
    return found


def _penalty(trace: Trace, at: int = -1) -> float:
    """What was added to the loss function's value, over that value: at the last place where both are known, or 0."""
    data = dict(zip(*observed(trace, "criterion"), strict=True))
    whole = dict(zip(*observed(trace, "loss"), strict=True))
    both = sorted(data.keys() & whole.keys())
    if not both or data[both[at]] <= 0:
        return 0.0
    return whole[both[at]] / data[both[at]] - 1


def _decay(trace: Trace) -> float:
    try:
        return float(trace.facts.get("weight-decay", "0"))
    except ValueError:
        return 0.0


DISEASE = Disease(
    name="weight-decay-too-strong",
    group="set-up",
    severity="sick",
    seen_as="The weights shrink towards zero with every step, and the loss stays at chance.",
    threshold=(
        f"Length of the weights (median of the layers) after {LEAST_STEPS} steps and more at most {SHRUNK:g} of the"
        f" first, with {LEAST_LOSSES} losses and the last of them at least {AT_CHANCE:g} of a constant answer's, where"
        f" the optimizer decays weights or the penalty is at least {PENALTY:g} of the data's loss; sick from {GONE:g}"
        f" down. Or one layer keeps at most {GONE:g}, and the penalty began at {PENALTY:g} of the data's loss and more:"
        " sick. Of a check before training, a warning: half lambda w squared above the loss; for decoupled decay, which"
        " is in no gradient, lambda times a typical weight above 1; or a tiny subset that is learned without it alone."
    ),
    source=(
        "Arithmetic: weights under a rate r and a decay d keep (1 - r d) of their length a step, so that r d = 0.1"
        " leaves a third after ten. Measured on digits, SGD at 0.1: a decay of 0.03 ends at 98 %, 0.1 at 88, 1 at"
        " chance."
    ),
    why=(
        "Weight decay pulls the weights to zero more strongly than the data can move them, and a network of zeros"
        " gives one answer to every row. The loss stays at that of a constant answer."
    ),
    remedies=("weight-decay=0.0001", "weight-decay=0"),
    explained_by=("learning-rate-too-high", "weights-symmetric", "labels-unrelated"),
    reads=("criterion", "weight-norm", "fact:weight-decay", *READS_LOSS),
    find=find,
)
