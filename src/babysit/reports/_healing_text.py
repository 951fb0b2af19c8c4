"""The report of a healing on a terminal: the remedies, what they did, what to write, what else was tried."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from babysit.record import Effect, Healing, Tried, Values
from babysit.reports._evidence import value_text
from babysit.reports._findings import finding_line
from babysit.reports._remedy_summaries import remedy_summary

MOST_TRIED = 8
MOST = 0.8  # of the gap: what closes less is told as a part of it


def healing_renderable(found: Healing) -> RenderableType:
    """The report as rich draws it.

    Example:
        >>> from rich.console import Console
        >>> Console(width=70).print(healing_renderable(Healing("train.py", (), (), None, ())))
        heal train.py: nothing wrong was found, and nothing tried did better (0 rehearsals,
        0 steps, 0.0 s)
    """
    parts: list[RenderableType] = [healing_headline(found)]
    if found.findings:
        parts += [Text(), *(finding_line(one) for one in found.findings if one.severity != "note")]
    if found.effect is not None or found.mended:
        parts += [Text(), Text("what to change", style="bold")]
        parts += [Text(f"  {one}{_meaning(str(one))}") for one in found.remedies]
        parts += [
            Text(f"  {one}{_meaning(str(one))} (it is a fault, and the score does without it)") for one in found.mended
        ]
        parts += [Text(f"    {line}", style="dim") for line in found.advice]
    if found.diff:
        parts += [Text(), Text("what to write", style="bold"), _diff(found.diff)]
    if found.effect is not None:
        parts += [Text(), _effect(found.effect)]
    if found.left and found.remedies:
        parts += [Text(), Text("what is still wrong under the remedies", style="bold")]
        parts += [finding_line(one) for one in found.left]
    if found.seconds_wanted:
        parts += [Text(), Text(_out_of_time(found))]
    if found.tried:
        parts += [Text(), _tried(found)]
    parts += [Text(note, style="dim") for note in found.notes]
    if found.tried or found.findings:
        parts += [Text(), healing_headline(found)]
    return Group(*parts)


def tried_line(one: Tried) -> Text:
    """What was tried, in a line; it is shown while others are rehearsed.

    Example:
        >>> from babysit.record import Remedy
        >>> tried_line(Tried((Remedy("lr", "0.1"),), 0.5, {"loss": 0.3})).plain
        ' +50%  lr=0.1  loss 0.3'
    """
    style = _style(one)
    names = " ".join(map(str, one.remedies))
    told = one.refused or outcome_text(one.outcome)
    return Text.assemble((f"{_percent(one.gain) if not one.refused else '-':>5}", style), f"  {names}  ", (told, "dim"))


def outcome_text(outcome: Values) -> str:
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
    names = " and ".join(map(str, found.remedies))
    still = ", ".join(one.name for one in found.left)
    if found.remedies and (still or (found.effect is not None and found.effect.gain < MOST)):
        closed = f"closes {found.effect.gain:.0%} of the gap".replace("%", " %") if found.effect is not None else ""
        verdict, style = f"{names} {closed}{f'; still: {still}' if still else ''}", "bold yellow"
    elif found.remedies:
        verdict, style = f"healed by {names}", "bold green"
    elif found.mended:
        verdict, style = "a fault was found: " + " and ".join(map(str, found.mended)), "bold yellow"
    elif found.seconds_wanted:
        verdict, style = "sick, and the time was over before all that the findings ask for was tried", "bold red"
    elif found.unjudged:
        verdict, style = f"not judged: nothing was found, and {found.unjudged}", "bold yellow"
    elif any(one.severity != "note" for one in found.findings):
        verdict, style = "sick, and nothing that was tried heals it", "bold red"
    else:
        verdict, style = "nothing wrong was found, and nothing tried did better", "bold green"
    if found.interrupted:
        verdict += ", interrupted"
    spent = f" ({found.runs} rehearsals, {found.steps:,} steps, {found.seconds:.1f} s)"
    return Text.assemble(f"heal {found.subject}: ", (verdict, style), spent)


def _out_of_time(found: Healing) -> str:
    return (
        f"the time was over before all that the findings ask for was tried; about {found.seconds_wanted:.0f} seconds"
        f" would do: --seconds {found.seconds_wanted:.0f}"
    )


def _meaning(text: str) -> str:
    """What a remedy is, without the example that its sentence ends with."""
    known = remedy_summary(text.partition("=")[0])
    return f": {known.partition(':')[0]}" if known else ""


def effect_text(effect: Effect) -> str:
    """What the recommended remedies did, in a sentence: the median over the seeds.

    Example:
        >>> effect_text(Effect(({"training accuracy": 0.52},), ({"training accuracy": 0.98},), 0.9583))
        'closes 96 % of the gap between the sick training accuracy (0.52) and a perfect one (1.00)'
        >>> effect_text(Effect(({"loss": 2.3},) * 3, ({"loss": 0.23},) * 3, 0.9))
        'closes 90 % of the gap between the sick loss (2.3) and a loss of 0, median of 3 seeds'
        >>> effect_text(Effect(({"loss": math.inf},), ({"loss": 0.23},), 0.9))
        'mends a training that failed: its loss now falls by 90 %'
    """
    share = f"{effect.gain:.0%}".replace("%", " %")
    seeds = f", median of {len(effect.before)} seeds" if len(effect.before) > 1 else ""
    outcomes = (*effect.before, *effect.after)
    # The score that the gain was taken from: of evaluations, if they were seen, else of training rows.
    for phase in ("evaluation", "training"):
        for name in dict.fromkeys(name for one in outcomes for name in one):
            if name.startswith(phase) and all(name in one for one in outcomes):
                sick = _middle(effect.before, name)
                score = f"{name.replace('-', ' ')} ({sick:.2f}{'' if sick >= 0 else ', counted as 0'})"
                return f"closes {share} of the gap between the sick {score} and a perfect one (1.00){seeds}"
    sick, healed = (_middle(side, "loss") for side in (effect.before, effect.after))
    if not math.isfinite(sick):
        return f"mends a training that failed: its loss now falls by {share}{seeds}"
    if sick <= 0 or healed < 0:
        return f"lowers the loss from {sick:.4g} to {healed:.4g}{seeds}"
    return f"closes {share} of the gap between the sick loss ({sick:.4g}) and a loss of 0{seeds}"


def _middle(outcomes: Sequence[Values], name: str) -> float:
    values = sorted(float(one.get(name, math.inf)) for one in outcomes)
    return values[len(values) // 2]


def _effect(effect: Effect) -> RenderableType:
    """Seed by seed, each number of the training as it is and with the remedies."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for seed, (before, after) in enumerate(zip(effect.before, effect.after, strict=False)):
        names = [name for name in dict.fromkeys((*before, *after)) if name not in ("steps", "failed")]
        told = ", ".join(f"{name} {_cell(before, name)} -> {_cell(after, name)}" for name in names)
        table.add_row(f"  seed {seed}, {after.get('steps', 0):,} steps:", told)
    return Group(Text(f"what it did: {effect_text(effect)}", style="bold"), table)


