"""Remedies of a search: they change what is searched, and no training."""

from __future__ import annotations

from babysit.remedies._remedy_kind import RemedyKind

REASON = "it changes what is searched, and no single training"


class OfASearch(RemedyKind):
    """Base of the remedies of a search."""

    not_recipe = REASON
    not_live = REASON
    not_script = REASON
    not_source = REASON
