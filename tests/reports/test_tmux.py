"""The live view in a real terminal: drawn, and taken away again by Ctrl-C."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

PROGRAM = """
import time
from babysit.record import EpochEnded, StepsTaken, TrainingBegan
from babysit.reports import LiveView
with LiveView() as progress:
    progress(TrainingBegan(epochs=3, steps_per_epoch=100))
    for step in range(1, 1000):
        progress(StepsTaken(min(step, 290), 1 + min(step, 290) // 100, 1.5, 0.01))
        if step == 100:
            progress(EpochEnded(1, 100, 0.01, 1.5, 1.25, "accuracy", 0.5, 0.25, 1.0, True))
        time.sleep(0.02)
"""


def tmux(*arguments: str) -> str:
    done = subprocess.run(["tmux", "-L", "babysit-test", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def seen(session: str, text: str, seconds: float = 30) -> str:
    """The screen once it shows a text."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        screen = tmux("capture-pane", "-p", "-t", session)
        if text in screen:
            return screen
        time.sleep(0.2)
    raise AssertionError(f"{text!r} never showed:\n{screen}")


def test_the_panel_is_drawn_and_the_cursor_comes_back(tmp_path: pathlib.Path) -> None:
    if shutil.which("tmux") is None and not os.environ.get("CI"):
        pytest.skip("tmux is not installed")
    (tmp_path / "program.py").write_text(PROGRAM)
    session = f"panel-{os.getpid()}"
    tmux("new-session", "-d", "-s", session, "-x", "90", "-y", "20", "sh")
    try:
        tmux("send-keys", "-t", session, f"{sys.executable} {tmp_path}/program.py; echo code $?", "Enter")
        assert "━" in seen(session, "epoch 1/3")
        screen = seen(session, "validation loss")
        assert "1.25 → 1.25" in screen
        assert "1.5 → 1.5" in screen
        assert "0.25 → 0.25" in screen
        assert "left" in screen
        tmux("send-keys", "-t", session, "C-c")
        seen(session, "KeyboardInterrupt")
        tmux("send-keys", "-t", session, "echo cursor", "Enter")
        seen(session, "cursor")
        assert tmux("display-message", "-p", "-t", session, "#{cursor_flag}").strip() == "1"
    finally:
        tmux("kill-session", "-t", session)
