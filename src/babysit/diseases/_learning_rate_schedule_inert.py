"""A schedule of the learning rate that does not do what it is made for."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="learning-rate-schedule-inert",
    group="dependence",
    severity="sick",
    seen_as=(
        "A schedule is never stepped, belongs to an optimizer that takes no step, or is stepped once an epoch"
        " though it counts batches."
    ),
    threshold=(
        "At the end of the training: no step of the schedule in 20 steps of its optimizer, and no other "
        "schedule stepped. Or its optimizer took none while another one with the same weights took 20. Or it "
        "is made for as many steps as the optimizer took (within a factor of two) and took a fifth of them at"
        " most. Or a warm-up that rose throughout reached a tenth of the rate."
    ),
    source=(
        "Counted. The first three values of a schedule are its own attributes: `total_steps`, `T_max`, `total_iters`."
    ),
    why=(
        "The rate is another one than the program says, all the time. Call the schedule's `step()` once for "
        "each of the units that it counts, on the optimizer that is stepped."
    ),
    remedies=("step-schedule",),
    explained_by=(),
    reads=("event:learning-rate-schedule-inert",),
    find=find,
)
