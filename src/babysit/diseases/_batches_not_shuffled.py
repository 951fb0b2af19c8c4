"""Rows that come in the order of their classes or targets."""

from __future__ import annotations

import statistics
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._reading import latest, observed, whole_number
from babysit.record import INPUTS, OUTPUTS, TARGETS, Finding, Severity, Trace

ALARM = 1e-5  # probability that shuffled batches pass the bound; tenfold below one in 10,000, as it is approximate
# Three rows that are all of a rare class meet in one batch of 200 with a probability of 1/200 squared = 2.5e-5, two of
# them too often. Met, they make that class's part 3, and with two classes the other's, too: 1 + 4 / classes at most.
RARE_MEET = 4.0
# Likeness of two rows of a batch: 0 when shuffled, 1 when sorted. Bucketing by length is milder.
MILD, STRONG = 0.1, 0.5
LEAST_BATCHES = 3
# All rows of one class by chance: below one in 10,000 if no class holds 90 % (of more than two), or 99 % (of two).
ONE_OF_MANY, ONE_OF_TWO = 100, 1000
ONE_CLASS = 1e-4
# Rows of a sorted file that is gone through again and again come in the company they came in before (1.0), or after the
# same time. Measured, with a shuffle buffer of a tenth: company 0.51, variation 0.04; of a fifth 0.27 and 0.08. On 18
# replay buffers of 500 to 10,000 rows, 32 or 64 a batch, 200 batches: company 0.04 to 0.19, variation 0.71 to 1.08.
COMPANY, GAPS = 0.5, 0.3


def dispersion_bound(batches: int, classes: int) -> float:
    """What `label-dispersion` of shuffled batches passes with a probability of 1e-5.

    For each class, (batches - 1) times its part is chi-square with batches - 1 degrees of freedom: Pearson's statistic
    of the class's counts. The mean over classes has the variance of one with classes^2 / (classes + 2) times as many,
    at least, which is exact for two even classes and the rest rare; with two classes both parts are equal. The quantile
    is Wilson and Hilferty's (1931), which lies above the true one for so few degrees and this far out.

    Example:
        >>> round(dispersion_bound(10, 2), 1), round(dispersion_bound(200, 10), 2)
        (4.5, 1.16)
    """
    freedom = max(1.0, (batches - 1) * max(1.0, classes**2 / (classes + 2)))
    part = 2 / (9 * freedom)
    return float((1 - part + statistics.NormalDist().inv_cdf(1 - ALARM) * part**0.5) ** 3)


def find(trace: Trace) -> list[Finding]:
    """Judge the spread of classes or mean targets between batches; and batches that know one class alone."""
    size = _rows_a_batch(trace)
    batches = len(trace.series("batch-rows", layer=TARGETS).steps)
    if size is None or batches < LEAST_BATCHES or trace.facts.get("steps-per-epoch") == "1":
        return []
    classes = latest(trace, "classes-seen", layer=TARGETS)
    if classes == 1:
        return _one_class(trace, batches)
    of_labels = latest(trace, "label-dispersion", layer=TARGETS)
    of_numbers = latest(trace, "target-dispersion", layer=TARGETS)
    if of_labels is not None and classes is not None and classes > 1:
        return _judge("label-dispersion", of_labels, round(classes), size, batches, trace)
    return [] if of_numbers is None else _judge("target-dispersion", of_numbers, 2, size, batches, trace)


def _judge(name: str, ratio: float, classes: int, size: float, batches: int, trace: Trace) -> list[Finding]:
    if size <= 1:
        return []  # rows of one each say the same in any order
    bound = max(1 + RARE_MEET / classes, dispersion_bound(batches, classes), 1 + MILD * (size - 1))
    likeness = min(1.0, (ratio - 1) / (size - 1))
    if ratio < bound:
        return []
    evidence: dict[str, Any] = {
        name: ratio,
        "threshold": bound,
        "rows a batch": size,
        "batches": batches,
        "likeness of a batch's rows": likeness,
    }
    # A recurrent network may be meant to read on where the batch before it ended.
    deliberate = any(layer.kind == "recurrent" for layer in trace.layers)
    # Numbers that no set of rows is known to hold may be made as the training goes, and drift: a critic's targets do.
    known = "rows" in trace.facts or "steps-per-epoch" in trace.facts
    made = name == "target-dispersion" and likeness < STRONG and not known
    if name == "target-dispersion" and _drawn_at_random(trace):
        return []
    return [DISEASE.finding("targets", evidence=evidence, severity=_severity(likeness, deliberate or made))]


