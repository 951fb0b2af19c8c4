"""Candidates: changes worth a rehearsal, from findings, the likeliest first, and from what any training may need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from babysit.record import Finding, Remedy, Trace

# Of the user's rate, both ways: half a decade and more is what a training notices.
LOWER, HIGHER, BOTH = (0.1, 0.3, 0.03, 0.01), (10.0, 3.0, 30.0, 100.0), (0.1, 10.0)
MORE_EPOCHS = 3
CLASS_LOSSES = ("cross-entropy", "nll", "bce", "bce-with-logits", "hinge")
NUMBER_LOSSES = ("mse", "l1", "smooth-l1", "huber")
# Values for remedies that a finding recommends by name alone.
USUAL = {
    "activation": ("relu", "selu"),
    "batch-size": ("32", "64"),
    "clip-norm": ("1",),
    "dropout": ("0", "0.2"),
    "insert-activation": ("relu",),
    "optimizer": ("adam",),
    "weight-decay": ("0", "0.0001"),
}
# What cures nothing within a training, or is no change of it.
NOT_TRIED = frozenset({"drop-constant-features", "stop-earlier", "wider"})


@dataclass(frozen=True)
class Candidate:
    """A change to be rehearsed.

    Attributes:
        remedies: Together.
        because: The finding that asks for it, empty for what is tried on every training.
        root: Whether that finding is one that no other explains, and more than a note.
    """

    remedies: tuple[Remedy, ...]
    because: str = ""
    root: bool = False


def candidates_from(findings: Sequence[Finding], trace: Trace) -> list[Candidate]:
    """What the findings ask for, in their order; then the first remedies of all roots together.

    Example:
        >>> found = Finding("clipped", "sick", remedies=(Remedy("clip-norm"),))
        >>> [str(one.remedies[0]) for one in candidates_from([found], Trace())]
        ['clip-norm=1']
    """
    result: list[Candidate] = []
    firsts: list[Remedy] = []
    for finding in findings:
        root = not finding.explained_by and finding.severity != "note"
        wanted = [value for remedy in finding.remedies for value in with_values(remedy, trace, finding.name)]
        result += [Candidate((remedy,), finding.name, root) for remedy in wanted]
        if finding.severity != "note" and wanted:
            firsts.append(wanted[0])
    together = _without_repeats(firsts)
    if len(together) > 1:
        result.append(Candidate(tuple(together), "all of them", root=True))
    roots = _without_repeats(
        value
        for finding in findings
        if not finding.explained_by
        for remedy in finding.remedies[:1]
        for value in with_values(remedy, trace, finding.name)[:1]
    )
    if len(roots) > 1 and roots != together:
        result.append(Candidate(tuple(roots), "all of them"))
    return unique(result)


def usual_candidates(trace: Trace) -> list[Candidate]:
    """What every training may need, whatever was found: rates, an adaptive optimizer, scale, weights, and so on."""
    loss, facts = trace.facts.get("loss", ""), trace.facts
    names = ["standardise-inputs", "optimizer=adam", *_rates(trace, (10.0, 0.1)), "insert-batch-norm"]
    if loss in NUMBER_LOSSES:
        names.append("standardise-targets")
    names += ["initialise", "activation=relu"]
    if loss in NUMBER_LOSSES or loss in ("cross-entropy", "bce-with-logits"):
        names.append("linear-output")
    names += _rates(trace, (3.0, 0.3, 0.01, 100.0))
    if loss in CLASS_LOSSES:
        names.append("class-weights")
    names += ["clip-norm=1", "activation=selu"]
    if float(facts.get("weight-decay", "0") or 0) > 0:
        names.append("weight-decay=0")
    if any(layer.kind == "dropout" for layer in trace.layers):
        names.append("dropout=0")
    if facts.get("batch-size", "32") != "32":
        names.append("batch-size=32")
    return [Candidate((Remedy.parse(name),)) for name in names]


def more_epochs(trace: Trace) -> Remedy | None:
    """Three times as many epochs; None where nobody knows how many there are."""
    epochs = trace.facts.get("epochs", "")
    return Remedy("epochs", str(MORE_EPOCHS * int(epochs))) if epochs.isdecimal() and int(epochs) else None


def with_values(remedy: Remedy, trace: Trace, finding: str) -> list[Remedy]:
    """A remedy with the values that are worth trying; none where it changes no training."""
    if remedy.name in NOT_TRIED:
        return []
    if remedy.name == "lr" and remedy.value is None:
        factors = {"learning-rate-too-high": LOWER, "learning-rate-too-low": HIGHER}.get(finding, BOTH)
        return [Remedy.parse(text) for text in _rates(trace, factors)]
    if remedy.name == "epochs":
        more = more_epochs(trace)
        return [] if more is None else [more]
    if remedy.value is None and remedy.name in USUAL:
        return [Remedy(remedy.name, value) for value in USUAL[remedy.name]]
    return [remedy]


def rate_of(trace: Trace) -> float | None:
    """The rate that the training is meant to have: the highest it took, as schedules rise from and fall to nothing."""
    rates = [value for value in trace.series("lr").values if value > 0]
    return max(rates) if rates else None


def _rates(trace: Trace, factors: Iterable[float]) -> list[str]:
    rate = rate_of(trace)
    return [] if rate is None else [f"lr={rate * factor:.3g}" for factor in factors]


def _without_repeats(remedies: Iterable[Remedy]) -> list[Remedy]:
    """Each name once, the first time it comes."""
    found: dict[str, Remedy] = {}
    for remedy in remedies:
        found.setdefault(remedy.name, remedy)
    return list(found.values())


def unique(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each change once, the first time it comes."""
    found: dict[frozenset[str], Candidate] = {}
    for one in candidates:
        found.setdefault(frozenset(map(str, one.remedies)), one)
    return list(found.values())
