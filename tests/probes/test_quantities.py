"""One table of quantities: what the observer measures is in it, and the page made from it is up to date."""

import pathlib
import re

from docs.write_quantities import COMMAND, PAGE, page

import babysit
from babysit.probes import Observer
from babysit.record import EVENTS, FACTS, QUANTITIES
from tests.probes.test_observer import NETS, train

SOURCES = pathlib.Path(babysit.__file__).parent


def test_what_is_measured_is_in_the_table() -> None:
    assert Observer.__doc__
    for make in NETS.values():
        _, _, trace, _ = train(make, watched=True)
        assert {row.quantity for row in trace.rows} <= set(QUANTITIES)
        assert {event.kind for event in trace.events} <= set(EVENTS)
        assert set(trace.facts) <= set(FACTS)


def test_what_is_in_the_table_is_measured_somewhere() -> None:
    packages = ("probes", "training", "remedies", "rehearsal", "scripts", "search", "api")
    text = "".join(file.read_text() for package in packages for file in (SOURCES / package).glob("*.py"))
    assert [name for name in QUANTITIES if f'"{name}"' not in text] == []
    assert [name for name in EVENTS if f'"{name}"' not in text] == []


def test_what_diseases_read_is_in_the_table() -> None:
    text = "".join(file.read_text() for file in (SOURCES / "diseases").glob("*.py"))
    read = set(re.findall(r'(?:series|observed|latest)\(\s*(?:trace,\s*)?"([a-z0-9-]+)"', text))
    assert read
    assert read <= set(QUANTITIES)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), f"run: {COMMAND}"
