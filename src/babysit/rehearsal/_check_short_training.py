"""Step 8, a short watched training: the dynamics' findings."""

from __future__ import annotations

import math
import statistics
from typing import Any

from babysit.diseases import evidence_of_learning
from babysit.record import PreFlightStep
from babysit.rehearsal._check_init import ELSEWHERE, of_dynamics
from babysit.rehearsal._examination import Examination, skipped
from babysit.rehearsal._verdict import verdict_of

# The steps that try learning rates and the tiny subset tell these.
OTHERS = frozenset({"cannot-overfit-tiny-batch"})
# A short training does not show how a long one ends.
OF_LONG_TRAININGS = frozenset({"stopped-too-early", "underfitting", "capacity-too-low", "overfitting"})
SET_UP = ELSEWHERE - {"initial-loss-off", "weight-decay-too-strong"} - OF_LONG_TRAININGS


def check_short_training(examination: Examination) -> PreFlightStep:
    """Train a little with every step measured, and diagnose it.

    Returns:
        The step, with the findings of the catalogue's group `dynamics`.
    """
    trace = examination.trace
    losses = trace.series("loss").values
    if examination.fails or not losses:
        return skipped("short-training", "no batch could be trained on")
    # A script that was watched to its own end shows how it ends; and the step that looks at weight decay cannot reach
    # its weights.
    named = set(SET_UP)
    if not examination.subject.has_live_parts:
        named |= {"weight-decay-too-strong"} | (OF_LONG_TRAININGS if "epochs" in trace.facts else set())
    findings = examination.of_groups({"dynamics"}, without=OTHERS | OF_LONG_TRAININGS) + examination.named(named)
    findings += [one for one in examination.of_groups({"set-up"}, without=ELSEWHERE) if of_dynamics(one)]
    ratios = [
        value
        for layer in trace.layers
        for value in trace.series("update-ratio", layer=layer.name).values
        if math.isfinite(value)
    ]
    tail = losses[-max(1, len(losses) // 10) :]
    last = statistics.median(tail)
    numbers: dict[str, Any] = {"steps": len(losses), "first loss": losses[0], "last loss": last}
    measured = f"{len(losses)} steps, loss {losses[0]:.4g} to {last:.4g}"
    learning = evidence_of_learning(trace)
    if learning.strength == "none":
        measured += f"; {learning.told}"
    numbers["evidence of learning"] = learning.strength
    if ratios:
        numbers["update ratio"] = statistics.median(ratios)
        measured += f"; updates {numbers['update ratio']:.1e} of the weights"
    return PreFlightStep(
        "short-training",
        verdict_of(findings, None if learning.strength == "none" else True),
        measured,
        "better than a constant answer, or a loss that falls clearly; updates are about 1e-3 of the weights",
        "most faults of a training show in its first steps",
        tuple(findings),
        numbers,
    )
