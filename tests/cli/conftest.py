"""What tests of several commands share."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

import babysit
from babysit.api import Healed
from babysit.record import Finding, Healing, Remedy, silent
from babysit.scripts import Script, ScriptSubject


@pytest.fixture
def healed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`demo` heals a script, which takes half a minute; the slow test of it does it really."""

    def heal(script: pathlib.Path, *, apply: pathlib.Path, progress: object = silent, **_: Any) -> Healed:
        apply.write_text(script.read_text())
        remedies = (Remedy("sigmoid-output"),)
        found = Healing(str(script), (Finding("softmax-over-one-unit", "sick", remedies=remedies),), remedies, None, ())
        return Healed(found, ScriptSubject(Script(str(script))))

    monkeypatch.setattr(babysit, "heal", heal)
