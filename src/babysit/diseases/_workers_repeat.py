"""Loader workers that draw the same random numbers, or give the same rows."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="workers-repeat",
    group="dependence",
    severity="sick",
    seen_as=(
        "Two workers of a loader augment the same row in the same way, or a stream is read whole by each of them."
    ),
    threshold=(
        "The same row, fetched first by two workers, is equal in every number, while it differs when one "
        "worker fetches it twice. Or the first batches of two workers of a stream are equal."
    ),
    source=(
        "Measured on a loader of the same data set with two workers. PyTorch seeds NumPy, Python and itself "
        "in each worker; a generator that the data set holds, or a seed set in `worker_init_fn`, is the same "
        "in all."
    ),
    why=(
        "Augmentation gives as many times fewer different rows as there are workers, or each row comes "
        "several times an epoch. Seed by worker: in `worker_init_fn`, from "
        "`torch.utils.data.get_worker_info().seed`; share a stream out by `get_worker_info().id`."
    ),
    remedies=("seed-workers",),
    explained_by=(),
    reads=("event:workers-repeat",),
    find=find,
)
