"""Step 4, initial loss: against what the loss, the number of classes and the class priors imply."""

from __future__ import annotations

import math
from typing import Any

from babysit.record import OUTPUTS, TARGETS, InputError, PreFlightStep, Remedy, Trace
from babysit.rehearsal._examination import Examination, skipped
from babysit.rehearsal._verdict import verdict_of
from babysit.remedies import BiasPrior

# Nats, or share of a squared error, by which a constant answer is better than outputs of zero, from which on biases
# that start there are worth a word: three classes of 90, 9 and 1 % have .75 less entropy than ln 3.
WORTH = 0.2
ABOUT = (
    2.0  # times the loss of outputs that are zero: fresh outputs of unit variance add half a nat, or double a square
)
PRIOR_SECONDS = 5.0


def check_initial_loss(examination: Examination) -> PreFlightStep:
    """Compare the first loss with that of outputs that are all zero, and with that of the best constant answer.

    ln C for cross-entropy, ln 2 for two classes, C - 1 for the hinge, the targets' mean square for a squared error;
    the entropy of the classes' shares and the targets' variance for a constant answer. Where the constant answer is
    clearly better, starting the output biases there is tried, and the loss it gives is told.

    Source: CS231n lecture 6.
    """
    trace = examination.trace
    losses = trace.series("criterion").values or trace.series("loss").values
    if not losses:
        return skipped("initial-loss", "no loss was measured")
    first = losses[0]
    findings = examination.named({"initial-loss-off"})
    zero, named = _of_zero(trace)
    constant = _of_constant(trace)
    numbers: dict[str, Any] = {"first loss": first}
    if zero is not None:
        numbers["loss of outputs that are zero"] = zero
    if constant is not None:
        numbers["loss of a constant answer"] = constant
    measured = f"{first:.4g}"
    why = "a first loss far above it means that the untrained network answers wrongly and with certainty"
    gap = _gap(zero, constant, trace)
    if zero is not None and constant is not None and gap > WORTH:
        prior = _with_prior(examination)
        if prior is not None:
            numbers["first loss with output biases at the priors"] = prior
            measured += f"; with output biases set to the targets' average ({BiasPrior.name}) it was {prior:.4g}"
    expected = f"about {zero:.4g} ({named})" if zero is not None else "not known for this loss"
    if constant is not None and gap > WORTH:
        expected += f"; a constant answer costs {constant:.4g}"
    verdict = verdict_of(findings, _meets(first, zero, constant))
    return PreFlightStep("initial-loss", verdict, measured, expected, why, tuple(findings), numbers)


def _meets(first: float, zero: float | None, constant: float | None) -> bool | None:
    """Whether the first loss is about that of knowing nothing, or below it, as of a network that was trained before."""
    if zero is None or not math.isfinite(first):
        return None
    return first <= ABOUT * max(zero, constant or 0.0)


def _of_zero(trace: Trace) -> tuple[float | None, str]:
    """The loss of outputs that are zero, and how it comes about."""
    loss = trace.facts.get("loss", "")
    if trace.facts.get("loss-reduction", "mean") != "mean":
        return None, ""
    widths = trace.series("width", layer=OUTPUTS).values
    if loss in ("cross-entropy", "nll") and widths and widths[0] > 1:
        return math.log(widths[0]), f"ln {widths[0]:.0f}"
    if loss in ("bce", "bce-with-logits"):
        return math.log(2), "ln 2"
    if loss == "hinge" and widths and widths[0] > 1:
        return widths[0] - 1, f"{widths[0]:.0f} classes - 1"
    mean, std = (trace.series(name, layer=TARGETS).values for name in ("value-mean", "value-std"))
    if loss == "mse" and mean and std:
        return mean[-1] ** 2 + std[-1] ** 2, "mean square of the targets"
    return None, ""


def _of_constant(trace: Trace) -> float | None:
    loss = trace.facts.get("loss", "")
    entropy = trace.series("label-entropy", layer=TARGETS).values
    std = trace.series("value-std", layer=TARGETS).values
    if loss in ("cross-entropy", "nll", "bce", "bce-with-logits") and entropy:
        return entropy[-1]
    return std[-1] ** 2 if loss == "mse" and std else None


def _gap(zero: float | None, constant: float | None, trace: Trace) -> float:
    if zero is None or constant is None or not zero > 0:
        return 0.0
    return (zero - constant) / (zero if trace.facts.get("loss") == "mse" else 1.0)


def _with_prior(examination: Examination) -> float | None:
    """The first loss with output biases at the targets' average; None where there are no such biases."""
    try:
        trace = examination.rehearsed(1, Remedy(BiasPrior.name), seconds=PRIOR_SECONDS, losses_only=True)
    except InputError:
        return None
    values = trace.series("loss").values
    return values[0] if values else None
