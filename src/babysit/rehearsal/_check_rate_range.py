"""Step 7, rate range: which learning rates learn, at constant rates on a ladder; one sweep where steps are slow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from typing import Any

from babysit.diseases import DISEASES, starts_trained
from babysit.record import Finding, InputError, PreFlightStep, Severity, to_values
from babysit.rehearsal._examination import Examination, skipped
from babysit.rehearsal._rate_ladder import FEWEST, STEPS, find_rate_range, find_rates_around, members_of
from babysit.rehearsal._rate_range import RateRange
from babysit.rehearsal._rate_sweep import RateSweep, sweep_rates
from babysit.rehearsal._verdict import verdict_of
from babysit.remedies import rate_of

SHARE = 0.2  # of the check's time
SCRIPT_SHARE = 0.5  # of the time that is left, of a script
SURE = 0.8  # confidence from which on a rate far outside the good ones is worth a warning
DECADE = 10.0  # beyond the good interval: within it, schedules and warm-ups have their reasons
SWEEP = (1e-6, 10.0, 60)  # from, to, steps
WRITTEN = 1.1  # rates are told in two digits
FEWEST_RATES = 30
# A sweep answers within about a decade (benchmarks/rate_finders.py), and the steepest fall lies above the rates that
# fine-tuning takes: so only what it shows to diverge, or rates so far below, are worth a warning.
ROUGHLY, FAR_BELOW = 10.0, 1000.0


def check_rate_range(examination: Examination) -> PreFlightStep:
    """Find the interval of good rates, the one to take and the largest stable one, and compare the user's with them.

    Where not even a few steps of each member can be afforded, one sweep of rising rates answers in their place.
    """
    trace = examination.trace
    if examination.fails or not trace.series("loss").steps:
        return skipped("rate-range", "no batch could be trained on")
    if not all(map(math.isfinite, trace.series("loss").values[:1])):
        return skipped("rate-range", "the first loss is NaN or infinite")
    rate = rate_of(trace) or math.nan
    seconds = min(SHARE * examination.seconds, max(1.0, examination.left))
    step_seconds = _step_seconds(examination)
    try:
        if not examination.subject.has_live_parts:
            return _around(examination, rate)
        if members_of(step_seconds, seconds) < FEWEST:
            steps = max(FEWEST_RATES, min(SWEEP[2], int(seconds / step_seconds)))
            swept = sweep_rates(examination.subject, low=SWEEP[0], high=SWEEP[1], steps=steps)
            return _from_sweep(swept, rate, examination.ignore, learned=starts_trained(trace))
        found = find_rate_range(examination.subject, seconds=seconds, first_seed=examination.seed)
    except InputError as error:
        return skipped("rate-range", error.given)
    return _told(examination, found, rate, _findings(examination, found, rate))


def _around(examination: Examination, rate: float) -> PreFlightStep:
    """Of a script: it reads its data again for each rate, so that there are few rates.

    Its schedule acts on all of them, and a low first rate may have its reasons, so that findings are only warnings.
    """
    if not rate > 0:
        return skipped("rate-range", "no learning rate was seen")
    sick = [one.name for one in examination.findings if one.severity == "sick" and not one.explained_by]
    if sick:
        return skipped("rate-range", f"{sick[0]} was found; treat it first, since which rates are good depends on it")
    steps = min(STEPS, len(examination.trace.series("loss").steps))
    if steps < FEWEST:
        return skipped("rate-range", f"the training has {steps} steps, which are too few to compare learning rates")
    if not examination.left:
        return skipped("rate-range", examination.no_time)
    # The remedies that are tried after this step need time, too.
    seconds = max(1.0, SCRIPT_SHARE * examination.left)
    found, left_out = find_rates_around(examination.subject, rate, steps=steps, seed=examination.seed, seconds=seconds)
    findings = [dataclasses.replace(one, severity="warning") for one in _findings(examination, found, rate)]
    step = _told(examination, found, rate, findings)
    if not left_out:
        return step
    told = f"{step.measured}; {len(left_out)} rates were left out, as the time was over or the training failed there"
    return dataclasses.replace(step, measured=told, numbers={**step.numbers, "left out": left_out})


def _told(examination: Examination, found: RateRange, rate: float, findings: list[Finding]) -> PreFlightStep:
    findings = [one for one in findings if one.name not in examination.ignore]
    return PreFlightStep(
        "rate-range",
        verdict_of(findings, _meets(found, rate)),
        _sentence(found, rate),
        "a learning rate within the good interval",
        "no other hyper-parameter matters as much: it decides 45 % of the rank of a trial"
        if not found.refused
        else found.refused,
        tuple(findings),
        {**to_values(found), "rate": rate},
    )


def _meets(found: RateRange, rate: float) -> bool | None:
    """Whether the rate lies within the good ones, as far as they are written; None where there is no answer."""
    if found.best is None or found.low is None or found.high is None or not rate > 0:
        return None
    return found.low / WRITTEN <= rate <= found.high * WRITTEN


def _step_seconds(examination: Examination) -> float:
    """Of a step that nobody measures, from the watched training."""
    usual = [value for value in examination.trace.series("step-seconds").values if math.isfinite(value)]
    steps = len(examination.trace.series("loss").steps)
    return usual[-1] if usual else examination.watched_seconds / max(1, steps)


def _sentence(found: RateRange, rate: float) -> str:
    yours = f"; yours is {rate:.2g}" if math.isfinite(rate) else ""
    if found.best is None:
        return f"no answer: {found.refused}"
    stable = f", stable up to {found.stable:.2g}" if found.stable is not None else ""
    return (
        f"take {found.best:.2g}; good from {found.low:.2g} to {found.high:.2g}{stable} (confidence"
        f" {found.confidence:.0%}){yours}"
    )


def _findings(examination: Examination, found: RateRange, rate: float) -> list[Finding]:
    """A rate more than a decade outside the good ones, or one that is not even stable."""
    if found.best is None or found.low is None or found.high is None or found.confidence < SURE or not rate > 0:
        return []
    evidence: dict[str, Any] = {
        "rate": rate,
        "good from": found.low,
        "good to": found.high,
        "confidence": found.confidence,
        "steps at each rate": found.steps,
    }
    remedies = (f"lr={found.best:.2g}",)
    if rate > DECADE * found.high or (found.stable is not None and rate > 2 * found.stable):
        severity: Severity = "sick" if found.stable is not None and rate > 2 * found.stable else "warning"
        evidence |= {"largest stable": found.stable, "threshold": min(DECADE * found.high, 2 * (found.stable or 0))}
        return [
            DISEASES["learning-rate-too-high"].finding(
                "rate range", evidence=evidence, severity=severity, remedies=remedies
            )
        ]
    if rate < found.low / DECADE and not starts_trained(examination.trace):
        # A low rate learns, only later: sick is what does not move, which the short training tells.
        evidence["threshold"] = found.low / DECADE
        return [
            DISEASES["learning-rate-too-low"].finding(
                "rate range", evidence=evidence, severity="warning", remedies=remedies
            )
        ]
    return []


def _from_sweep(found: RateSweep, rate: float, ignore: Collection[str] = (), *, learned: bool = False) -> PreFlightStep:
    yours = f"; yours is {rate:.2g}" if math.isfinite(rate) else ""
    numbers = {
        "best": found.best,
        "refused": found.refused,
        "rates": list(found.rates),
        "losses": list(found.losses),
        "rate": rate,
    }
    if found.best is None:
        return PreFlightStep(
            "rate-range",
            "not judged",
            measured=f"one sweep of rising learning rates gave no answer: {found.refused}",
            expected="a rate near the one where the loss falls fastest",
            numbers=numbers,
        )
    best = found.best
    findings = [one for one in _findings_of_sweep(found, best, rate, learned) if one.name not in ignore]
    return PreFlightStep(
        "rate-range",
        verdict_of(findings, learned or best / FAR_BELOW <= rate if rate > 0 else None),
        f"in one sweep of rising rates the loss falls fastest at {found.best:.2g}{yours}",
        "a rate near the one where the loss falls fastest",
        "steps are slow, so one sweep of rising rates was made, which tells less than constant rates do",
        tuple(findings),
        numbers,
    )


def _findings_of_sweep(found: RateSweep, best: float, rate: float, learned: bool) -> list[Finding]:
    """A rate clearly beyond where the sweep diverged, or very far below its steepest fall."""
    end = found.rates[len(found.smoothed)] if len(found.smoothed) < len(found.rates) else math.inf
    evidence: dict[str, Any] = {"rate": rate, "rate where the loss of one sweep falls fastest": best}
    remedies = (f"lr={best:.2g}",)
    if rate > ROUGHLY * end:
        evidence |= {"rate where the sweep diverged": end, "threshold": ROUGHLY * end}
        return [
            DISEASES["learning-rate-too-high"].finding(
                "rate range", evidence=evidence, severity="warning", remedies=remedies
            )
        ]
    if 0 < rate < best / FAR_BELOW and not learned:
        evidence["threshold"] = best / FAR_BELOW
        return [
            DISEASES["learning-rate-too-low"].finding(
                "rate range", evidence=evidence, severity="warning", remedies=remedies
            )
        ]
    return []
