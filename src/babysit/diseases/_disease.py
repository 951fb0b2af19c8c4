"""Disease: a rule that reads a Trace, and all there is to know about what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from babysit.record import Finding, Remedy, Severity, Trace

Group = Literal["data", "wiring", "dependence", "set-up", "dynamics", "search"]
PAGES = "docs/diseases.md"


@dataclass(frozen=True)
class Disease:
    """One name of the catalogue.

    Attributes:
        name: As JSON, docs and `ignore` call it.
        group: Where it comes from; causes lie in the earlier groups more often than in the later ones.
        severity: Of its findings, where they do not say otherwise.
        seen_as: What shows it, in a sentence.
        threshold: The rule, with its numbers.
        source: Where those numbers come from: a paper, a lecture, a measurement and how it was made.
        why: What it does to a training and why that matters, in two short sentences.
        remedies: Remedies that treat it, the likeliest first, in their text form.
        explained_by: Diseases that cause this one: where one of them is found too, this is its consequence.
        reads: What `find` asks a trace for: quantities, facts as `fact:NAME`, events as `event:KIND`. Held by a test.
        find: Reads a Trace and answers with `finding()`s, none when the trace cannot show the disease.
        alone: Whether it is a fault of structure that alone makes learning impossible once it is sick, whatever scale,
            rate and first weights are: then it stands before findings about those.
    """

    name: str
    group: Group
    severity: Severity
    seen_as: str
    threshold: str
    source: str
    why: str
    remedies: tuple[str, ...]
    explained_by: tuple[str, ...]
    reads: tuple[str, ...]
    find: Callable[[Trace], list[Finding]]
    alone: bool = False

    @property
    def page(self) -> str:
        """Where the disease is described."""
        return f"{PAGES}#{self.name}"

    def finding(
        self,
        where: str = "",
        *,
        evidence: Mapping[str, Any],
        severity: Severity | None = None,
        remedies: Sequence[str] | None = None,
    ) -> Finding:
        """A finding of this disease.

        Args:
            where: Layer, feature or step.
            evidence: The numbers, by name, and the threshold they passed.
            severity: Other than usual.
            remedies: Other than usual, such as with a value that fits the numbers.
        """
        assert evidence, "no verdict without evidence"
        return Finding(
            name=self.name,
            severity=severity or self.severity,
            where=where,
            evidence=evidence,
            why=self.why,
            remedies=tuple(Remedy.parse(text) for text in (self.remedies if remedies is None else remedies)),
            page=self.page,
        )
