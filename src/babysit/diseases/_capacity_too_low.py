"""A network that is too small: it has learned what it can, and the loss is still high."""

from __future__ import annotations

import math
import statistics

from babysit.diseases._at_the_loss import READS_AT_THE_LOSS, output_width
from babysit.diseases._depth import gradients_at_the_end, vanishing
from babysit.diseases._disease import Disease
from babysit.diseases._epochs import epoch_ends
from babysit.diseases._gradients_vanish import FADING
from babysit.diseases._learned import READS_LOSS, loss_over_constant
from babysit.diseases._loss_curve import blocks
from babysit.diseases._reading import observed, whole_number
from babysit.record import WEIGHTED, Finding, Trace

EPOCHS = 8
STANDS_STILL = 0.97  # mean loss of the last quarter of epochs over that of the quarter before
LEFT, NOTHING_LEARNED = 0.2, 0.95  # of a constant answer's loss
NO_GAP = 1.15  # validation over training loss
ROWS_A_PARAMETER = 1.0  # a network with more numbers than rows could memorise them (Zhang et al. 2017)


LEAST_STEPS = 200  # a bottleneck is told of when what it costs has had time to show
STILL_MOVES = 0.8  # last quarter's mean loss over the third quarter's: below it, nothing can be said yet


def find(trace: Trace) -> list[Finding]:
    """A bottleneck, or what is left when all else is sound."""
    return _bottleneck(trace) or _settled(trace)


def _bottleneck(trace: Trace) -> list[Finding]:
    """Fewer numbers before the last layer than it takes bits to name the classes, and a loss that stays."""
    weighted = [layer for layer in trace.layers if layer.kind in WEIGHTED]
    width = output_width(trace)
    share = loss_over_constant(trace)
    losses = observed(trace, "loss").values
    if trace.facts.get("loss") not in ("cross-entropy", "nll") or len(weighted) < 2 or width < 3 or share is None:
        return []
    last = weighted[-1]
    bits = math.log2(width)
    if not 0 < last.fan_in < bits or last.units != width or not LEFT <= share <= NOTHING_LEARNED:
        return []
    if len(losses) < LEAST_STEPS:
        return []
    _, _, before, after = blocks(losses, 4)
    if before <= 0 or after < STILL_MOVES * before:
        return []
    evidence = {
        "numbers that enter the last layer": last.fan_in,
        "threshold": bits,
        "classes": width,
        "loss over a constant answer's": share,
        "last quarter over the one before": after / before,
    }
    return [DISEASE.finding(weighted[-2].name, evidence=evidence, severity="warning", remedies=("wider=8",))]


def _settled(trace: Trace) -> list[Finding]:
    """All else must be sound: this is what is left when nothing else explains a loss that stays."""
    ends = epoch_ends(trace)
    share = loss_over_constant(trace)
    parameters, rows = whole_number(trace, "parameters"), whole_number(trace, "rows")
    if len(ends) < EPOCHS or share is None or not LEFT <= share <= NOTHING_LEARNED:
        return []
    if not parameters or not rows or parameters > rows / ROWS_A_PARAMETER:
        return []
    quarter = len(ends) // 4
    before = statistics.fmean(end.train for end in ends[-2 * quarter : -quarter])
    after = statistics.fmean(end.train for end in ends[-quarter:])
    validation = [end.validation for end in ends[-quarter:] if end.validation is not None]
    if not validation or after < STANDS_STILL * before or statistics.fmean(validation) > NO_GAP * after:
        return []
    flow = vanishing(gradients_at_the_end(trace))
    if flow is not None and flow.ratio < FADING:
        return []
    evidence = {
        "loss over a constant answer's": share,
        "threshold": LEFT,
        "last quarter over the one before": after / before,
        "stands still from": STANDS_STILL,
        "validation over training loss": statistics.fmean(validation) / after,
        "parameters": round(parameters),
        "training rows": round(rows),
    }
    return [DISEASE.finding(evidence=evidence)]


DISEASE = Disease(
    name="capacity-too-low",
    group="set-up",
    severity="note",
    seen_as="A small network's loss no longer falls, well above zero, on training and validation rows alike.",
    threshold=(
        f"Over {EPOCHS} epochs and more: the last quarter's training loss at least {STANDS_STILL:g} of the quarter's"
        f" before, {LEFT:g} to {NOTHING_LEARNED:g} of a constant answer's, validation at most {NO_GAP:g} times it,"
        " fewer parameters than rows, gradients that reach the first layers. A warning where fewer numbers enter the"
        f" last layer than the classes have bits, from {LEAST_STEPS} steps on, with {LEFT:g} to {NOTHING_LEARNED:g}"
        f" left and the last quarter of the steps at {STILL_MOVES:g} of the one before or more."
    ),
    source=(
        "CS231n lecture 7: no gap between training and validation, increase capacity. Zhang et al. 2017,"
        " arXiv:1611.03530: networks with more parameters than rows fit even noise. Noise in the data looks alike, so"
        " it is only a note. Arithmetic: codes of C classes take log2 C bits. Measured on digits: two units"
        " before ten classes leave .44 of the loss, 48 leave .001."
    ),
    why=(
        "Either the network is too small for what there is to learn, or the inputs do not hold more. A wider or"
        " deeper network shows which of the two is true within a few epochs."
    ),
    remedies=("wider=2",),
    explained_by=(
        "nonlinearity-missing",
        "learning-rate-too-high",
        "learning-rate-too-low",
        "weight-decay-too-strong",
        "dropout-too-high",
        "units-dead",
    ),
    reads=(
        "activation-gradient-std",
        "criterion",
        "data-loss",
        "fact:parameters",
        "fact:rows",
        *READS_LOSS,
        *READS_AT_THE_LOSS,
    ),
    find=find,
)
