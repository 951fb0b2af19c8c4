"""A check and a healing while they run. Their reports come after them, so that their panels leave nothing behind."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.text import Text

from babysit.record import (
    PRE_FLIGHT_STEPS,
    CheckBegan,
    CheckStepBegan,
    CheckStepEnded,
    Finding,
    FindingsChanged,
    HealBegan,
    PreFlightStep,
    ProgressEvent,
    RehearsalsBegan,
    RemediesTried,
    SubjectWatched,
    Tried,
)
from babysit.reports._check_text import step_line
from babysit.reports._findings import finding_line
from babysit.reports._healing_text import tried_line
from babysit.reports._live_part import LivePart

MOST_TRIED = 10  # of the best tried so far
MOST_FINDINGS = 3


class CheckPart(LivePart):
    """What was found so far, the steps that are done, and a bar over all of them with the time that is left at most."""

    lines_elsewhere = False

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._done: list[PreFlightStep] = []
        self._found: list[Finding] = []
        self._told: set[str] = set()  # names of findings that were printed
        self._now = ""
        self._count = 1
        self._seconds = 0.0

    def take(self, event: ProgressEvent) -> list[Text]:
        match event:
            case CheckBegan():
                self._count, self._seconds = max(1, len(event.steps)), event.seconds
            case CheckStepBegan():
                self._now = event.name
            case CheckStepEnded():
                self._done.append(event.step)
                return [step_line(event.step)]
            case FindingsChanged():
                self._found = [one for one in event.findings if one.severity != "note"]
                new = [one for one in self._found if one.name not in self._told]
                self._told |= {one.name for one in new}
                return [*map(finding_line, new)]
            case _:
                pass
        return []

    def draw(self) -> RenderableType:
        left = Text(f"at most {max(0.0, self._seconds - self.passed):.0f} s left", no_wrap=True)
        doing = Text(f"{self._now}: {PRE_FLIGHT_STEPS.get(self._now, '')}", no_wrap=True, overflow="ellipsis")
        found = map(finding_line, self._found[:MOST_FINDINGS])
        return Group(*found, *map(step_line, self._done), self.bar(len(self._done) / self._count, left, doing))


class HealPart(LivePart):
    """What is wrong, the best of what was tried, and a bar over the time."""

    lines_elsewhere = False

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._findings: list[Finding] = []
        self._tried: list[Tried] = []
        self._stage = "watching the training as it is"
        self._seconds = 0.0

    def take(self, event: ProgressEvent) -> list[Text]:
        match event:
            case HealBegan():
                self._seconds = event.seconds
                return [Text(self._stage)]
            case SubjectWatched():
                self._findings = [one for one in event.findings if one.severity != "note"]
                return [*map(finding_line, self._findings)]
            case RehearsalsBegan():
                self._stage = f"{event.stage}: {event.runs} rehearsals"
                return [Text(self._stage)]
            case RemediesTried():
                self._tried = sorted([*self._tried, event.tried], key=lambda one: -one.gain)[:MOST_TRIED]
                return [tried_line(event.tried)]
            case _:
                return []

    def draw(self) -> RenderableType:
        left = max(0.0, self._seconds - self.passed)
        bar = self.bar(self.passed / max(1e-9, self._seconds), f"{self._stage}, at most {left:.0f} s left")
        return Group(*map(finding_line, self._findings[:MOST_FINDINGS]), *map(tried_line, self._tried), bar)
