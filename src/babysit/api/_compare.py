"""compare: whether one training is better than another, on the same seeds and rows."""

from __future__ import annotations

import contextlib
import itertools
import math
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import RenderableType

from babysit.adapters import is_log, read_log
from babysit.api._fit import fit
from babysit.api._result import Result, shown
from babysit.api._subjects import is_script, subject_of
from babysit.record import (
    BabysitError,
    InputError,
    PairVerdict,
    Progress,
    Recipe,
    Run,
    SeedsCompared,
    Trace,
    TrainingComparison,
    TrainingPair,
    load_recipe,
    read_trace,
    silent,
)
from babysit.rehearsal import (
    PAIRED_ERROR,
    PAIRED_FIRST_LOOK,
    Ask,
    PairedLook,
    Subject,
    failures_tell,
    look_at,
    outcome_of,
)
from babysit.reports import paired_headline, paired_renderable, svg_lines

# A training's scores by name, as far as they are known; None where it failed.
Scores = Mapping[str, float] | None
LOWER = ("loss", "rmse", "mae")  # words of scores of which the lower one is better
MOST_KEPT = 1000  # trainings of one side


@dataclass(frozen=True, repr=False)
class ComparedTrainings(Result):
    """What `compare` answers.

    Attributes:
        comparison: Seed by seed, the difference with its interval, and the verdict.
    """

    comparison: TrainingComparison

    @property
    def verdict(self) -> PairVerdict:
        """Whether the second is `better` or `worse` than the first, or `not told apart` at this noise."""
        return self.comparison.verdict

    @property
    def ok(self) -> bool:
        """Whether the second is not worse; the command ends with exit code 1 where it is."""
        return self.verdict != "worse"

    @property
    def judged(self) -> bool:
        """Whether they were told apart; where not, the command ends with exit code 3."""
        return self.verdict != "not told apart"

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it; the seeds that were done by then are here."""
        return self.comparison.interrupted

    def _record(self) -> TrainingComparison:
        return self.comparison

    def _title(self) -> str:
        return paired_headline(self.comparison).plain

    def _picture(self) -> str:
        pairs = self.comparison.pairs
        sides = ((self.comparison.first, "first"), (self.comparison.second, "second"))
        return svg_lines(
            [
                (
                    name,
                    [pair.seed for pair in pairs],
                    [math.nan if (score := getattr(pair, side)) is None else score for pair in pairs],
                )
                for name, side in sides
            ]
        )

    def __rich__(self) -> RenderableType:
        return paired_renderable(self.comparison)


def compare(
    a: object,
    b: object,
    *,
    seeds: int = 5,
    seed: int = 0,
    score: str | None = None,
    arguments: Sequence[str] = (),
    unprotected: bool = False,
    network: bool = False,
    seconds: float | None = None,
    progress: Progress = silent,
) -> ComparedTrainings:
    """Compare two trainings on the same seeds and rows, and say whether the second is better.

    Scripts and recipes are trained here, seed by seed, scripts in a scratch folder. After each seed from the third on
    the paired differences are looked at, and it stops when it is clear; the error of all looks together is at most
    0.05 (alpha spending; `babysit.rehearsal` says how).

    Args:
        a: A script (a .py file), a Recipe or its file; or what is kept of a training: a Run, a Trace, a log, or their
            path; several, one a seed, in a list, or in a folder.
        b: Another one of the same kind.
        seeds: At most so many; of what is kept, as many as there are.
        seed: The first of them.
        score: Which to compare, such as `evaluation accuracy`; None takes the first that both have.
        arguments: Of scripts: their own arguments.
        unprotected: Of scripts: let them write to your files, where the system cannot keep them away.
        network: Of scripts: let them reach the network.
        seconds: Time limit in seconds; no seed is begun after it. None for no limit.
        progress: Receives progress events.

    Raises:
        InputError: What was given cannot be compared, or has no score in common.

    Example:
        >>> from babysit.record import Row
        >>> def kept(*losses):
        ...     return [Trace([Row(step, "train", "", "loss", loss) for step in range(9)]) for loss in losses]
        >>> found = compare(kept(0.50, 0.52, 0.49, 0.51), kept(0.40, 0.41, 0.40, 0.42))
        >>> found.verdict, len(found.comparison.pairs)
        ('better', 4)
    """
    if seeds < 2 or seed < 0:
        raise InputError(f"a comparison of {seeds} seeds from {seed} on", legal="2 or more, from 0", write="--seeds 5")
    if seconds is not None and not seconds > 0:
        raise InputError(f"a comparison of {seconds:g} seconds", legal="above 0")
    trains = [_is_trained(one) for one in (a, b)]
    if trains[0] != trains[1]:
        raise InputError(
            "one of the two is a training to be done, and the other one is kept of a training",
            legal="two scripts or recipes; or two Runs, traces or logs",
        )
    began = time.monotonic()
    names = _names(a, b)
    if not trains[0]:
        if arguments or unprotected or network:
            raise InputError("arguments are for scripts, and nothing is run here", legal="a .py file takes arguments")
        kept = [[_scores_of(one) for one in _kept(side)] for side in (a, b)]
        if len(kept[0]) != len(kept[1]):
            raise InputError(
                f"{names[0]} has {len(kept[0])} trainings and {names[1]} has {len(kept[1])}",
                legal="as many of both, paired in their order: one a seed",
            )
        found = [*zip(range(len(kept[0])), *kept, strict=True)]
        return ComparedTrainings(_judged(names, found, len(found), score, began))
    found, interrupted = [], False
    with contextlib.ExitStack() as stack:
        seen = stack.enter_context(shown(progress))
        sides = [_trainer(stack, one, arguments, unprotected, network) for one in (a, b)]
        try:
            for place in range(seed, seed + seeds):
                if found and seconds is not None and time.monotonic() - began > seconds:
                    break
                found.append((place, sides[0](place), sides[1](place)))
                told = _judged(names, found, seeds, score, began)
                seen(SeedsCompared(told))
                if told.verdict != "not told apart" or _are_the_same(found):
                    break
        except KeyboardInterrupt:
            interrupted = True
            if not found:
                raise
    return ComparedTrainings(_judged(names, found, seeds, score, began, interrupted=interrupted))


def _is_trained(given: object) -> bool:
    return isinstance(given, Recipe | Subject) or (
        isinstance(given, str | pathlib.Path) and pathlib.Path(given).suffix in (".py", ".toml")
    )


def _names(a: object, b: object) -> tuple[str, str]:
    told = [str(one) if isinstance(one, str | pathlib.Path) else getattr(one, "name", "") for one in (a, b)]
    if not all(isinstance(one, str) and one for one in told) or told[0] == told[1]:
        return f"{told[0] or 'a'} (first)", f"{told[1] or 'b'} (second)"
    short = [pathlib.PurePath(one).name for one in told]
    return (told[0], told[1]) if short[0] == short[1] else (short[0], short[1])


def _trainer(
    stack: contextlib.ExitStack, given: object, arguments: Sequence[str], unprotected: bool, network: bool
) -> Callable[[int], Scores]:
    """What trains it with a seed, and answers with its scores."""
    if isinstance(given, Recipe) or (not isinstance(given, Subject) and not is_script(given)):
        recipe = given if isinstance(given, Recipe) else load_recipe(str(given))
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="babysit-")))

        def fitted(seed: int) -> Scores:
            done = fit(recipe=recipe, settings=[f"seed={seed}"], seconds=0, out=folder / str(seed))
            if done.interrupted:
                raise KeyboardInterrupt
            return _scores_of(done.run)

        return fitted
    subject = stack.enter_context(subject_of(given, arguments=arguments, unprotected=unprotected, network=network))

    def rehearsed(seed: int) -> Scores:
        # Under 0 a script has the random numbers that it takes itself: others each time where it sets no seed.
        found = subject.rehearse_all([Ask(seed=seed + 1, probes="losses")])[0]
        if isinstance(found, InputError):
            raise found
        return _scores_of(found)

    return rehearsed


def _kept(given: object) -> Iterator[Trace | Run]:
    """Trainings that are kept, in their order."""
    if isinstance(given, Trace | Run):
        yield given
    elif isinstance(given, Result):
        kept = next((one for one in (getattr(given, "run", None), getattr(given, "trace", None)) if one), None)
        if not isinstance(kept, Run | Trace):
            raise InputError(f"a {type(given).__name__} has no trace", legal="Fitted, ScriptRun, Watch or Diagnosed")
        yield kept
    elif isinstance(given, list | tuple):
        for one in given:
            yield from _kept(one)
    elif isinstance(given, str | pathlib.Path):
        yield from _kept_at(pathlib.Path(given))
    else:
        raise InputError(
            f"a {type(given).__name__} cannot be compared",
            legal="a script, a Recipe or its file, a Run, a Trace, a log, or the path of one",
        )


def _kept_at(path: pathlib.Path) -> Iterator[Trace | Run]:
    if not path.exists():
        raise InputError(f"there is no {path}", legal="a script, a recipe, a Run folder, a trace, a log, or a folder")
    if path.is_dir() and is_log(path):
        parts = sorted(one for one in path.iterdir() if one.is_dir() or one.suffix in (".csv", ".jsonl", ".json"))
        runs = [one for one in parts if one.is_dir() and not is_log(one)]
        if runs:
            yield from map(Run, runs[:MOST_KEPT])
            return
        if len(parts) > 1:
            try:
                yield from [read_log(one) for one in parts[:MOST_KEPT]]
                return
            except InputError:  # the parts are of one log
                pass
    yield read_log(path) if is_log(path) else Run(path) if path.is_dir() else read_trace(path)


def _scores_of(found: Trace | Run | BabysitError) -> Scores:
    if isinstance(found, Run):
        told = found.evaluations
        phase = "validation" if "validation" in told else next(iter(told), None)
        if phase is None:
            return _scores_of(found.trace())
        scores = {f"{phase} {one.name}": one.value for one in told[phase].scores}
        return scores if all(math.isfinite(value) for value in scores.values()) else None
    outcome = outcome_of(found)
    if outcome.failed or (isinstance(found, Trace) and found.happened("not-finite")):
        return None
    told_by_name = {name: value for name, value in outcome.values.items() if name != "steps"}
    scores = {name: float(value) for name, value in sorted(told_by_name.items(), key=lambda one: _rank(one[0]))}
    if isinstance(found, Trace):
        losses = found.series("data-loss", phase="validation").values
        if losses:
            scores["evaluation loss"] = losses[-1]
    known = {name: value for name, value in scores.items() if math.isfinite(value)}
    return known or None


def _rank(name: str) -> int:
    return 0 if name.startswith("evaluation") else 1 if name.startswith("training") else 2


def _score_in_common(found: Sequence[tuple[int, Scores, Scores]], asked: str | None) -> str:
    known = [scores for _, *sides in found for scores in sides if scores is not None]
    names = [name for name in known[0] if all(name in scores for scores in known)] if known else []
    if asked is not None and known:
        if asked not in names:
            raise InputError(f"not every training has the score '{asked}'", legal=", ".join(names) or "no score")
        return asked
    if known and not names:
        raise InputError(
            "the trainings have no score in common",
            legal="the same kind of loss and evaluation in both",
            cause=f"their scores are {', '.join(sorted({name for scores in known for name in scores}))}",
        )
    # Of two losses that of evaluations is compared.
    best = sorted(names, key=lambda name: (_rank(name), _is_loss(name)))
    return best[0] if best else "loss"


def _is_loss(name: str) -> bool:
    return any(word in name for word in LOWER)


def _are_the_same(found: Sequence[tuple[int, Scores, Scores]]) -> bool:
    """Whether both trainings came to the same numbers with three seeds: more of them say no more."""
    return len(found) >= PAIRED_FIRST_LOOK and all(first == second for _, first, second in found)


def _judged(
    names: tuple[str, str],
    found: Sequence[tuple[int, Scores, Scores]],
    planned: int,
    asked: str | None,
    began: float,
    *,
    interrupted: bool = False,
) -> TrainingComparison:
    score = _score_in_common(found, asked)
    pairs = [
        TrainingPair(place, *(None if scores is None else scores[score] for scores in sides)) for place, *sides in found
    ]
    lower = _is_loss(score)
    both = [(pair.first, pair.second) for pair in pairs if pair.first is not None and pair.second is not None]
    look = look_at([second - first for first, second in both], planned, resolution=_resolution(both))
    failed = [sum(getattr(pair, side) is None for pair in pairs) for side in ("first", "second")]
    verdict: PairVerdict = "not told apart"
    if any(failed):
        if failures_tell(failed[0], failed[1], len(pairs), planned):
            verdict = "worse" if failed[1] > failed[0] else "better"
    elif look.told:
        verdict = "worse" if (look.mean > 0) == lower else "better"
    finite = math.isfinite(look.low)
    return TrainingComparison(
        *names,
        score,
        "lower" if lower else "higher",
        verdict,
        _reason(look, failed, both, len(pairs), score),
        tuple(pairs),
        look.mean if both else None,
        look.low if finite else None,
        look.high if finite else None,
        PAIRED_ERROR,
        0 if verdict != "not told apart" else look.more,
        planned,
        time.monotonic() - began,
        ("losses are compared: they have to be of one loss function",) if score == "loss" else (),
        interrupted,
    )


def _resolution(both: Sequence[tuple[float, float]]) -> float:
    """The smallest step between scores, where seeds make a difference at all: noise below it cannot be seen."""
    for side in zip(*both, strict=True):
        if len(set(side)) < 2:
            return 0.0
    values = sorted({value for pair in both for value in pair})
    return min((two - one for one, two in itertools.pairwise(values)), default=0.0)


def _reason(
    look: PairedLook, failed: Sequence[int], both: Sequence[tuple[float, float]], seeds: int, score: str
) -> str:
    if any(failed):
        return f"of {seeds} trainings each, {failed[0]} of the first and {failed[1]} of the second failed or diverged"
    if seeds < 2:
        return f"the {score} differs by {look.mean:+.4g}; of one training each nothing is known of the noise"
    if all(first == second for first, second in both):
        return f"both came to the same {score} in each of {seeds} seeds"
    if not math.isfinite(look.low) and len({second - first for first, second in both}) == 1:
        return (
            f"the {score} differs by {look.mean:+.4g} in every seed: the seed changes nothing, so the noise is unknown"
        )
    if not math.isfinite(look.low):
        return f"the {score} differs by {look.mean:+.4g}; the first look is after {PAIRED_FIRST_LOOK} seeds"
    told = f"the {score} differs by {look.mean:+.4g} ({look.low:+.4g} to {look.high:+.4g}) over {seeds} seeds"
    if look.told:
        return told
    more = f"about {look.more:,} more seeds would tell" if look.more else "no number of seeds would tell so small a one"
    return f"{told}; {more}"
