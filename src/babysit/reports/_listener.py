"""Who shows a training: a panel on a terminal, lines elsewhere or when asked for."""

from __future__ import annotations

from rich.console import Console

from babysit.reports._live_panel import LivePanel
from babysit.reports._progress import TerminalProgress


def terminal_listener(*, plain: bool = False, console: Console | None = None) -> LivePanel | TerminalProgress:
    """A Listener for the terminal at hand, used as a context.

    Args:
        plain: Lines, as they are where there is no terminal.
        console: Where to write; None takes the standard error.

    Example:
        >>> import io
        >>> type(terminal_listener(console=Console(file=io.StringIO()))).__name__
        'TerminalProgress'
    """
    console = console or Console(stderr=True)
    if plain or not console.is_terminal:
        return TerminalProgress(plain=True, console=console)
    return LivePanel(console=console)