def _drawn_at_random(trace: Trace) -> bool:
    """Whether rows come again in other company and after uneven times: the program draws them, as from a buffer.

    Their numbers then drift since the buffer, or who makes the targets, changes.
    """
    company = latest(trace, "return-company", layer=INPUTS)
    gaps = latest(trace, "return-gap-variation", layer=INPUTS)
    return company is not None and gaps is not None and company <= COMPANY and gaps >= GAPS


def _severity(likeness: float, deliberate: bool) -> Severity:
    if deliberate:
        return "note"
    return "sick" if likeness >= STRONG else "warning"


def _one_class(trace: Trace, batches: int) -> list[Finding]:
    """All batches so far of one class, though outputs have a place for more, and rows are left that may be of them."""
    rows = latest(trace, "rows-seen", layer=TARGETS)
    width = latest(trace, "width", layer=OUTPUTS)
    there = whole_number(trace, "rows")
    if rows is None or width is None or width < 2 or 0 < there <= rows:
        return []
    least = ONE_OF_MANY if width > 2 else ONE_OF_TWO
    if rows < least:
        return []
    evidence = {
        "classes seen": 1,
        "outputs": round(width),
        "rows seen": round(rows),
        "batches": batches,
        "threshold": f"one class over {least} rows",
        "share a class needs for this by chance": ONE_CLASS ** (1 / rows),
    }
    return [DISEASE.finding("targets", evidence=evidence)]


def _rows_a_batch(trace: Trace) -> float | None:
    """Targets a batch, where each belongs to a row of its own.

    Pixels of one picture and words of one text are alike however well rows are shuffled. There, class numbers have more
    dimensions than one, or targets are more than the rows that entered the network. Numbers may have more dimensions:
    the mean over a row's never spreads more than they do.
    """
    targets = observed(trace, "batch-rows", layer=TARGETS).values
    inputs = observed(trace, "batch-rows", layer=INPUTS).values
    shape = trace.facts.get("target-shape", "").split("x")
    several = any(size != "1" for size in shape[1:]) and latest(trace, "classes-seen", layer=TARGETS) is not None
    if not targets or not inputs or several:
        return None
    size = statistics.median(targets)
    return size if size == statistics.median(inputs) else None


DISEASE = Disease(
    name="batches-not-shuffled",
    group="data",
    severity="sick",
    seen_as="Batches differ in their classes or mean targets by more than chance, or all rows have one class.",
    threshold=(
        f"`label-dispersion` or `target-dispersion` above the chi-square bound that shuffled batches pass with a"
        f" probability of {ALARM:g}, above 1 + {RARE_MEET:g} / classes (numbers: 3), and such that two rows of a batch"
        f" are alike by {MILD:g} (a warning) or {STRONG:g} (sick; 1 is sorted). Or one class alone in the first"
        f" {ONE_OF_MANY} rows of more than two classes, {ONE_OF_TWO} of two. A note with recurrent layers, which may"
        f" read on from batch to batch, and below {STRONG:g} for numbers where no set of rows was seen."
    ),
    source=(
        "Pearson's chi-square statistic of class counts with Wilson and Hilferty's quantile (1931), whatever the shares"
        " and the batch size. Simulated: 4.4 million shuffled trainings of 2 to 100 classes, even and imbalanced, 1 to"
        " 512 rows a batch, 3 to 150 batches: 2 alarms."
    ),
    why=(
        "Each step learns the few classes of its batch and undoes what the step before has learned. The gradient"
        " of similar rows is not a sample of the gradient over all rows."
    ),
    remedies=("shuffle",),
    explained_by=(),
    reads=(
        "batch-rows",
        "classes-seen",
        "label-dispersion",
        "return-company",
        "return-gap-variation",
        "rows-seen",
        "target-dispersion",
        "width",
        "fact:rows",
        "fact:steps-per-epoch",
        "fact:target-shape",
    ),
    find=find,
)