def shown_outcomes(effect: Effect) -> list[tuple[int, str, str, str, str]]:
    """Seed, steps, and each number of the training as it is and with the remedies."""
    rows = []
    for seed, (before, after) in enumerate(zip(effect.before, effect.after, strict=False)):
        names = [name for name in dict.fromkeys((*before, *after)) if name not in ("steps", "failed")]
        steps = f"{after.get('steps', 0):,}"
        rows += [(seed, steps, name, _cell(before, name), _cell(after, name)) for name in names]
    return rows


def tried_rows(found: Healing) -> list[tuple[str, str, str, str]]:
    """Each remedy that was tried: its names, the share of the gap it closed, its outcome, the finding it is for."""
    return [
        (
            " ".join(map(str, one.remedies)),
            "" if one.refused else _percent(one.gain).replace("%", " %"),
            f"not applied: {one.refused}" if one.refused else outcome_text(one.outcome),
            one.because,
        )
        for one in sorted(found.tried, key=lambda one: (bool(one.refused), -one.share, -one.gain))
    ]


def _cell(outcome: Values, name: str) -> str:
    if outcome.get("failed") and name not in outcome:
        return "failed"
    return value_text(outcome[name]) if name in outcome else "unseen"


def _tried(found: Healing) -> RenderableType:
    shown = sorted(found.tried, key=lambda one: (bool(one.refused), -one.share, -one.gain))
    head = "what was tried, and which share of the gap to a perfect score (or to a loss of 0) it closed"
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True, min_width=7)
    table.add_column()
    for one in shown[:MOST_TRIED]:
        share = f", {one.share:.0%} of the steps" if one.share < 1 else ""
        because = f", for {one.because}" if one.because else ""
        gain = Text("-" if one.refused else _percent(one.gain), style=_style(one))
        told = f"{one.refused or outcome_text(one.outcome)}{share}{because}"
        table.add_row(gain, Text.assemble(" ".join(map(str, one.remedies)), (f"  {told}", "dim")))
    parts: list[RenderableType] = [Text(head, style="bold"), table]
    if len(shown) > MOST_TRIED:
        parts.append(Text(f"  and {len(shown) - MOST_TRIED} more, which --json and --report tell", style="dim"))
    return Group(*parts)


def _style(one: Tried) -> str:
    return "green" if one.gain > 0.05 else "red" if one.gain < 0 else ""


def _diff(diff: str) -> Text:
    """A unified diff, its lines coloured as usual."""
    shades = {"+": "green", "-": "red", "@": "cyan"}
    lines = Text(no_wrap=True, overflow="ignore")  # to be copied whole
    for line in diff.rstrip().split("\n"):
        head = line.startswith(("+++", "---"))
        lines.append(f"{line}\n", style="bold" if head else shades.get(line[:1], ""))
    lines.rstrip()
    return lines


def _percent(gain: float) -> str:
    return f"{gain:+.0%}" if math.isfinite(gain) else "-"
