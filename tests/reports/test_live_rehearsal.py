"""A check and a healing in the live view: what is done and what time is left on a terminal, elsewhere nothing."""

import io

import pytest
from rich.console import Console

from babysit.record import (
    CheckBegan,
    CheckEnded,
    CheckStepBegan,
    CheckStepEnded,
    ExplainBegan,
    Finding,
    FindingsChanged,
    HealBegan,
    HealEnded,
    PageBegan,
    PreFlightStep,
    ProgressEvent,
    RehearsalsBegan,
    RemediesTried,
    Remedy,
    SubjectWatched,
    Tried,
)
from babysit.reports import LiveView, as_text
from babysit.reports._live_explain import ExplainPart
from babysit.reports._live_part import LivePart
from babysit.reports._live_rehearsal import CheckPart, HealPart

CHECK: tuple[ProgressEvent, ...] = (
    CheckBegan(("data", "overfit-tiny"), 60.0),
    CheckStepEnded(PreFlightStep("data", "pass", measured="1,257 training rows")),
    CheckStepBegan("overfit-tiny"),
)
FOUND = FindingsChanged((Finding("gradients-not-cleared", "sick"), Finding("batch-norm-missing", "note")))
HEAL: tuple[ProgressEvent, ...] = (
    HealBegan(60.0),
    SubjectWatched((Finding("lr-too-high", "sick"), Finding("inputs-constant", "note"))),
    RehearsalsBegan("what the findings ask for", 3),
    *(RemediesTried(Tried((Remedy("lr", f"1e-{number}"),), number / 20)) for number in range(12)),
)


def drawn(part: LivePart, events: tuple[ProgressEvent, ...], console: Console) -> str:
    for event in events:
        part.take(event)
    with console.capture() as captured:
        console.print(part.draw())
    return captured.get()


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_it_stays_within_a_line_a_step(width: int) -> None:
    console = terminal(width)
    text = drawn(CheckPart(console), CHECK, console)
    line = next(line for line in text.splitlines() if "overfit-tiny" in line)
    assert "s left" in line
    assert "a few examples" in line
    assert "1,257 training rows" in text
    assert max(map(len, text.splitlines())) <= width


def test_what_was_found_so_far_stands_above_the_steps() -> None:
    lines = drawn(CheckPart(terminal(120)), (*CHECK[:1], FOUND, *CHECK[1:]), terminal(120)).splitlines()
    assert "gradients-not-cleared" in lines[0]


def test_of_a_healing_the_best_stay_with_what_is_wrong_and_the_time_that_is_left() -> None:
    console = terminal(120)
    lines = drawn(HealPart(console), HEAL, console).splitlines()
    assert "lr-too-high" in lines[0]
    assert "lr=1e-11" in lines[1]
    assert not any("lr=1e-0" in line or "lr=1e-1 " in line or "inputs-constant" in line for line in lines)
    assert "what the findings ask for: 3 rehearsals, at most" in lines[-1]


@pytest.mark.parametrize("events", [(*CHECK, CheckEnded()), (*HEAL, HealEnded())])
def test_a_terminal_is_left_clean_and_elsewhere_nothing_is_printed(events: tuple[ProgressEvent, ...]) -> None:
    for console in (Console(file=io.StringIO()), terminal(100)):
        with LiveView(console=console) as progress:
            for event in events:
                progress(event)
        text = written(console)
        assert (text == "") == (not console.is_terminal)
        assert text.rfind("\x1b[?25h") >= text.rfind("\x1b[?25l")


def test_lines_when_asked_for() -> None:
    console = Console(file=io.StringIO(), width=200)
    with LiveView(plain=True, console=console) as progress:
        for event in (*CHECK, FOUND, FOUND, CheckEnded(), *HEAL, HealEnded()):
            progress(event)
    lines = written(console).splitlines()
    assert "gradients-not-cleared" in lines.pop(1)  # once, and the note not at all
    assert lines[0].split() == "pass data 1,257 training rows".split()
    assert lines[1] == "watching the training as it is"
    assert "lr-too-high" in lines[2]
    assert lines[3] == "what the findings ask for: 3 rehearsals"
    assert len(lines) == 4 + 12


def test_pages_of_explain_have_a_bar_and_the_time_that_is_left() -> None:
    part = ExplainPart(Console(width=90))
    assert part.take(ExplainBegan(25)) == []
    assert [line.plain for line in part.take(PageBegan("relu"))] == ["page 1 of 25: relu"]
    part.take(PageBegan("tanh"))
    shown = as_text(part.draw(), 90)
    assert "1 of 25 pages, about " in shown
    assert "computing the figures of tanh" in shown
    alone = ExplainPart(Console(width=90))
    alone.take(ExplainBegan(1))
    alone.take(PageBegan("relu"))
    assert "computing the figures of relu" in as_text(alone.draw(), 90)


def test_something_is_shown_before_the_first_event() -> None:
    shown = io.StringIO()
    with LiveView(console=Console(file=shown, width=60, force_terminal=True)):
        pass
    assert "loading PyTorch" in shown.getvalue() or "beginning" in shown.getvalue()
    quiet = io.StringIO()
    with LiveView(console=Console(file=quiet, width=60)):
        pass
    assert quiet.getvalue() == ""
