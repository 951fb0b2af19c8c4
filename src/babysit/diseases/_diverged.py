"""A loss that is NaN, infinite, or far above its first value."""

from __future__ import annotations

import math
from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._explosion import TIMES_THE_FIRST, find_explosion
from babysit.diseases._learned import READS_LOSS
from babysit.diseases._reading import observed
from babysit.record import Finding, Severity, Trace

# An unknown loss may rise to three times the first on purpose: a game of two networks, an annealed penalty.
FAR = 100.0


def find(trace: Trace) -> list[Finding]:
    """Find what came first, NaN, an infinity or a far too large number, and where."""
    steps, values = trace.series("loss")
    evidence: dict[str, Any] = {}
    born = trace.happened("not-finite")
    explosion = find_explosion(trace)
    broken = _broken_weights(trace)
    severity: Severity = "sick"
    if explosion is not None:
        before = [value for step, value in zip(steps, values, strict=True) if step < explosion.step]
        evidence = {"first": "above the limit" if explosion.kind == "above" else explosion.kind, "step": explosion.step}
        evidence |= _first_steps(steps, values)
        if math.isfinite(explosion.loss):
            evidence["loss"] = explosion.loss
        if before and math.isfinite(before[-1]):
            evidence["loss before"] = before[-1]
        if math.isfinite(explosion.limit):
            evidence["limit"] = explosion.limit
        not_finite = any(not math.isfinite(value) for value in values)
        if not explosion.lasting and not broken:
            if not not_finite:
                return []
            bad = sum(not math.isfinite(value) for value in values)
            evidence |= {"losses that are not numbers": bad, "of losses": len(values)}
            severity = "warning"  # such steps were left out, or rows without a target made them
        elif not not_finite and not _known(trace) and not _far(explosion.limit, values):
            severity = "warning"
    elif broken is None and (not born or _went_on(trace, born[-1].step)):
        return []
    if broken is not None:
        evidence |= {"weights that are not numbers": broken[0], "at step": broken[1]}
    if born:
        evidence |= {"event": born[0].text, "event at step": born[0].step}
    where = born[0].layer if born and born[0].layer else broken[0] if broken is not None else ""
    evidence["threshold"] = f"NaN, inf, or above {TIMES_THE_FIRST:g} times the first loss"
    return [DISEASE.finding(where, evidence=evidence, severity=severity)]


def _first_steps(steps: tuple[int, ...], values: tuple[float, ...]) -> dict[str, int]:
    """Infinity and NaN are different facts: the one overflowed, the other is inf - inf or 0 / 0 or came with data."""
    pairs = list(zip(steps, values, strict=True))
    infinite = next((step for step, value in pairs if math.isinf(value)), None)
    nan = next((step for step, value in pairs if math.isnan(value)), None)
    found = {"first inf at step": infinite, "first NaN at step": nan}
    return {name: step for name, step in found.items() if step is not None}


def _broken_weights(trace: Trace) -> tuple[str, int] | None:
    """The first layer whose weights are not numbers at the end of the trace, and since when."""
    found = []
    for layer in trace.layers_with("weight-not-finite-share"):
        steps, shares = trace.series("weight-not-finite-share", layer=layer)
        if shares[-1] > 0:
            found.append((next(step for step, share in zip(steps, shares, strict=True) if share > 0), layer))
    first = min(found, key=lambda pair: pair[0], default=None)
    return None if first is None else (first[1], first[0])


def _known(trace: Trace) -> bool:
    return trace.facts.get("loss", "other") not in ("other", "kl")


def _far(limit: float, values: tuple[float, ...]) -> bool:
    return values[-1] > limit / TIMES_THE_FIRST * FAR


def _went_on(trace: Trace, step: int) -> bool:
    """Whether losses after that step are numbers."""
    later, _ = observed(trace, "loss")
    return any(found > step for found in later)


DISEASE = Disease(
    name="diverged",
    group="dynamics",
    severity="sick",
    seen_as="The loss is NaN or infinite, or far above its first value, and stays there.",
    threshold=(
        f"A last loss that is NaN or infinite, or a median of the last tenth above {TIMES_THE_FIRST:g} times the start:"
        " the first loss, or that of the best constant answer where it is larger. Weights that are not numbers at the"
        f" end. A warning where losses became numbers again, and, below {FAR:g} times, for an unknown loss function."
    ),
    source="CS231n, lecture 6: `if cost > 3 * original_cost: break out early`; rates of 1e6 and 3e-3 give NaN and inf.",
    why=(
        "The weights are so far off that no later step brings them back, and weights that are NaN stay NaN."
        " Everything learned before is lost."
    ),
    remedies=("lr", "clip-norm=1"),
    explained_by=(
        "inputs-not-finite",
        "targets-not-finite",
        "inputs-badly-scaled",
        "targets-badly-scaled",
        "labels-out-of-range",
        "wrong-loss",
        "wrong-output-activation",
        "gradients-not-cleared",
        "gradient-sign-flipped",
        "scheduler-misused",
        "activations-explode",
        "gradients-explode",
        "learning-rate-too-high",
    ),
    reads=("weight-not-finite-share", "event:not-finite", *READS_LOSS),
    find=find,
)
