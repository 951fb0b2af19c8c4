"""A page for every quantity that probes measure."""

from __future__ import annotations

from babysit.diseases import readers_of
from babysit.lessons._page import Page
from babysit.record import QUANTITIES, Quantity

NAMED = 10  # diseases on one page


def _page(quantity: Quantity) -> Page:
    readers = readers_of(quantity.name)
    more = f" and {len(readers) - NAMED} more" if len(readers) > NAMED else ""
    unit = f" Its unit: {quantity.unit}." if quantity.unit else ""
    return Page(
        name=quantity.name,
        kind="quantity",
        title=quantity.name.replace("-", " ").capitalize(),
        words=(f"{quantity.definition[0].upper()}{quantity.definition[1:]}.{unit}",),
        when=f"Read to find {', '.join(readers[:NAMED])}{more}."
        if readers
        else "It is shown for people; no disease is found by it.",
        source="Measured by babysit's probes; a row of a trace has it under this name.",
        see=readers[:NAMED],
    )


QUANTITY_PAGES: tuple[Page, ...] = tuple(_page(quantity) for quantity in QUANTITIES.values())
