"""So much dropout that the network cannot even fit its training rows."""

from __future__ import annotations

import statistics

from babysit.diseases._disease import Disease
from babysit.diseases._epochs import epoch_ends
from babysit.diseases._learned import LEARNED, READS_LEARNED, constant_answer_loss, has_learned, loss_left
from babysit.diseases._reading import observed
from babysit.record import Finding, Trace, TraceLayer

# Measured, two hidden layers of 128 on digits: .5 ends at 98 % of validation rows, .8 at 95 %, .95 at 35 % and a loss
# of .97 of a constant answer's. UMLAUT (CHI 2021) warns from .5, which is Srivastava et al.'s own choice.
HIGH = 0.75
HARDLY = 0.8  # of a constant answer's loss
LEAST_SAMPLES = 3
LEAST_STEPS = 100
# Without knowing how much is dropped: what batches cost over what the same rows cost with nothing dropped.
COSTS = 1.5
NO_GAP = 1.1  # validation over training loss: there is no overfitting that dropout would have to work against
EPOCHS = 3


def find(trace: Trace) -> list[Finding]:
    """By how much is dropped, or by what it costs."""
    dropouts = [layer for layer in trace.layers if layer.kind == "dropout"]
    if not dropouts or has_learned(trace):
        return []
    return _by_share(trace, dropouts) or _by_cost(trace, dropouts)


def _by_share(trace: Trace, dropouts: list[TraceLayer]) -> list[Finding]:
    dropped = {layer.name: share for layer in dropouts if (share := _dropped(trace, layer)) is not None}
    worst = max(dropped, key=lambda name: dropped[name], default=None)
    share = loss_left(trace)
    steps = trace.series("loss").steps
    if worst is None or dropped[worst] < HIGH or share is None or share < HARDLY:
        return []
    if steps[-1] - steps[0] < LEAST_STEPS:
        return []
    evidence = {"share dropped": dropped[worst], "threshold": HIGH, "loss left": share, "learns below": HARDLY}
    return [DISEASE.finding(worst, evidence=evidence)]


def _dropped(trace: Trace, layer: TraceLayer) -> float | None:
    """The share of what was not zero already; None where it cannot be told."""
    after = observed(trace, "activation-zero-share", layer=layer.name).values
    if len(after) < LEAST_SAMPLES:
        return None
    place = [other.name for other in trace.layers].index(layer.name)
    before = 0.0
    if place:
        previous = trace.layers[place - 1]
        zeros = observed(trace, "activation-zero-share", layer=previous.name).values
        if previous.kind == "activation" and zeros:
            before = statistics.median(zeros)
        elif previous.kind in ("activation", "pooling", "function", "other"):
            return None  # may have zeros that were not counted
    return 1 - (1 - statistics.median(after)) / (1 - before) if before < 1 else None


def _by_cost(trace: Trace, dropouts: list[TraceLayer]) -> list[Finding]:
    ends = epoch_ends(trace)[-EPOCHS:]
    chance = constant_answer_loss(trace)
    if len(ends) < EPOCHS or chance is None:
        return []
    if not all(
        end.batches >= COSTS * end.train
        and end.train >= LEARNED * chance
        and end.validation is not None
        and end.validation <= NO_GAP * end.train
        for end in ends
    ):
        return []
    last = ends[-1]
    evidence = {
        "loss of batches": last.batches,
        "of the same rows with nothing dropped": last.train,
        "threshold": COSTS * last.train,
        "validation loss": last.validation,
        "loss of a constant answer": chance,
        "dropout layers": len(dropouts),
    }
    return [DISEASE.finding(dropouts[0].name, evidence=evidence)]


DISEASE = Disease(
    name="dropout-too-high",
    group="set-up",
    severity="warning",
    seen_as="Dropout removes most of a layer, or raises the loss of the batches a lot, and little is learned.",
    threshold=(
        f"A dropout layer sets at least {HIGH:g} of what enters it to zero, and after {LEAST_STEPS} steps the loss is"
        f" still {HARDLY:g} of a constant answer's; or in {EPOCHS} epochs batches cost {COSTS:g} times what the same"
        f" rows cost in evaluation mode, these {LEARNED:g} of a constant answer's, and validation at most {NO_GAP:g}"
        " times that."
    ),
    source=(
        "Srivastava et al. 2014 (JMLR 15), figure 9: keeping under a tenth of the units underfits, .4 to .8 are equal."
        " Measured on digits: .8 still ends at 95 % of validation rows, .95 at 35 %."
    ),
    why=(
        "What is left of the layer changes with every row, so the network never sees a clear signal. Dropout is a"
        " means against overfitting, and this network does not fit its training rows yet."
    ),
    remedies=("dropout=0.2", "dropout=0"),
    explained_by=("learning-rate-too-high", "learning-rate-too-low", "activations-vanish", "labels-unrelated"),
    reads=("activation-zero-share", "criterion", "data-loss", *READS_LEARNED),
    find=find,
)
