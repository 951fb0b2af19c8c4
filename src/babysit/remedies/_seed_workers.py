"""`seed-workers`: loader workers that draw random numbers of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from babysit.record import Remedy
from babysit.remedies._application import Application
from babysit.remedies._applied import AppliedRemedies
from babysit.remedies._remedy_kind import RemedyKind

if TYPE_CHECKING:
    from babysit.remedies.source import Edits


class SeedWorkers(RemedyKind):
    """Loader workers that draw random numbers of their own."""

    name = "seed-workers"
    summary = "give each loader worker random numbers of its own"
    advice = (
        "in worker_init_fn, seed every generator that rows are changed by from torch.utils.data.get_worker_info().seed"
    )
    place = "loader"
    unmet = "no DataLoader with workers was gone through"
    held_in = frozenset({"loader"})
    not_recipe = "the loader of a recipe has no workers that draw"
    not_live = "a rehearsal of live objects leaves the workers of its loader as they are"

    def script(self, remedy: Remedy, applied: AppliedRemedies, application: Application) -> None:
        """Seed each worker anew, after its own beginning."""
        applied.batches.seed_workers(application)

    def source(self, remedy: Remedy, edits: Edits) -> bool:
        """Without a `worker_init_fn` that gives all workers one seed: PyTorch seeds them apart by itself."""
        from babysit.remedies.source import write_seed_workers

        return write_seed_workers(edits)
