"""Batches so large that an epoch has hardly any steps."""

from __future__ import annotations

import math
import statistics
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LOSS, loss_left
from babysit.diseases._reading import observed, whole_number
from babysit.record import Finding, Trace

FEW_STEPS = 3  # an epoch
LARGE_BATCH = 512  # rows; Keskar et al. 2017 call this the upper end of usual batches
LEAST_LOSSES = 20  # fewer tell no fall
STILL_FALLS = 0.02  # of the loss, in the last fifth of steps
FEW_IN_ALL = 200  # steps of a whole training: the lecture expects a loss to fall within about 100
UNLEARNED = 0.9  # of a constant answer's loss, or of the first: nothing to speak of was learned in so few steps
ENDED = 0.9  # of the planned steps were taken
WANTED = 100  # steps an epoch, of the recommended batch size
SMALLEST, LARGEST = 32, 256  # rows recommended
WHOLE_DATA = frozenset({"lbfgs"})  # optimizers that are made for all rows at once


def find(trace: Trace) -> list[Finding]:
    """Few steps an epoch, and the loss would fall on: more steps would have helped."""
    steps_an_epoch = whole_number(trace, "steps-per-epoch")
    size = whole_number(trace, "batch-size")
    steps, losses = observed(trace, "loss")
    if not 1 <= steps_an_epoch <= FEW_STEPS or size < LARGE_BATCH or len(losses) < LEAST_LOSSES:
        return []
    fall = _fall(losses)
    taken = steps[-1] + 1
    planned = whole_number(trace, "epochs") * steps_an_epoch
    short = planned > 0 and taken >= ENDED * planned and taken <= FEW_IN_ALL
    share = loss_left(trace)
    unlearned = short and share is not None and share >= UNLEARNED
    if (fall < STILL_FALLS and not unlearned) or trace.facts.get("optimizer") in WHOLE_DATA:
        return []
    rows = whole_number(trace, "rows") or size * steps_an_epoch
    evidence: dict[str, Any] = {
        "steps an epoch": round(steps_an_epoch),
        "rows a batch": round(size),
        "steps taken": taken,
        "loss still falls by": fall,
        "threshold": f"{FEW_STEPS} steps an epoch, fall of {STILL_FALLS:g}",
    }
    if unlearned and share is not None:
        evidence |= {"loss left": share, "unlearned from": UNLEARNED}
    return [
        DISEASE.finding(
            "batches",
            evidence=evidence | ({"steps planned": round(planned)} if planned else {}),
            severity="warning" if short else None,
            remedies=(f"batch-size={_better_size(rows)}", "epochs"),
        )
    ]


def _fall(losses: tuple[float, ...]) -> float:
    """How much lower the last tenth's median is than that of the tenth before it, as a share."""
    tenth = max(1, len(losses) // 10)
    before, last = statistics.median(losses[-2 * tenth : -tenth]), statistics.median(losses[-tenth:])
    return (before - last) / abs(before) if before else 0.0


def _better_size(rows: float) -> int:
    """A power of two that gives about a hundred steps an epoch."""
    return int(min(LARGEST, max(SMALLEST, 2 ** round(math.log2(max(1.0, rows / WANTED))))))


DISEASE = Disease(
    name="batch-too-large",
    group="data",
    severity="note",
    seen_as="An epoch has one to three steps, and the loss is still falling at the end.",
    threshold=(
        f"At most {FEW_STEPS} steps an epoch of {LARGE_BATCH} rows and more, and in the last fifth the loss falls by"
        f" {STILL_FALLS:.0%} and more. A warning where the training ended after at most {FEW_IN_ALL} steps;"
        f" then also where the loss does not fall, with {UNLEARNED:g} of a constant answer's left."
    ),
    source=(
        "CS231n: a loss drops within about 100 steps at a good rate. Keskar et al. 2017, arXiv:1609.04836: usual"
        " batches have 32 to 512 rows. McCandlish et al. 2018: beyond the noise scale, more rows a step save no steps."
    ),
    why=(
        "A network learns by steps, and a few large steps reach less than many small ones. Beyond the gradient's"
        " noise scale, more rows in a batch cost time and hardly improve the step."
    ),
    remedies=("batch-size", "epochs"),
    explained_by=(),
    reads=("fact:batch-size", "fact:epochs", "fact:optimizer", "fact:rows", "fact:steps-per-epoch", *READS_LOSS),
    find=find,
)
