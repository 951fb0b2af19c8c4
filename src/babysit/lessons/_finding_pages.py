"""A page for every disease and for every quantity, made from what diseases and the table of quantities say."""

from __future__ import annotations

from babysit.diseases import DISEASES, Disease, readers_of
from babysit.lessons._page import Page
from babysit.record import QUANTITIES, Quantity, Remedy
from babysit.remedies import REMEDIES
from babysit.reports import LessonFigure, TableFigure

NAMED = 10  # diseases on the page of a quantity


def _disease_page(disease: Disease) -> Page:
    treats = [Remedy.parse(text) for text in disease.remedies]
    causes = [other.name for other in DISEASES.values() if disease.name in other.explained_by]

    def figures() -> tuple[LessonFigure, ...]:
        if not treats:
            return ()
        rows = tuple((str(remedy), REMEDIES[remedy.name].summary.partition(":")[0]) for remedy in treats)
        return (
            TableFigure("remedies", "What treats it", "The likeliest remedy first.", ("remedy", "what it does"), rows),
        )

    return Page(
        name=disease.name,
        kind="disease",
        title=disease.name.replace("-", " ").capitalize(),
        words=(disease.seen_as, disease.why),
        formula="",
        when=f"The rule that finds it: {disease.threshold}",
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


def _quantity_page(quantity: Quantity) -> Page:
    readers = readers_of(quantity.name)
    more = f" and {len(readers) - NAMED} more" if len(readers) > NAMED else ""
    read = f"Read to find {', '.join(readers[:NAMED])}{more}."
    unit = f" Its unit: {quantity.unit}." if quantity.unit else ""
    return Page(
        name=quantity.name,
        kind="quantity",
        title=quantity.name.replace("-", " ").capitalize(),
        words=(f"{quantity.definition[0].upper()}{quantity.definition[1:]}.{unit}",),
        when=read if readers else "It is shown for people; no disease is found by it.",
        source="Measured by babysit's probes; a row of a trace has it under this name.",
        see=readers[:NAMED],
    )


DISEASE_PAGES: tuple[Page, ...] = tuple(_disease_page(disease) for disease in DISEASES.values())
QUANTITY_PAGES: tuple[Page, ...] = tuple(_quantity_page(quantity) for quantity in QUANTITIES.values())
