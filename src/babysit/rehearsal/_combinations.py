"""Combinations: remedies worth a rehearsal together, from findings, and from what any training may need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from babysit.record import Finding, NotAppliedError, Remedy, Trace
from babysit.remedies import REMEDIES, Epochs


@dataclass(frozen=True)
class Combination:
    """Remedies to be rehearsed together; mostly one.

    Attributes:
        remedies: Which.
        because: The finding that asks for them, empty for what is tried on every training.
        root: Whether that finding is one that no other explains, and more than a note.
    """

    remedies: tuple[Remedy, ...]
    because: str = ""
    root: bool = False


def combinations_from(findings: Sequence[Finding], trace: Trace) -> list[Combination]:
    """What the findings ask for, in their order; then the first remedies of all roots together.

    Example:
        >>> found = Finding("clipped", "sick", remedies=(Remedy("clip-norm"),))
        >>> [str(one.remedies[0]) for one in combinations_from([found], Trace())]
        ['clip-norm=1']
    """
    result: list[Combination] = []
    firsts: list[Remedy] = []
    for finding in findings:
        root = not finding.explained_by and finding.severity != "note"
        wanted = [value for remedy in finding.remedies for value in worth_trying(remedy, trace, finding.name)]
        result += [Combination((remedy,), finding.name, root) for remedy in wanted]
        if finding.severity != "note" and wanted:
            firsts.append(wanted[0])
    together = _without_repeats(firsts)
    if len(together) > 1:
        result.append(Combination(tuple(together), "all of them", root=True))
    roots = _without_repeats(
        value
        for finding in findings
        if not finding.explained_by
        for remedy in finding.remedies[:1]
        for value in worth_trying(remedy, trace, finding.name)[:1]
    )
    if len(roots) > 1 and roots != together:
        result.append(Combination(tuple(roots), "all of them"))
    return unique(result)


def for_any_training(trace: Trace) -> list[Combination]:
    """What every training may need, whatever was found: rates, an adaptive optimizer, scale, weights, and so on."""
    asked = [
        (place, Remedy(kind.name, value)) for kind in REMEDIES.values() for place, value in kind.for_any_training(trace)
    ]
    return [Combination((remedy,)) for _, remedy in sorted(asked, key=lambda one: one[0])]


def worth_trying(remedy: Remedy, trace: Trace, finding: str) -> list[Remedy]:
    """A remedy with the values that are worth trying; none where it changes no training."""
    kind = REMEDIES.get(remedy.name)
    return kind.worth_trying(remedy, trace, finding) if kind is not None else [remedy]


def more_epochs(trace: Trace) -> Remedy | None:
    """Three times as many epochs; None where it is not known how many there are."""
    return Epochs().more(trace)


def changes_the_loss(combination: Combination) -> bool:
    """Whether the loss is another function afterwards, so that losses cannot be compared."""
    return any(REMEDIES[one.name].new_loss for one in combination.remedies if one.name in REMEDIES)


def without(combination: Combination, refused: NotAppliedError) -> Combination:
    """A combination without the remedies that could not be applied."""
    missing = {remedy for remedy, _ in refused.missing}
    kept = tuple(one for one in combination.remedies if str(one) not in missing)
    return replace(combination, remedies=kept if len(kept) < len(combination.remedies) else ())


def _without_repeats(remedies: Iterable[Remedy]) -> list[Remedy]:
    """Each name once, the first time it comes."""
    found: dict[str, Remedy] = {}
    for remedy in remedies:
        found.setdefault(remedy.name, remedy)
    return list(found.values())


def unique(combinations: Iterable[Combination]) -> list[Combination]:
    """Each combination once, the first time it comes."""
    found: dict[frozenset[str], Combination] = {}
    for one in combinations:
        found.setdefault(frozenset(map(str, one.remedies)), one)
    return list(found.values())
