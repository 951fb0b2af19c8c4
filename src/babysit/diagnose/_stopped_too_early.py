"""A training that ended while it was still getting better."""

from __future__ import annotations

import itertools

from babysit.diagnose._disease import Disease
from babysit.diagnose._epochs import smooth
from babysit.diagnose._loss_curve import trend
from babysit.diagnose._observed import observed
from babysit.record import Finding, Trace

LEAST_EPOCHS = 5
FALL = 0.1  # of the validation loss, in the last third of the epochs
OF_ALL = 0.1  # and of all that it fell by: what nears zero falls by a tenth for ever
NEARLY_ALL = 0.75  # of the last third's steps go down
ANNEALED = 0.1  # of the highest rate: a schedule at its end is meant to stop


def find(trace: Trace) -> list[Finding]:
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
        "validation loss": late[-1], "fell by": fall, "in epochs": len(late) - 1, "of epochs": epochs,
        "threshold": FALL * late[-1], "since the first epoch": whole,
    }  # fmt: skip
    return [DISEASE.finding(f"epoch {epochs}", evidence=evidence, remedies=(f"epochs={2 * epochs}",))]


DISEASE = Disease(
    name="stopped-too-early",
    group="dynamics",
    severity="note",
    seen_as="Validation loss was still falling when the training ended.",
    threshold=(
        f"From {LEAST_EPOCHS} epochs on, all that were planned: over the last third validation loss fell by {FALL:g} of"
        f" itself and {OF_ALL:g} of its whole fall, in {NEARLY_ALL:g} of the epochs, to its lowest. Not where the rate"
        f" ends below {ANNEALED:g} of its highest."
    ),
    source="CS231n, lecture 6: look at the curves. A tenth in the last third of the epochs: our choice.",
    why=(
        "The last epochs still taught the network something about rows it had not seen. Some more of them cost little"
        " and would very likely help."
    ),
    remedies=("epochs",),
    explained_by=("learning-rate-too-low", "scheduler-misused", "gradients-vanish"),
    find=find,
)
