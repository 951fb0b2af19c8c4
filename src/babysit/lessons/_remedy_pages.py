"""A page for every remedy."""

from __future__ import annotations

from babysit.diseases import DISEASES
from babysit.lessons._page import Page
from babysit.record import REMEDIES, Remedy


def _page(name: str, words: str) -> Page:
    treated = tuple(
        disease.name
        for disease in DISEASES.values()
        if any(Remedy.parse(text).name == name for text in disease.remedies)
    )
    what, _, example = words.partition(":")
    return Page(
        name=name,
        kind="remedy",
        title=name.replace("-", " ").capitalize(),
        words=(f"{what[0].upper()}{what[1:]}.",),
        formula=example.strip() or name,
        when=f"Recommended for {', '.join(treated)}." if treated else "Tried in rehearsals; no finding recommends it.",
        source="A change that a rehearsal makes for its own length, or a recipe and a script for good.",
        see=treated,
    )


REMEDY_PAGES: tuple[Page, ...] = tuple(_page(name, words) for name, words in REMEDIES.items())
