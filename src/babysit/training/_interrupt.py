"""Ctrl-C that waits for the step under way."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """While this is entered, the first Ctrl-C sets `asked`; the second does what Ctrl-C always does.

    Only the main thread receives signals; elsewhere this does nothing and `asked` stays False.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: signal._HANDLER = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self._before)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
