"""TrainingComparison: two trainings on the same seeds, pair by pair, and what can be said of them."""

from __future__ import annotations

from typing import Literal

from babysit.record._stored import Seconds, stored

PairVerdict = Literal["better", "worse", "not told apart"]


@stored
class TrainingPair:
    """One seed.

    Attributes:
        seed: Of both trainings; of trainings that were kept, their place.
        first: The score of the first; None where it failed.
        second: The score of the second; None where it failed.
    """

    seed: int
    first: float | None
    second: float | None


@stored
class TrainingComparison:
    """What a comparison of two trainings came to.

    Attributes:
        first: The training that the other is compared with.
        second: The other one.
        score: What is compared, such as `evaluation accuracy`.
        better: Whether the higher or the lower score is the better one.
        verdict: Whether the second is `better` or `worse` than the first, or `not told apart` at this noise.
        reason: Why, in a sentence with its numbers.
        pairs: Seed by seed.
        difference: Mean of second less first, over the seeds in which both have a score; None where there is none.
        low: Lower end of its interval; None where the noise is not known.
        high: Upper end.
        error: The probability at most of a wrong "better" or "worse", all looks together.
        more_seeds: How many more seeds would tell a difference like this one, in four of five cases; 0 where it is
            told, None where nothing is known.
        planned: Seeds that were asked for; less were taken where it was clear before.
        seconds: How long it took.
        notes: What the reader should know.
        interrupted: Whether somebody stopped it.
    """

    first: str
    second: str
    score: str
    better: Literal["higher", "lower"]
    verdict: PairVerdict
    reason: str
    pairs: tuple[TrainingPair, ...]
    difference: float | None
    low: float | None
    high: float | None
    error: float
    more_seeds: int | None
    planned: int
    seconds: Seconds = 0.0
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    schema: int = 1
