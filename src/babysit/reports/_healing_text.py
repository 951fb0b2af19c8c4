"""What healing came to, on a terminal: the change, what it did, how to write it, what else was tried."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from babysit.record import REMEDIES, Healing, Tried
from babysit.reports._findings import finding_line, value_text

MOST_TRIED = 12


def healing_renderable(found: Healing) -> RenderableType:
    """The report as rich draws it.

    Example:
        >>> Console(width=70).print(healing_renderable(Healing("train.py", (), (), None, ())))
        heal train.py: nothing wrong was found, and nothing tried did better (0 rehearsals,
        0 steps, 0.0 s)
    """
    parts: list[RenderableType] = [healing_headline(found)]
    if found.findings:
        parts += [Text(), *(finding_line(one) for one in found.findings if one.severity != "note")]
    if found.effect is not None:
        parts += [Text(), Text("what to change", style="bold")]
        parts += [Text(f"  {one}{_meaning(str(one))}") for one in found.remedies]
        parts += [Text(f"    {line}", style="dim") for line in found.advice]
        parts += [Text(), _effect(found)]
    if found.tried:
        parts += [Text(), _tried(found)]
    parts += [Text(note, style="dim") for note in found.notes]
    return Group(*parts)


def print_healing(found: Healing, console: Console) -> None:
    """Print what healing came to."""
    console.print(healing_renderable(found))


def tried_line(one: Tried) -> Text:
    """One change in a line, as it is told while others are rehearsed.

    Example:
        >>> from babysit.record import Remedy
        >>> tried_line(Tried((Remedy("lr", "0.1"),), 0.5, {"loss": 0.3})).plain
        ' +50%  lr=0.1  loss 0.3'
    """
    style = "green" if one.gain > 0.05 else "red" if one.gain < 0 else ""
    names = " ".join(map(str, one.remedies))
    told = one.refused or outcome_text(one.outcome)
    return Text.assemble((f"{_percent(one.gain) if not one.refused else '-':>5}", style), f"  {names}  ", (told, "dim"))


def outcome_text(outcome: Mapping[str, Any]) -> str:
    """The numbers of a rehearsal in a line.

    Example:
        >>> outcome_text({"steps": 10, "loss": 0.25, "training r2": 0.5})
        'loss 0.25, training r2 0.5'
    """
    if outcome.get("failed"):
        return f"failed: {outcome['failed']}"
    return ", ".join(f"{name} {value_text(value)}" for name, value in outcome.items() if name != "steps")


def healing_headline(found: Healing) -> Text:
    """What healing came to, in a line."""
    if found.remedies:
        verdict, style = "healed by " + " and ".join(map(str, found.remedies)), "bold green"
    elif any(one.severity != "note" for one in found.findings):
        verdict, style = "sick, and nothing that was tried heals it", "bold red"
    else:
        verdict, style = "nothing wrong was found, and nothing tried did better", "bold green"
    if found.interrupted:
        verdict += ", interrupted"
    spent = f" ({found.runs} rehearsals, {found.steps:,} steps, {found.seconds:.1f} s)"
    return Text.assemble(f"heal {found.subject}: ", (verdict, style), spent)


def _meaning(text: str) -> str:
    """What a remedy is, without the example that its sentence ends with."""
    known = REMEDIES.get(text.partition("=")[0], "")
    return f": {known.partition(':')[0]}" if known else ""


def _effect(found: Healing) -> RenderableType:
    """Seed by seed, each number as it is and changed."""
    assert found.effect is not None
    lines = [Text(f"what it did: {_percent(found.effect.gain)} of the gap to a perfect training", style="bold")]
    for seed, (before, after) in enumerate(zip(found.effect.before, found.effect.after, strict=False)):
        names = [name for name in dict.fromkeys((*before, *after)) if name not in ("steps", "failed")]
        told = ", ".join(f"{name} {_cell(before, name)} -> {_cell(after, name)}" for name in names)
        lines.append(Text(f"  seed {seed}, {after.get('steps', 0):,} steps: {told}"))
    return Group(*lines)


def _cell(outcome: Mapping[str, Any], name: str) -> str:
    if outcome.get("failed") and name not in outcome:
        return "failed"
    return value_text(outcome[name]) if name in outcome else "unseen"


def _tried(found: Healing) -> RenderableType:
    shown = sorted(found.tried, key=lambda one: (bool(one.refused), -one.share, -one.gain))
    lines = [Text("what was tried, and the share of the gap that it closed", style="bold")]
    for one in shown[:MOST_TRIED]:
        share = f", {one.share:.0%} of the steps" if one.share < 1 else ""
        because = f", for {one.because}" if one.because else ""
        lines.append(Text.assemble("  ", tried_line(one), (f"{share}{because}", "dim")))
    if len(shown) > MOST_TRIED:
        lines.append(Text(f"  and {len(shown) - MOST_TRIED} more, which --json tells", style="dim"))
    return Group(*lines)


def _percent(gain: float) -> str:
    return f"{gain:+.0%}" if math.isfinite(gain) else "-"
