"""A page for every quantity that probes measure."""

from __future__ import annotations

import inspect
import sys

from babysit.diseases import DISEASES
from babysit.lessons._page import Page
from babysit.record import QUANTITIES, Quantity


def _page(quantity: Quantity) -> Page:
    readers = tuple(name for name, source in _SOURCES.items() if f'"{quantity.name}"' in source)
    unit = f" Its unit: {quantity.unit}." if quantity.unit else ""
    return Page(
        name=quantity.name,
        kind="quantity",
        title=quantity.name.replace("-", " ").capitalize(),
        words=(f"{quantity.definition[0].upper()}{quantity.definition[1:]}.{unit}",),
        when=f"Read to find {', '.join(readers)}." if readers else "Told for people; no disease is found by it alone.",
        source="Measured by babysit's probes; a row of a trace has it under this name.",
        see=readers,
    )


# What a disease reads stands in its file; readers that several share are not followed.
_SOURCES = {name: inspect.getsource(sys.modules[disease.find.__module__]) for name, disease in DISEASES.items()}
QUANTITY_PAGES: tuple[Page, ...] = tuple(_page(quantity) for quantity in QUANTITIES.values())
