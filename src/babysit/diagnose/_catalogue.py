"""Every disease that a Trace can show. To add one: a file of its own, and a line here."""

from __future__ import annotations

from babysit.diagnose import _inputs_not_finite
from babysit.diagnose._disease import Disease

DISEASES: dict[str, Disease] = {
    disease.name: disease
    for disease in (
        # data
        _inputs_not_finite.DISEASE,
        # wiring
        # set-up
        # dynamics
    )
}
