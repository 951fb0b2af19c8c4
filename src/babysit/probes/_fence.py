"""The fence between babysit and the training that it watches: an error of babysit's own ends here.

Whatever is called by the user's program (hooks, wrapped functions) catches its own errors and gives them to a Fence,
which tells of them as events of kind `unseen`; whoever owns the fence then stops measuring. What is raised on purpose
is raised outside of the code that is fenced. A `try` that catches nothing costs nothing.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterable

from babysit.record import Event


class Fence:
    """Tells of errors of babysit's own, of each kind once.

    Args:
        tell: Where events go.

    Example:
        >>> events = []
        >>> fence = Fence(events.extend)
        >>> for step in range(2):
        ...     try:
        ...         len(0)
        ...     except TypeError as error:
        ...         fence.caught(step, "nothing more is measured", error)
        >>> [(event.step, event.kind) for event in events]
        [(0, 'unseen')]
        >>> events[0].text.partition(" (")[0]
        "nothing more is measured, because babysit itself failed: TypeError: object of type 'int' has no len()"
    """

    def __init__(self, tell: Callable[[Iterable[Event]], None]) -> None:
        self._tell = tell
        self._told: set[tuple[str, type[Exception]]] = set()

    def caught(self, step: int, what: str, error: Exception) -> None:
        """An error was caught.

        Args:
            step: The step under way.
            what: What is not measured any more, as a sentence.
            error: The error.
        """
        kind = what, type(error)
        if kind in self._told:
            return
        self._told.add(kind)
        with contextlib.suppress(Exception):  # an error whose text cannot be made, a store that cannot be written
            *_, last = traceback.extract_tb(error.__traceback__)
            where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
            text = f"{what}, because babysit itself failed: {type(error).__name__}: {error} ({where})"
            self._tell([Event(step, "unseen", text)])
