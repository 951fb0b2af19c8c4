"""Step 2, wiring: one batch through, and what the first steps do to each parameter."""

from __future__ import annotations

from typing import Any

from babysit.record import PreFlightStep
from babysit.rehearsal._examination import Examination
from babysit.rehearsal._verdict import verdict_of


def check_wiring(examination: Examination) -> PreFlightStep:
    """Look at shapes, at what enters the loss, at gradients and optimizers, and at rows that mix.

    Args:
        examination: Whose first steps.

    Returns:
        The step, with the findings of the catalogue's groups `wiring` and `dependence`.
    """
    trace = examination.trace
    findings = examination.of_groups({"wiring", "dependence"})
    facts = trace.facts
    numbers: dict[str, Any] = {
        name: facts[name]
        for name in ("loss", "output-shape", "target-shape", "target-kind", "optimizer", "parameters")
        if name in facts
    }
    mixing = examination.mixing
    if mixing is not None:
        numbers["row mixing"] = mixing
    # What is wrong stands first: numbers beside it may look well.
    parts = [f"{one.name}{f' in {one.where}' if one.where else ''}" for one in findings if one.severity != "note"]
    failed = trace.happened("failed")
    if failed:
        parts.append(failed[0].text)
    elif "loss" in facts and "output-shape" in facts:
        against = f" against {facts['target-shape']}" if "target-shape" in facts else ""
        loss = "a loss of its own" if facts["loss"] == "other" else facts["loss"]
        parts.append(f"{loss} of {facts['output-shape']}{against}")
    if not failed and "parameters" in facts:
        reached = "all get gradients and steps" if not _parameters(findings) else "not all get gradients and steps"
        parts.append(f"{int(facts['parameters']):,} parameters, {reached}")
    if mixing is not None:
        parts.append(
            "rows do not influence each other"
            if not any(one.name == "rows-mixed" for one in findings)
            else "rows influence each other"
        )
    followed = "output-shape" in facts or "parameters" in facts
    unseen = trace.happened("unseen")
    if unseen:
        parts.append(f"not measured: {unseen[0].layer or unseen[0].text}")
    return PreFlightStep(
        "wiring",
        verdict_of(findings, True if followed and not failed else None),
        measured=", ".join(parts) or "neither a loss nor a layer was seen",
        expected="each parameter gets a gradient and is in one optimizer; the loss gets what it is made for",
        why="a training with such a mistake runs without an error and learns something else",
        findings=tuple(findings),
        numbers=numbers,
    )


def _parameters(findings: list[Any]) -> bool:
    return any(
        finding.name in ("parameters-not-optimised", "parameters-frozen", "step-missing") for finding in findings
    )
