"""Step 1, data: finite, scaled, centred, balanced, shuffled, split clean."""

from __future__ import annotations

import math
from typing import Any

from babysit.record import INPUTS, TARGETS, PreFlightStep
from babysit.rehearsal._examination import Examination
from babysit.rehearsal._verdict import verdict_of

SMALLEST, LARGEST = 0.01, 100.0  # std of inputs, from which on it is worth a word
SHARED = 0.01  # of the validation rows: small data sets have some equal rows
ROUNDING = 1e-5  # of the standard deviation
NUMBERS = {
    "mean": ("value-mean", INPUTS),
    "std": ("value-std", INPUTS),
    "smallest": ("value-min", INPUTS),
    "largest": ("value-max", INPUTS),
    "constant features": ("constant-features", INPUTS),
    "mean of targets": ("value-mean", TARGETS),
    "std of targets": ("value-std", TARGETS),
    "classes": ("classes-seen", TARGETS),
    "commonest class": ("label-top-share", TARGETS),
    "spread of classes over batches": ("label-dispersion", TARGETS),
}


def check_data(examination: Examination) -> PreFlightStep:
    """Look at the inputs and targets of all rows, in both splits.

    Args:
        examination: Whose rows.

    Returns:
        The step, with the findings of the catalogue's group `data`.
    """
    trace = examination.trace
    findings = examination.of_groups({"data"})
    numbers: dict[str, Any] = {}
    for name, (quantity, layer) in NUMBERS.items():
        values = trace.series(quantity, layer=layer).values
        if values:
            numbers[name] = values[-1]
    seen = examination.rows_seen
    if seen is not None:
        numbers |= {"training rows seen": seen.training, "validation rows seen": seen.validation}
    shared = trace.series("duplicate-rows-share", phase="validation").values
    if shared:
        numbers["validation rows among the training rows"] = shared[-1]
    looked = bool(numbers) or any(row.layer == INPUTS for row in trace.rows)
    return PreFlightStep(
        "data",
        verdict_of(findings, _meets(numbers) if looked else None),
        measured=_sentence(numbers, whole=seen is None or seen.whole)
        if looked
        else "no inputs and no targets were seen",
        expected=f"finite; std about 1 ({SMALLEST:g} to {LARGEST:g}); classes evenly drawn; no row in both splits",
        why="a network can only learn what its rows hold, and their scale decides which learning rates work",
        findings=tuple(findings),
        numbers=numbers,
    )


def _meets(numbers: dict[str, Any]) -> bool:
    """Whether inputs are finite and of a usual size, and no validation row is a training row."""
    known = [numbers[name] for name in ("mean", "std", "smallest", "largest") if name in numbers]
    std = numbers.get("std", 1.0)
    shared = numbers.get("validation rows among the training rows", 0.0)
    return all(map(math.isfinite, known)) and (std == 0 or SMALLEST <= std <= LARGEST) and not shared > SHARED


def around(mean: float, std: float) -> str:
    """A mean and a standard deviation; what rounding left of a mean of zero is zero.

    Example:
        >>> around(3e-9, 1.0), around(2.5, 0.1)
        ('0 ± 1', '2.5 ± 0.1')
    """
    return f"{0.0 if abs(mean) < ROUNDING * std else mean:.3g} ± {std:.3g}"


def _sentence(numbers: dict[str, Any], *, whole: bool) -> str:
    parts = []
    if "training rows seen" in numbers:
        all_of_them = "" if whole else " of more"
        parts.append(f"{numbers['training rows seen']:,} training rows{all_of_them}")
    if "mean" in numbers:
        parts.append(f"inputs {around(numbers['mean'], numbers['std'])}")
        parts.append(f"from {numbers['smallest']:.3g} to {numbers['largest']:.3g}")
    if "classes" in numbers:
        parts.append(f"{numbers['classes']:.0f} classes, the commonest {numbers.get('commonest class', 0):.0%}")
    elif "std of targets" in numbers:
        parts.append(f"targets {around(numbers['mean of targets'], numbers['std of targets'])}")
    if numbers.get("validation rows seen"):
        shared = numbers.get("validation rows among the training rows", 0.0)
        parts.append(f"{shared:.1%} of {numbers['validation rows seen']:,} validation rows in training")
    return ", ".join(parts) or "inputs are class numbers or tokens, which have no scale"
