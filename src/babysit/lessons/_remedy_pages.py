"""A page for every remedy, made from what the remedy itself says."""

from __future__ import annotations

from babysit.diseases import DISEASES
from babysit.lessons._page import Page
from babysit.record import Remedy
from babysit.remedies import REMEDIES, RemedyKind
from babysit.reports import LessonFigure, TableFigure


def _page(kind: RemedyKind) -> Page:
    treated = tuple(
        disease.name
        for disease in DISEASES.values()
        if any(Remedy.parse(text).name == kind.name for text in disease.remedies)
    )
    what, _, example = kind.summary.partition(":")
    values = f" Legal values: {kind.values.legal}." if kind.values.legal else ""

    def figures() -> tuple[LessonFigure, ...]:
        rows = tuple((to, how) for to, how in _ways(kind))
        return (TableFigure("ways", "What it can be applied to", "", ("to", "how, or why not"), rows),)

    return Page(
        name=kind.name,
        kind="remedy",
        title=kind.name.replace("-", " ").capitalize(),
        words=(f"{what[0].upper()}{what[1:]}.{values}",),
        formula=example.strip() or kind.name,
        when=f"Recommended for {', '.join(treated)}." if treated else "Tried in rehearsals; no finding recommends it.",
        source="A rehearsal applies it for its own length; a recipe or a script can have it for good.",
        figures=figures,
        see=treated,
    )


def _ways(kind: RemedyKind) -> list[tuple[str, str]]:
    """What it can be applied to: how, or why not."""
    settings = ", ".join(text.format(value="VALUE") for text in kind.settings)
    on_built = "it acts on the network that the recipe builds"
    script = "the script's text is changed before it is run" if kind.of_the_text else kind.not_script
    return [
        ("a recipe", kind.not_recipe or settings or on_built),
        ("live objects", kind.not_live or "before the first step of a rehearsal"),
        ("a running script", script or f"babysit run --remedy {kind.name} train.py"),
        ("a script's text", kind.not_source or kind.advice or kind.summary),
    ]


REMEDY_PAGES: tuple[Page, ...] = tuple(_page(REMEDIES[name]) for name in sorted(REMEDIES))
