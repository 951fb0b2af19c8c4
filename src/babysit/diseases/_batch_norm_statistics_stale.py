"""Running statistics of batch normalisation that are not those of the network as it is now."""

from __future__ import annotations

import statistics

from babysit.diseases._disease import Disease
from babysit.diseases._epochs import epoch_ends
from babysit.diseases._learned import READS_LOSS, constant_answer_loss
from babysit.diseases._reading import latest, observed
from babysit.record import INPUTS, Finding, Trace

# Training rows in evaluation mode over the same network's batches. Measured: with a momentum of 0 or 1e-4 .004 becomes
# 1.5 on digits; sound ones are within a fifth of each other.
TIMES = 3.0
OF_CHANCE = 0.1  # of a constant answer's loss, that must lie between: three times next to nothing is nothing
GOOD = 0.7  # of a constant answer's loss: batches have learned something that evaluation could lose
EPOCHS = 3  # in a row: with few steps an epoch the first statistics are still those of the start
LEAST_STEPS = 100  # of a momentum of 0.1, which after fifty steps has forgotten the start


# Measured on digits, the batch's own deviation over the running one, median of a layer's units, after 130 steps and
# more: .96 to 1.01 with a momentum of 0.1, .46 to .59 with 0.0005; distances of means .00 to .10 and .14 to .35.
APART, FAR_APART = 1.5, 3.0
GAP, WIDE_GAP = 0.5, 1.5
SAMPLES = 5  # the last ones, of which the median counts
LEAST_ROWS = 8  # whose mean is within a third of a standard deviation of the truth


def find(trace: Trace) -> list[Finding]:
    """What the two modes cost, where both were measured; else what the running statistics are."""
    return _costs(trace) or _statistics(trace)


def _statistics(trace: Trace) -> list[Finding]:
    """The batches' own statistics beside the running ones, at the end."""
    rows = latest(trace, "batch-rows", layer=INPUTS)
    if rows is None or rows < LEAST_ROWS:
        return []
    worst: tuple[float, str, dict[str, float]] | None = None
    for layer in trace.layers_with("running-std-ratio"):
        steps, ratios = observed(trace, "running-std-ratio", layer=layer)
        gaps = observed(trace, "running-mean-gap", layer=layer).values
        if len(ratios) < SAMPLES or not gaps or steps[-1] < LEAST_STEPS or min(ratios) <= 0:
            continue
        ratio, gap = statistics.median(ratios[-SAMPLES:]), statistics.median(gaps[-SAMPLES:])
        badness = max(max(ratio, 1 / ratio) / APART, gap / GAP)
        if badness >= 1 and (worst is None or badness > worst[0]):
            worst = badness, layer, {"std of batches over the running one": ratio, "distance of the means": gap}
    if worst is None:
        return []
    _, layer, numbers = worst
    ratio, gap = numbers.values()
    far = max(ratio, 1 / ratio) >= FAR_APART or gap >= WIDE_GAP
    evidence: dict[str, float | str] = {**numbers, "threshold": f"{APART:g} times, or a distance of {GAP:g}"}
    return [DISEASE.finding(layer, evidence=evidence, severity="sick" if far else "warning")]


def _costs(trace: Trace) -> list[Finding]:
    """The same rows, once by the batch's own statistics and once by the running ones."""
    norms = [layer for layer in trace.layers if layer.kind == "batch-norm"]
    chance = constant_answer_loss(trace)
    ends = epoch_ends(trace)[-EPOCHS:]
    if not norms or chance is None or len(ends) < EPOCHS or ends[-1].step < LEAST_STEPS:
        return []
    limits = [max(TIMES * end.batches, end.batches + OF_CHANCE * chance) for end in ends]
    if not all(end.train > limit and end.batches < GOOD * chance for end, limit in zip(ends, limits, strict=True)):
        return []
    if any(end.validation is not None and end.validation <= limit for end, limit in zip(ends, limits, strict=True)):
        return []
    last = ends[-1]
    evidence = {
        "loss of batches": last.batches,
        "training rows in evaluation mode": last.train,
        "threshold": limits[-1],
        "loss of a constant answer": chance,
        "batch normalisations": len(norms),
        "epochs": EPOCHS,
    }
    if last.validation is not None:
        evidence["validation loss"] = last.validation
    return [DISEASE.finding(norms[0].name, evidence=evidence)]


DISEASE = Disease(
    name="batch-norm-statistics-stale",
    group="set-up",
    severity="sick",
    seen_as="Training rows have a small loss in training mode and a far larger one in evaluation mode.",
    threshold=(
        f"With batch normalisation, at {EPOCHS} epochs' ends in a row after {LEAST_STEPS} steps: training and"
        f" validation rows in evaluation mode cost {TIMES:g} times the last batches' loss, and {OF_CHANCE:g} of a"
        f" constant answer's more, while batches are under {GOOD:g} of it. Or, of a median unit over the last"
        f" {SAMPLES} observations after as many steps: the batches' standard deviation {APART:g} times"
        f" the running one or the other way round,"
        f" or means {GAP:g} running deviations apart: a warning; sick from {FAR_APART:g} times and {WIDE_GAP:g} on."
    ),
    source=(
        "Wu and Johnson 2021, Rethinking 'Batch' in BatchNorm, arXiv:2105.07576, on the gap between the two modes and"
        " recalibration. Measured on digits: running statistics that never move turn a loss of .004 into 1.5."
        " Deviations of batches over running ones are .96 to 1.01 with a momentum of 0.1,"
        " .46 to .59 with 0.0005, which loses a sixth of the accuracy."
    ),
    why=(
        "In evaluation mode the network normalises with running statistics that do not fit its inputs. Every"
        " evaluation and every later use gives bad answers, although the weights are good."
    ),
    remedies=("recalibrate-batch-norm",),
    explained_by=("batches-not-shuffled", "learning-rate-too-high"),
    reads=("batch-rows", "criterion", "data-loss", "running-mean-gap", "running-std-ratio", *READS_LOSS),
    find=find,
)
