"""Inputs that are NaN or infinite."""

from __future__ import annotations

from typing import Any

from babysit.diseases._disease import Disease
from babysit.diseases._reading import latest, observed
from babysit.record import INPUTS, Finding, Trace

WHOLE_FEATURE = 0.02  # of a feature: how near to whole ones the bad values must come in every batch to be told as such


def find(trace: Trace) -> list[Finding]:
    """One value is enough: it reaches every weight at the next step."""
    steps, shares = observed(trace, "not-finite-share", layer=INPUTS)
    bad = [(step, share) for step, share in zip(steps, shares, strict=True) if share > 0]
    if not bad:
        return []
    evidence: dict[str, Any] = {
        "first step": bad[0][0],
        "batches": len(bad),
        "of batches": len(steps),
        "largest share": max(share for _, share in bad),
        "threshold": "share above 0",
    }
    worst = _worst_feature(trace)
    if worst:
        evidence |= {"worst feature": worst[0], "share of the worst feature": worst[1]}
    else:
        evidence |= _whole_features(trace, [share for _, share in bad])
    where = f"{worst[0] if worst else 'inputs'}, step {bad[0][0]}"
    return [DISEASE.finding(where, evidence=evidence)]


def _worst_feature(trace: Trace) -> tuple[str, float] | None:
    """The feature with the largest share, where features were measured one by one."""
    shares = {
        layer: max(
            (share for share in observed(trace, "not-finite-share", layer=layer).values if share > 0), default=0.0
        )
        for layer in trace.layers_with("not-finite-share")
        if layer.startswith(f"{INPUTS}[")
    }
    worst = max(shares, key=lambda layer: shares[layer], default=None)
    return (worst, shares[worst]) if worst is not None and shares[worst] > 0 else None


def _whole_features(trace: Trace, shares: list[float]) -> dict[str, int]:
    """A column that is empty from end to end gives the same share, a multiple of 1/features, in every batch."""
    features = latest(trace, "features", layer=INPUTS)
    if not features:
        return {}
    counts = [share * features for share in shares]
    whole = round(counts[0])
    if whole < 1 or any(abs(count - whole) > WHOLE_FEATURE for count in counts):
        return {}
    return {"as many as whole features": whole, "of features": round(features)}


DISEASE = Disease(
    name="inputs-not-finite",
    group="data",
    severity="sick",
    seen_as="A batch of inputs has NaN or infinite values.",
    threshold="A single NaN or infinite value.",
    source="IEEE 754: a NaN makes every sum it enters a NaN, and so the loss, every gradient and every weight.",
    why=(
        "One such value makes the loss NaN, and the next step makes every weight NaN. Everything learned before is"
        " lost."
    ),
    remedies=("impute-inputs",),
    explained_by=(),
    reads=("features", "not-finite-share"),
    find=find,
)
