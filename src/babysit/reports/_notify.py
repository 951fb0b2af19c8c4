"""Notify: a command, or where it is asked for a web address, that is told of sick findings and of what a guard did."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Sequence

from babysit.record import FindingsChanged, GuardActed, InputError, ProgressEvent
from babysit.reports._findings import finding_line

NotifyLike = str | Sequence[str] | Callable[[str], object]
SECONDS = 10.0  # that a command or a server may take
WEB = ("http://", "https://")


class Notify:
    """Tells somebody who is not there. It never waits or fails: what did not work is said on the standard error.

    A command gets the message as its last argument and in `BABYSIT_MESSAGE`; no shell is involved. An address gets a
    POST of the JSON `{"text": MESSAGE}`, as Slack and Mattermost want it. Nothing is sent unless an address is given.

    Args:
        to: A command as text or list, an address, or a function of the message.

    Raises:
        InputError: It is none of them.

    Example:
        >>> told = []
        >>> Notify(told.append).tell("the loss exploded")
        >>> told
        ['the loss exploded']
    """

    def __init__(self, to: NotifyLike) -> None:
        self._address = to if isinstance(to, str) and to.startswith(WEB) else ""
        self._call = to if callable(to) else None
        words = shlex.split(to) if isinstance(to, str) else [] if callable(to) else [*to]
        if (not words and self._call is None) or any(not isinstance(word, str) for word in words):
            raise InputError(
                f"notify is {to!r}",
                legal="a command, an address that begins with https://, or a function of the message",
                write='notify="notify-send babysit"',
            )
        self._command = words
        self._told: set[str] = set()
        self._threads: list[threading.Thread] = []

    def __call__(self, event: ProgressEvent, /) -> None:
        """Tell of each sick finding, once."""
        if isinstance(event, FindingsChanged):
            for finding in event.findings:
                if finding.severity == "sick" and finding.name not in self._told and not finding.explained_by:
                    self._told.add(finding.name)
                    self.tell(finding_line(finding).plain)
        elif isinstance(event, GuardActed):
            self.tell(event.text)

    def tell(self, message: str) -> None:
        """Tell it."""
        if self._call is not None:
            self._send(message)
            return
        thread = threading.Thread(target=self._send, args=(message,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Until all was told, or the time for it is over."""
        for thread in self._threads:
            thread.join(SECONDS)
        self._threads.clear()

    def _send(self, message: str) -> None:
        try:
            if self._call is not None:
                self._call(message)
            elif self._address:
                self._post(message)
            else:
                environment = {**os.environ, "BABYSIT_MESSAGE": message}
                done = subprocess.run(
                    [*self._command, message],
                    env=environment,
                    timeout=SECONDS,
                    check=False,
                    capture_output=True,
                    text=True,
                )
                if done.returncode:
                    raise OSError(f"exit code {done.returncode} {done.stderr.strip()}".strip())
        except Exception as error:
            # Paths of addresses hold keys.
            to = urllib.parse.urlsplit(self._address).hostname or (
                self._command[0] if self._command else "the function"
            )
            print(f"babysit: {to} could not be notified: {error}", file=sys.stderr)

    def _post(self, message: str) -> None:
        import urllib.request  # a tenth of a second, for those who ask for it

        content = json.dumps({"text": message}).encode()
        asked = urllib.request.Request(self._address, content, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=SECONDS):
            pass
