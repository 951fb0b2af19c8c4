"""What `babysit` alone shows: three ways in, each with an example, and the commands in groups."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

DOORS = (
    ("a script that does not learn", "babysit check train.py", "babysit heal train.py finds the cure"),
    ("a training that is about to run", "babysit run train.py --epochs 3", "watched, with the same numbers as without"),
    ("a table or images, and no code", "babysit fit flights.csv --target delay", "a trained, scored and kept network"),
)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Find what is wrong, and mend it": ("check", "heal", "run", "compare", "diagnose", "compare-init"),
    "Set up, train, tune": ("fit", "tune", "resume", "recipe"),
    "Use what was trained": ("evaluate", "predict", "export", "report"),
    "Learn": ("demo", "explain"),
}
OTHERS = "For programs and agents"  # the group of all other commands


def group_of(verb: str) -> str:
    """The heading under which a command stands.

    Example:
        >>> group_of("heal")
        'Find what is wrong, and mend it'
    """
    return next((name for name, verbs in GROUPS.items() if verb in verbs), OTHERS)


def doors(verbs: Mapping[str, str]) -> RenderableType:
    """The whole of it.

    Args:
        verbs: Commands, each with what it does.
    """
    parts: list[RenderableType] = [
        Text("babysit checks, watches, heals and tunes the training of neural networks. Three ways in:"),
        Text(),
    ]
    for who, command, then in DOORS:
        parts += [Text(f"  {who}"), Text.assemble("    ", (command, "bold green"), (f"   {then}", "dim"))]
    for name in (*GROUPS, OTHERS):
        chosen = [verb for verb in GROUPS.get(name, ()) if verb in verbs]
        chosen += [] if name in GROUPS else [verb for verb in verbs if group_of(verb) == OTHERS]
        if not chosen:
            continue
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, min_width=14)
        table.add_column()
        for verb in chosen:
            table.add_row(Text(f"  {verb}", style="cyan"), Text(verbs[verb]))
        parts += [Text(), Text(name, style="bold"), table]
    parts += [Text(), Text("babysit COMMAND --help tells all about a command.", style="dim")]
    return Group(*parts)
