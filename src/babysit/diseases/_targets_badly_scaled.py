"""Regression targets far larger, far smaller or farther from zero than the answers of an untrained network."""

from __future__ import annotations

from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._learned import LEARNED, loss_over_constant
from babysit.diseases._reading import latest, observed
from babysit.record import OUTPUTS, TARGETS, Finding, Severity, Trace

SQUARED = frozenset({"mse"})
ROBUST = frozenset({"l1", "smooth-l1", "huber"})  # their gradients do not grow with the targets
# Measured: two hidden layers of 64 ReLU units on Friedman's first problem (900 rows, batches of 32), standardised
# targets times a factor plus an offset, 40 epochs, two seeds. Held-out R2 of SGD at 0.01 under the squared error:
# .84 at 1, .94 at 10, .73 at 30, NaN from 100 on, .67 at 0.1, -8 at 0.01, -900 at 0.001; of Adam at 0.001: .93, .92,
# .90, .87 at 100, .78 at 1000; .88 at 0.1, .08 at 0.01, -74 at 0.001. With an offset of 30 Adam is at -5, of 100 at
# -78, and so is the Huber loss (-0.5, -35), which a factor does not harm.
LARGE, TOO_LARGE, TOO_LARGE_FOR_SGD = 30.0, 1000.0, 100.0
SMALL, TOO_SMALL = 0.01, 0.001
FAR_OFFSET = 30.0  # |mean| / std of the targets
LEAST_ROWS = 8
SAME_SIZE = 0.1  # of the targets' spread, in the first answers: the network's last layer knows their scale


def find(trace: Trace) -> list[Finding]:
    """Judge spread and mean against one, the size of a fresh network's answers."""
    loss = trace.facts.get("loss", "")
    mean = latest(trace, "value-mean", layer=TARGETS)
    std = latest(trace, "value-std", layer=TARGETS)
    rows = latest(trace, "rows-seen", layer=TARGETS)
    if loss not in SQUARED | ROBUST or mean is None or not std or rows is None or rows < LEAST_ROWS:
        return []  # one value for all targets has no scale: residuals that are to vanish
    verdict = _verdict(abs(mean), std, loss, trace.facts.get("optimizer", ""))
    if verdict is None or _knows_the_scale(trace, mean, std):
        return []
    severity, judged = verdict
    evidence = {"mean": mean, "std": std, "rows seen": round(rows), "loss": loss} | judged
    share = loss_over_constant(trace)
    if share is not None and share < LEARNED:
        evidence |= {"loss over a constant answer's": share, "learns below": LEARNED}
        severity = "note"
    return [DISEASE.finding("targets", evidence=evidence, severity=severity)]


def _verdict(mean: float, std: float, loss: str, optimizer: str) -> tuple[Severity, dict[str, Any]] | None:
    """How bad, and the number that says so."""
    offset = mean / std
    if mean >= LARGE and offset >= FAR_OFFSET:
        severity: Severity = "sick" if mean >= TOO_LARGE_FOR_SGD else "warning"
        return severity, {"|mean| / std": offset, "threshold": FAR_OFFSET}
    size = max(mean, std)
    if loss in SQUARED and size >= LARGE:
        limit = TOO_LARGE_FOR_SGD if optimizer == "sgd" else TOO_LARGE
        return ("sick" if size >= limit else "warning"), {"size": size, "threshold": limit if size >= limit else LARGE}
    if std <= SMALL:
        return ("sick" if std <= TOO_SMALL else "warning"), {"threshold": TOO_SMALL if std <= TOO_SMALL else SMALL}
    return None


def _knows_the_scale(trace: Trace, mean: float, std: float) -> bool:
    """Whether the first answers already have the targets' mean and about their size."""
    first_mean = observed(trace, "value-mean", layer=OUTPUTS).values[:1]
    first_std = observed(trace, "value-std", layer=OUTPUTS).values[:1]
    return any(
        abs(about - mean) <= std and SAME_SIZE * std <= spread <= std / SAME_SIZE
        for about, spread in zip(first_mean, first_std, strict=False)
    )


DISEASE = Disease(
    name="targets-badly-scaled",
    group="data",
    severity="sick",
    seen_as="The size, spread or offset of regression targets is far from the answers of an untrained network.",
    threshold=(
        f"Under the squared error: warning from a size (the larger of |mean| and std) of {LARGE:g} on, sick from"
        f" {TOO_LARGE:g}, with plain SGD from {TOO_LARGE_FOR_SGD:g}. Under any loss: warning from |mean| {LARGE:g} with"
        f" {FAR_OFFSET:g} times the std on, sick from {TOO_LARGE_FOR_SGD:g}; warning up to a std of {SMALL:g}, sick up"
        f" to {TOO_SMALL:g}. A note where the loss is under {LEARNED:g} of a constant answer's. Not where the first"
        " answers have the targets' mean and size already."
    ),
    source=(
        "Measured: two hidden layers of 64 ReLU units on Friedman's first problem, standardised targets times a factor"
        " plus an offset, 40 epochs, two seeds. SGD at 0.01: R2 .94 at 10, .73 at 30, NaN from 100 on, below 0 at 0.01;"
        " Adam at 0.001: .90 at 30, .78 at 1000, below 0 from an offset of 30 on."
    ),
    why=(
        "The gradient of the squared error grows with the size of the targets, so a usual learning rate"
        " overshoots. With a large offset or a tiny spread, the network spends its steps on reaching the mean and"
        " scale of the targets."
    ),
    remedies=("standardise-targets",),
    explained_by=("targets-not-finite",),
    reads=(
        "constant-answer-loss",
        "loss",
        "rows-seen",
        "value-mean",
        "value-std",
        "fact:loss",
        "fact:loss-reduction",
        "fact:optimizer",
    ),
    find=find,
)
