"""A page for every disease, made from what the disease itself says."""

from __future__ import annotations

from babysit.diseases import DISEASES, Disease
from babysit.lessons._page import Page
from babysit.record import REMEDIES, Remedy
from babysit.reports import LessonFigure, TableFigure


def _page(disease: Disease) -> Page:
    treats = [Remedy.parse(text) for text in disease.remedies]
    causes = [other.name for other in DISEASES.values() if disease.name in other.explained_by]

    def figures() -> tuple[LessonFigure, ...]:
        if not treats:
            return ()
        rows = tuple((str(remedy), REMEDIES[remedy.name].partition(":")[0]) for remedy in treats)
        return (TableFigure("remedies", "What treats it", "The likeliest first.", ("remedy", "what it does"), rows),)

    return Page(
        name=disease.name,
        kind="disease",
        title=disease.name.replace("-", " ").capitalize(),
        words=(disease.seen_as, disease.why),
        formula="",
        when=f"It counts as found by this rule: {disease.threshold}",
        wrong=_consequences(disease, causes),
        source=disease.source,
        figures=figures,
        see=tuple(dict.fromkeys((*disease.explained_by, *causes))),
    )


def _consequences(disease: Disease, causes: list[str]) -> str:
    parts = []
    if causes:
        parts.append(f"It causes {', '.join(causes)}.")
    if disease.explained_by:
        parts.append(f"It is itself a consequence of {', '.join(disease.explained_by)}, where one of these is found.")
    return " ".join(parts)


DISEASE_PAGES: tuple[Page, ...] = tuple(_page(disease) for disease in DISEASES.values())
