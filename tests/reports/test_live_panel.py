"""The live panel: what it draws, in wide and narrow terminals, and that the terminal is given back."""

import io

import pytest
from rich.console import Console

from babysit.record import EpochNumbers, Event, Finding, Row, StepNumbers, Trace, TraceLayer
from babysit.reports import LivePanel, TerminalProgress, terminal_listener
from babysit.reports._live_panel import layer_table, ratio_text


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


def drawn(width: int, height: int = 40) -> tuple[LivePanel, Console]:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None)
    return LivePanel(console=console), console


def text_of(panel: LivePanel, console: Console) -> str:
    with console.capture() as capture:
        console.print(panel.panel())
    return capture.get()


def fill(panel: LivePanel) -> None:
    panel.began(epochs=10, steps_per_epoch=20, step=0)
    for step in range(50):
        panel.stepped(StepNumbers(step, 1 + step // 20, 2.3 / (step + 1), 0.01))
    panel.epoch_ended(EpochNumbers(1, 20, 0.01, 0.5, 0.75, "accuracy", 0.9, 0.8, 1.0, True))
    panel.measured(trace())
    panel.found([Finding("units-dead", "warning", f"fc{number}", {"share": 0.5}) for number in range(7)])


def test_it_draws_curves_layers_and_findings() -> None:
    panel, console = drawn(100)
    with panel:
        fill(panel)
        text = text_of(panel, console)
    lines = text.splitlines()
    assert any(line.startswith("loss") and "2.3 → 0.046" in line for line in lines)
    assert any(line.startswith("validation loss") and "0.75" in line for line in lines)
    assert any(line.startswith("accuracy") and "0.8" in line for line in lines)
    assert any(line.startswith("fc1") and "25%" in line and "1e-06 low" in line for line in lines)
    assert text.count("warning: units-dead") == 5
    assert "and 2 more" in text


@pytest.mark.parametrize("width", [20, 40, 60, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    panel, console = drawn(width)
    with panel:
        fill(panel)
        assert all(len(line.rstrip()) <= width for line in text_of(panel, console).splitlines())


def test_a_low_terminal_leaves_the_layers_out() -> None:
    panel, console = drawn(100, height=12)
    with panel:
        fill(panel)
        assert "outputs std" not in text_of(panel, console)


def test_the_curve_stays_bounded_and_keeps_its_beginning() -> None:
    panel, console = drawn(100)
    with panel:
        panel.began(epochs=1, steps_per_epoch=10**6, step=0)
        for step in range(20_000):
            panel.stepped(StepNumbers(step, 1, 2.0 if step == 0 else 1.0, 0.1))
        assert len(panel._losses) <= 800
        assert "2 → 1" in text_of(panel, console)


def test_the_terminal_is_given_back_after_an_error() -> None:
    panel, console = drawn(80)

    def interrupted() -> None:
        with panel:
            fill(panel)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    assert written.rfind("\x1b[?25h") > written.rfind("\x1b[?25l")  # the cursor is shown again


def test_many_layers_are_summed_up() -> None:
    console = Console(file=io.StringIO(), width=100)
    table = layer_table(trace(40), 100)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    assert "10 of 40 layers" in console.file.getvalue()
    assert layer_table(Trace(), 100) is None


def test_ratios_far_from_a_thousandth_are_marked() -> None:
    assert ratio_text(2e-3).plain == "0.002"
    assert ratio_text(0.5).plain.endswith("high")
    assert ratio_text(float("nan")).plain.endswith("high")
    assert ratio_text(1e-7).plain.endswith("low")
    assert ratio_text(None).plain == ""


def test_lines_where_there_is_no_terminal_or_when_asked_for() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True)
    assert isinstance(terminal_listener(console=terminal), LivePanel)
    assert isinstance(terminal_listener(console=terminal, plain=True), TerminalProgress)
    assert isinstance(terminal_listener(console=Console(file=io.StringIO())), TerminalProgress)


def test_plain_lines_tell_each_finding_once() -> None:
    console = Console(file=io.StringIO(), width=200)
    with TerminalProgress(plain=True, console=console) as progress:
        dead = Finding("units-dead", "warning", "fc1", {"share": 0.5})
        progress.found([dead])
        progress.found([dead, Finding("inputs-constant", "note", "", {"features": 3})])
        progress.measured(Trace())
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("units-dead") == 1
    assert "inputs-constant" not in console.file.getvalue()
