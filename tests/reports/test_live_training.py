"""A training in the live view: its panel in wide and narrow terminals, its lines, and the terminal given back."""

import io

import pytest
from rich.console import Console

from babysit.record import (
    EpochEnded,
    Event,
    Finding,
    FindingsChanged,
    Progress,
    Row,
    StepsTaken,
    Trace,
    TraceLayer,
    TraceMeasured,
    TrainingBegan,
    TrainingEnded,
)
from babysit.reports import LiveView
from babysit.reports._live_training import TrainingPart, layer_table, ratio_text


def trace(layers: int = 3) -> Trace:
    made, rows = [], []
    for number in range(layers):
        made += [
            TraceLayer(f"fc{number}", "linear", depth=number + 1, units=8),
            TraceLayer(f"act{number}", "activation", "relu", depth=number + 1, units=8),
        ]
        for step in range(5):
            rows += [
                Row(step, "train", f"fc{number}", "activation-std", 0.5 + number),
                Row(step, "train", f"fc{number}", "update-ratio", 10.0 ** (-3 - 3 * number)),
                Row(step, "train", f"act{number}", "never-active-share", 0.25 * number),
            ]
    return Trace(tuple(rows), events=(Event(0, "unseen", "x"),), layers=tuple(made))


def terminal(width: int, height: int = 40) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def text_of(part: TrainingPart, console: Console) -> str:
    with console.capture() as capture:
        console.print(part.draw())
    return capture.get()


def send(progress: Progress) -> None:
    progress(TrainingBegan(epochs=10, steps_per_epoch=20))
    for step in range(50):
        progress(StepsTaken(step, 1 + step // 20, 2.3 / (step + 1), 0.01))
    progress(EpochEnded(1, 20, 0.01, 0.5, 0.75, "accuracy", 0.9, 0.8, 1.0, True))
    progress(TraceMeasured(trace()))
    findings = (Finding("units-dead", "warning", f"fc{number}", {"share": 0.5}) for number in range(7))
    progress(FindingsChanged(tuple(findings)))


def filled(console: Console) -> TrainingPart:
    part = TrainingPart(console)
    send(part.take)
    return part


def test_it_draws_curves_layers_and_findings() -> None:
    console = terminal(100)
    text = text_of(filled(console), console)
    lines = text.splitlines()
    assert any(line.startswith("loss") and "2.3 → 0.046" in line for line in lines)
    assert any(line.startswith("validation loss") and "0.75" in line for line in lines)
    assert any(line.startswith("accuracy") and "0.8" in line for line in lines)
    assert any(line.startswith("fc1") and "25%" in line and "1e-06 low" in line for line in lines)
    assert text.count("warning: units-dead") == 5
    assert "and 2 more" in text


@pytest.mark.parametrize("width", [20, 40, 60, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    console = terminal(width)
    assert all(len(line.rstrip()) <= width for line in text_of(filled(console), console).splitlines())


def test_a_low_terminal_leaves_the_layers_out() -> None:
    low, high = terminal(100, height=12), terminal(100)
    assert "outputs std" not in text_of(filled(low), low)
    assert "outputs std" in text_of(filled(high), high)


def test_the_curve_stays_bounded_and_keeps_its_beginning() -> None:
    console = terminal(100)
    part = TrainingPart(console)
    part.take(TrainingBegan(epochs=1, steps_per_epoch=10**6))
    for step in range(20_000):
        part.take(StepsTaken(step, 1, 2.0 if step == 0 else 1.0, 0.1))
    assert len(part._losses) <= 800
    assert "2 → 1" in text_of(part, console)


@pytest.mark.parametrize("ending", ["ended", "raised", "began another"])
def test_the_terminal_is_given_back(ending: str) -> None:
    console = terminal(80)
    try:
        with LiveView(console=console) as progress:
            send(progress)
            if ending == "raised":
                raise KeyboardInterrupt
            if ending == "began another":
                progress(TrainingBegan(epochs=1, steps_per_epoch=1))
            progress(TrainingEnded("done"))
    except KeyboardInterrupt:
        pass
    text = written(console)
    assert "epoch  3/10" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor is shown again"
    assert ("training ended: done" in text) == (ending != "raised")


def test_the_last_state_stays_in_lines() -> None:
    console = terminal(200)
    with LiveView(console=console) as progress:
        send(progress)
        progress(TrainingEnded("all 10 epochs are done"))
    lines = [line.strip() for line in written(console).splitlines()]
    at = next(place for place, line in enumerate(lines) if line.endswith("training ended: all 10 epochs are done"))
    assert lines[at - 1].endswith("loss 0.5 | 0.75  accuracy 0.900 | 0.800 *")
    assert sum("warning: units-dead" in line for line in lines[at + 1 :]) == 5


def test_many_layers_are_summed_up() -> None:
    console = Console(file=io.StringIO(), width=100)
    table = layer_table(trace(40), 100)
    console.print(table)
    assert "10 of 40 layers" in written(console)
    assert layer_table(Trace(), 100) is None


def test_ratios_far_from_a_thousandth_are_marked() -> None:
    assert ratio_text(2e-3).plain == "0.002"
    assert ratio_text(0.5).plain.endswith("high")
    assert ratio_text(float("nan")).plain.endswith("high")
    assert ratio_text(1e-7).plain.endswith("low")
    assert ratio_text(None).plain == ""


def test_lines_where_there_is_no_terminal_or_when_asked_for() -> None:
    for console, plain in ((Console(file=io.StringIO(), width=200), False), (terminal(200), True)):
        with LiveView(plain=plain, console=console) as progress:
            progress(TrainingBegan(epochs=3, steps_per_epoch=10))
            progress(StepsTaken(3, 1, float("nan"), 0.1))
            for number in (1, 2, 3):
                loss = float("nan") if number == 3 else 0.5
                progress(
                    EpochEnded(number, number * 10, 0.1, loss, 0.75, "accuracy", 0.9, 0.8, number * 1.0, number == 1)
                )
            progress(TrainingEnded("all 3 epochs are done"))
        lines = written(console).splitlines()
        assert lines[0] == "training: 3 epochs of 10 steps"
        assert lines[1].startswith("epoch 1/3  loss 0.5 | 0.75  accuracy 0.900 | 0.800 *")
        assert "nan" in lines[-2]
        assert lines[-1] == "training ended: all 3 epochs are done"
        assert "\x1b[?25l" not in written(console), "no panel"


def test_plain_lines_tell_each_finding_once() -> None:
    console = Console(file=io.StringIO(), width=200)
    with LiveView(plain=True, console=console) as progress:
        dead = Finding("units-dead", "warning", "fc1", {"share": 0.5})
        progress(TrainingBegan(epochs=1, steps_per_epoch=10))
        progress(FindingsChanged((dead,)))
        progress(FindingsChanged((dead, Finding("inputs-constant", "note", "", {"features": 3}))))
        progress(TraceMeasured(Trace()))
    assert written(console).count("units-dead") == 1
    assert "inputs-constant" not in written(console)


def test_an_event_before_any_beginning_shows_nothing() -> None:
    console = Console(file=io.StringIO())
    LiveView(console=console)(StepsTaken(1, 1, 0.5, 0.1))
    assert written(console) == ""
