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


NOTHING = Combination(())
ALL_CAUSES = "all of them"


def asked_by(findings: Sequence[Finding], trace: Trace, base: Combination = NOTHING) -> list[Combination]:
    """What findings ask for on top of a combination: first the remedies of all causes together, then each alone.

    Example:
        >>> found = Finding("clipped", "sick", remedies=(Remedy("clip-norm"),))
        >>> [str(one.remedies[0]) for one in asked_by([found], Trace())]
        ['clip-norm=1']
    """
    alone: list[Combination] = []
    later: list[Combination] = []  # further values, and what notes ask for
    firsts: list[Remedy] = []
    roots: list[Remedy] = []
    for finding in findings:
        root = not finding.explained_by and finding.severity != "note"
        wanted = [value for remedy in finding.remedies for value in worth_trying(remedy, trace, finding.name)]
        made = [Combination((remedy,), finding.name, root) for remedy in wanted]
        (alone if finding.severity != "note" else later).extend(made[:1])
        later += made[1:]
        if finding.severity != "note" and wanted:
            firsts.append(wanted[0])
            if root:
                roots.append(wanted[0])
    together = [Combination(_compatible(some), ALL_CAUSES, root=True) for some in (roots, firsts)]
    together = [one for one in together if len(one.remedies) > 1]
    return unique(extended(base, one.remedies, one.because, root=one.root) for one in (*together, *alone, *later))


def extended(
    base: Combination, remedies: Iterable[Remedy], because: str = "", *, root: bool | None = None
) -> Combination:
    """A combination with more remedies; each takes the place of one of its name, or that does the same otherwise.

    Example:
        >>> both = extended(Combination((Remedy("lr", "1"), Remedy("shuffle"))), [Remedy("lr", "0.1")])
        >>> " ".join(map(str, both.remedies))
        'shuffle lr=0.1'
    """
    new = tuple(remedies)
    kept = tuple(one for one in base.remedies if not any(_excludes(one, other) for other in new))
    return Combination((*kept, *new), because or base.because, base.root if root is None else root)


def _excludes(one: Remedy, other: Remedy) -> bool:
    if one.name == other.name:
        return True
    both = [REMEDIES[name].alike for name in (one.name, other.name) if name in REMEDIES]
    return len(both) == 2 and both[0] != "" and both[0] == both[1]


def _compatible(remedies: Iterable[Remedy]) -> tuple[Remedy, ...]:
    """Those that can be applied together: of what excludes one another the first."""
    found: list[Remedy] = []
    for remedy in remedies:
        if not any(_excludes(remedy, one) for one in found):
            found.append(remedy)
    return tuple(found)


def for_any_training(trace: Trace) -> list[Combination]:
    """What every training may need, whatever was found: rates, an adaptive optimizer, scale, weights, and so on."""
    asked = [
        (place, Remedy(kind.name, value)) for kind in REMEDIES.values() for place, value in kind.for_any_training(trace)
    ]
    return [Combination((remedy,)) for _, remedy in sorted(asked, key=lambda one: one[0])]


def worth_trying(remedy: Remedy, trace: Trace, finding: str) -> list[Remedy]:
    """A remedy with the values that are worth trying; none where no rehearsal could show what it does."""
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


def unique(combinations: Iterable[Combination]) -> list[Combination]:
    """Each combination once, the first time it comes."""
    found: dict[frozenset[str], Combination] = {}
    for one in combinations:
        found.setdefault(frozenset(map(str, one.remedies)), one)
    return list(found.values())
