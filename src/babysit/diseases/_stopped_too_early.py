"""A training that ended while it was still getting better."""

from __future__ import annotations

import itertools

from babysit.diseases._disease import Disease
from babysit.diseases._epochs import smooth
from babysit.diseases._explosion import find_explosion
from babysit.diseases._learned import NOT_LEARNED, READS_LOSS, loss_left, means_progress
from babysit.diseases._loss_curve import blocks, trend
from babysit.diseases._reading import observed
from babysit.record import Finding, Severity, Trace

LEAST_EPOCHS = 5
FALL = 0.1  # of the validation loss, in the last third of the epochs
OF_ALL = 0.1  # and of all that it fell by: a loss near zero always falls by a tenth
STEEP = 0.5  # of the loss at the end, in the last third: it came down from half as much again and more
NEARLY_ALL = 0.75  # of the last third's steps go down
ANNEALED = 0.1  # of the highest rate: a schedule at its end is meant to stop


FEW_EPOCHS = 5  # planned and taken
LEAST_LOSSES = 45  # of a training whose thirds can be told apart
AS_STEEP = 0.5  # of the first two thirds' fall, in the last two: a curve that has not begun to level off
MUCH = 0.1  # of the loss, in the last third
FAR_FROM_DONE = 0.5  # of a constant answer's loss


def find(trace: Trace) -> list[Finding]:
    """By validation loss; where there is none, by a training loss that has not begun to level off."""
    return _validation(trace) or _training(trace)


def _training(trace: Trace) -> list[Finding]:
    """The loss of the steps in thirds."""
    losses = observed(trace, "loss").values
    planned, rates, share = trace.facts.get("epochs", ""), observed(trace, "lr").values, loss_left(trace)
    few = planned.isdecimal() and 1 <= int(planned) <= FEW_EPOCHS
    if not few or len(losses) < LEAST_LOSSES or share is None or not FAR_FROM_DONE <= share <= NOT_LEARNED:
        return []
    if not means_progress(trace) or find_explosion(trace) or (rates and rates[-1] < ANNEALED * max(rates)):
        return []
    first, second, third = blocks(losses, 3)
    if third <= 0 or second - third < max(MUCH * third, AS_STEEP * (first - second)):
        return []
    evidence: dict[str, float | str] = {
        "mean loss by thirds": f"{first:.3g}, {second:.3g}, {third:.3g}",
        "loss left": share,
        "epochs": planned,
        "threshold": f"{MUCH:g} of it in the last third, and {AS_STEEP:g} of the fall before",
    }
    remedies = (f"epochs={4 * int(planned)}",)
    return [DISEASE.finding("last step", evidence=evidence, severity="warning", remedies=remedies)]


def _validation(trace: Trace) -> list[Finding]:
    """The slope of validation loss over the last third of the epochs."""
    validation = list(observed(trace, "data-loss", phase="validation").values)
    epochs = len(validation)
    planned = trace.facts.get("epochs", "")
    if epochs < LEAST_EPOCHS or (planned.isdecimal() and epochs < int(planned)) or min(validation) <= 0:
        return []
    rates = observed(trace, "lr").values
    if rates and rates[-1] < ANNEALED * max(rates):
        return []
    late = validation[-max(3, epochs // 3) - 1 :]
    fall, whole = -trend(late), validation[0] - min(validation)
    down = sum(after < before for before, after in itertools.pairwise(late))
    lowest = min(smooth(validation)) >= min(late[-2:])
    if not lowest or fall < FALL * late[-1] or fall < OF_ALL * whole or down < NEARLY_ALL * (len(late) - 1):
        return []
    evidence = {
        "validation loss": late[-1],
        "fell by": fall,
        "in epochs": len(late) - 1,
        "of epochs": epochs,
        "threshold": FALL * late[-1],
        "since the first epoch": whole,
        "threshold for a warning": STEEP * late[-1],
    }
    severity: Severity = "warning" if fall >= STEEP * late[-1] else "note"
    remedies = (f"epochs={2 * epochs}",)
    return [DISEASE.finding(f"epoch {epochs}", evidence=evidence, severity=severity, remedies=remedies)]


DISEASE = Disease(
    name="stopped-too-early",
    group="dynamics",
    severity="note",
    seen_as="The validation loss, or a training loss that had not begun to level off, was still falling at the end.",
    threshold=(
        f"From {LEAST_EPOCHS} epochs on, all that were planned: over the last third validation loss fell by {FALL:g} of"
        f" itself and {OF_ALL:g} of its whole fall, in {NEARLY_ALL:g} of the epochs, to its lowest. Not where the rate"
        f" ends below {ANNEALED:g} of its highest. A warning where it fell by {STEEP:g} of itself."
        f" Without validation, a warning where at most {FEW_EPOCHS} epochs were"
        f" planned and taken, {FAR_FROM_DONE:g} of a constant answer's loss and more is left, and the mean loss of the"
        f" steps' last third is below the second's by {MUCH:g} of itself and {AS_STEEP:g} of the fall before."
    ),
    source="CS231n, lecture 6: look at the curves. A tenth in the last third of the epochs: our own choice."
    " Measured: two epochs on hidden motifs fall from 1.31 over 1.12 to .92 by thirds, thirty epochs end at .03.",
    why=(
        "The last epochs still improved the answers to rows that the network has not seen. A few more epochs cost"
        " little and would very likely help."
    ),
    remedies=("epochs",),
    explained_by=("learning-rate-too-low", "scheduler-misused", "gradients-vanish"),
    reads=("data-loss", "lr", "fact:epochs", *READS_LOSS),
    find=find,
)
