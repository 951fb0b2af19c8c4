"""Initialisations compared on the user's own network and data, as in the lecture's figure, and which one to take."""

from __future__ import annotations

import difflib
import math
import statistics
from collections.abc import Sequence

from babysit.nn import SCHEMES
from babysit.record import (
    WEIGHTED,
    InitialisationComparison,
    InputError,
    RehearsalError,
    Remedy,
    SchemeLayer,
    SchemeResult,
    Trace,
)
from babysit.rehearsal._subject import Subject

AS_GIVEN = "as given"
COMPARED = (AS_GIVEN, "small-random", "xavier", "he", "orthogonal", "lsuv", "auto")
STEPS, SEEDS = 60, 3
TAIL = 0.2  # of the steps, whose mean loss counts
ERRORS = 2.0  # standard errors by which two losses must differ to count as different
WORTH = 0.02  # of the first loss: a smaller difference is not worth another initialisation
SHOWN_KINDS = frozenset({"linear", "conv", "recurrent", "attention", "activation"})


def compare_initialisations(
    subject: Subject, *, schemes: Sequence[str] = COMPARED, steps: int = STEPS, seeds: int = SEEDS, seed: int = 0
) -> InitialisationComparison:
    """Try each scheme in rehearsals: measure every layer before the first step, then train a little.

    Args:
        subject: Afterwards as it was.
        schemes: `as given` for the weights as they are, or names that `initialise` takes.
        steps: Of each short training.
        seeds: Of weights and order.
        seed: The first of them.

    Returns:
        Histograms, spreads and losses, and the scheme to take: the lowest loss; of those that cannot be told apart
        the one whose spread is the most level through depth, `as given` before all others.

    Raises:
        InputError: An unknown scheme, no steps, or a subject that cannot be trained under any of them.

    Source: CS231n lecture 6, weight initialisation.
    """
    for scheme in schemes:
        if scheme != AS_GIVEN and scheme not in SCHEMES:
            nearest = difflib.get_close_matches(scheme, SCHEMES, n=1, cutoff=0.0)[0]
            raise InputError(
                f"there is no initialisation '{scheme}'", legal=", ".join((AS_GIVEN, *SCHEMES)), write=nearest
            )
    if steps < 2 or seeds < 1 or not schemes:
        raise InputError(f"{steps} steps, {seeds} seeds, {len(schemes)} schemes", legal="2 steps, 1 seed, 1 scheme")
    results = tuple(_tried(subject, scheme, steps, range(seed, seed + seeds)) for scheme in dict.fromkeys(schemes))
    if all(found.failed for found in results):
        raise InputError(f"no initialisation could be tried: {results[0].failed}")
    take, why = decided(results)
    return InitialisationComparison(subject.name, results, take, why, steps)


def _tried(subject: Subject, scheme: str, steps: int, seeds: range) -> SchemeResult:
    remedies = [] if scheme == AS_GIVEN else [Remedy("initialise", scheme)]
    losses, layers, first = [], tuple[SchemeLayer, ...](), math.nan
    try:
        for seed in seeds:
            trace = subject.rehearse(steps, remedies, seed=seed, probes="budget" if seed == seeds[0] else "losses")
            values = trace.series("loss").values
            tail = values[-max(1, round(TAIL * len(values))) :]
            losses.append(statistics.fmean(tail) if all(map(math.isfinite, values)) and values else math.inf)
            if seed == seeds[0]:
                layers, first = _layers(trace), values[0] if values else math.nan
    except (InputError, RehearsalError) as error:
        return SchemeResult(scheme, (), math.nan, (), failed=error.given)
    return SchemeResult(scheme, layers, first, tuple(losses))


def _layers(trace: Trace) -> tuple[SchemeLayer, ...]:
    histograms = {one.layer: one for one in trace.histograms if one.quantity == "activation" and one.step == 0}
    found = []
    for layer in trace.layers:
        std = trace.series("activation-std", layer=layer.name).values[:1]
        if layer.kind not in SHOWN_KINDS or not std:
            continue

        def first(quantity: str, name: str = layer.name) -> float:
            return next(iter(trace.series(quantity, layer=name).values), math.nan)

        flat = first("activation-flat-share")
        drawn = histograms.get(layer.name)
        found.append(
            SchemeLayer(
                name=layer.name,
                std=std[0],
                mean=first("activation-mean"),
                gradient_std=first("activation-gradient-std"),
                flat=flat if layer.kind == "activation" and math.isfinite(flat) else None,
                edges=drawn.edges if drawn else (),
                counts=drawn.counts if drawn else (),
                weighted=layer.kind in WEIGHTED,
            )
        )
    return tuple(found)


def decided(results: Sequence[SchemeResult]) -> tuple[str, str]:
    """The scheme to take, and why.

    Example:
        >>> first = SchemeResult("he", (), 2.3, (0.5, 0.6, 0.55))
        >>> decided([first, SchemeResult("small-random", (), 2.3, (2.3, 2.3, 2.3))])[0]
        'he'
    """
    known = [found for found in results if found.losses and all(map(math.isfinite, found.losses))]
    if not known:
        return results[0].scheme, "every scheme diverged or failed: the rate is too high, or something else is wrong"
    best = min(known, key=_loss)
    alike = [found for found in known if _alike(found, best)]
    given = next((found for found in alike if found.scheme == AS_GIVEN), None)
    loss = f"loss {_loss(best):.3g} ± {_error(best):.1g}"
    if given is not None:
        return AS_GIVEN, (
            f"none is clearly better: {loss} at best ({best.scheme}), {_loss(given):.3g} with the weights as they are"
        )
    take = min(alike, key=lambda found: (_unevenness(found), _loss(found)))
    others = [found.scheme for found in alike if found is not take]
    also = f", {', '.join(others)} cannot be told from it" if others else ""
    worst = max((found for found in known if found not in alike), key=_loss, default=None)
    beaten = f", {worst.scheme} ends at {_loss(worst):.3g}" if worst is not None else ""
    return take.scheme, f"loss {_loss(take):.3g} ± {_error(take):.1g} after the steps{beaten}{also}"


def _loss(found: SchemeResult) -> float:
    return statistics.fmean(found.losses)


def _error(found: SchemeResult) -> float:
    if len(found.losses) < 2:
        return 0.0
    return statistics.stdev(found.losses) / math.sqrt(len(found.losses))


def _alike(found: SchemeResult, best: SchemeResult) -> bool:
    noise = ERRORS * math.hypot(_error(found), _error(best))
    first = abs(best.first_loss) if math.isfinite(best.first_loss) else 0.0
    return _loss(found) - _loss(best) <= max(noise, WORTH * first)


def _unevenness(found: SchemeResult) -> float:
    """By how many decades the spreads of outputs and of gradients vary through depth, added up."""
    total = 0.0
    for values in (
        [layer.std for layer in found.layers if layer.weighted],
        [layer.gradient_std for layer in found.layers if layer.weighted],
    ):
        logs = [math.log10(value) for value in values if math.isfinite(value) and value > 0]
        total += max(logs) - min(logs) if len(logs) > 1 else 0.0
    return total
