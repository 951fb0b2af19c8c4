"""Step 6, overfit a tiny subset: the network has to overfit a few rows; where it cannot, why.

Regularisation, dropout and augmentation are off, and the network is trained within a rehearsal. When it fails, the
reason is sought by changing one thing at a time: the rate, the optimizer, the first weights, the inputs' scale.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from babysit.diseases import DISEASES, RIGHT, all_right, means_progress, overfits_tiny_batch
from babysit.record import DOES_NOT_APPLY, Finding, InputError, NotAppliedError, PreFlightStep, Remedy, Severity, Trace
from babysit.rehearsal._batches import first_rows
from babysit.rehearsal._examination import PLAIN, TINY, Examination, skipped
from babysit.rehearsal._examination import TINY_SHARE as SHARE
from babysit.rehearsal._examination import TINY_STEPS as STEPS
from babysit.rehearsal._experiments import contradictory
from babysit.rehearsal._outcome import first_line
from babysit.rehearsal._verdict import verdict_of
from babysit.remedies import REMEDIES

LEFT_ON = 100  # with something left on, at least: it has to get somewhere, not all the way
PATIENCE = 3  # times the steps that were needed with nothing on
REASON_SHARE = 0.05  # for each attempt to find out why
REGULARISATIONS = tuple(kind for kind in REMEDIES.values() if kind.too_strong)  # off while the rows are overfitted
# Weights for each number to be stored: with as many as numbers a linear model stores them exactly, if rows are in
# general position; twice as many leave room for rows that are not.
ROOM = 2
FEWEST = 2  # rows: one is stored by biases alone
RATES = ("10", "0.1", "100", "0.01")
NOTHING = 0.9  # of the first loss: with it nothing at all is learned
WITH_IT = "share of the first loss left with it, where the rows are overfitted without it"
FITTED = 0.98  # balanced accuracy of a training's own last batches from which on it has learned its rows
HARDLY = 0.5  # of the first loss: a rate at which less than half is gone is far too low


@dataclass(frozen=True)
class Attempt:
    """One attempt to overfit the rows.

    Attributes:
        remedies: What was changed beside dropout and weight decay.
        trace: Of the rehearsal.
    """

    remedies: tuple[Remedy, ...]
    trace: Trace

    @property
    def learned(self) -> bool:
        """Whether the rows are overfitted, or at least all answered correctly."""
        found = DISEASES["cannot-overfit-tiny-batch"].find(self.trace)
        return overfits_tiny_batch(self.trace) or (self.steps > 0 and self.right and not found)

    @property
    def right(self) -> bool:
        """Whether the last answers were all right."""
        return bool(all_right(self.trace))

    @property
    def steps(self) -> int:
        """Steps taken."""
        return len(self.trace.series("loss").steps)

    @property
    def loss(self) -> float:
        """The last loss; NaN when there is none."""
        losses = self.trace.series("loss").values
        return losses[-1] if losses else math.nan

    @property
    def loss_left(self) -> float:
        """The last loss over the first."""
        losses = self.trace.series("loss").values
        return losses[-1] / losses[0] if losses and losses[0] else math.nan

    @property
    def score(self) -> tuple[str, float] | None:
        """Accuracy or R2 after the last look."""
        for name in ("accuracy", "r2"):
            values = self.trace.series(name).values
            if values:
                return name, values[-1]
        return None

    def __str__(self) -> str:
        scored = f", {self.score[0]} {self.score[1]:.3g}" if self.score is not None else ""
        return f"loss {self.loss:.3g}{scored} after {self.steps} steps"


def check_overfit_tiny(examination: Examination) -> PreFlightStep:
    """Overfit 20 rows; where that fails, look for the reason.

    Source: CS231n lecture 6, "make sure that you can overfit very small portion of the training data".
    """
    if examination.fails:
        return skipped("overfit-tiny", "no batch could be trained on")
    if _contradictory(examination):
        return skipped(
            "overfit-tiny",
            f"{DOES_NOT_APPLY}some of the first rows have equal inputs and different targets, so no network can overfit"
            " them",
        )
    if not examination.subject.has_live_parts and (known := _known(examination)):
        return skipped(
            "overfit-tiny", f"{known[0].name} was found, which keeps a network from overfitting; treat it first"
        )
    if not examination.left and not examination.ahead:
        return skipped("overfit-tiny", examination.no_time)
    plain = attempt(examination, SHARE)
    stopped = plain.trace.happened("failed")
    if not plain.steps and not stopped:
        return skipped("overfit-tiny", f"no step of it was done in its share of {examination.seconds:g} s")
    if stopped and not plain.learned:
        # It does not fail by itself: what the script makes of its batches does not go with other rows in their place.
        told = f"the training fails when every step has the same rows: {first_line(stopped[0].text)}"
        return skipped("overfit-tiny", f"{DOES_NOT_APPLY}{told}")
    rows = storable_rows(examination)
    numbers: dict[str, Any] = {"examples": rows, "steps": plain.steps, "loss": plain.loss}
    if plain.score is not None:
        numbers[plain.score[0]] = plain.score[1]
    findings: list[Finding] = []
    tried: list[Attempt] = []
    measured = f"{rows} rows: {plain}"
    if rows < TINY:
        measured += f"; a network of {weights_of(examination)} weights cannot store more"
    if plain.learned:
        findings += _too_strong(examination, plain, tried)
    elif known := _known(examination):
        measured += f"; {known[0].name} explains it"
        findings += DISEASES["cannot-overfit-tiny-batch"].find(plain.trace)
    else:
        mended = _by_rate(examination, tried)
        if mended is not None:
            measured += f"; at {mended.remedies[0].value} times the learning rate {mended}"
            findings += _of_rate(plain, mended)
        else:
            findings += _cannot(examination, plain, tried)
    if tried:
        numbers["tried"] = {" ".join(map(str, one.remedies)): str(one) for one in tried}
    findings = [finding for finding in findings if finding.name not in examination.ignore]
    right = plain.learned or (bool(tried) and tried[-1].learned)
    if not right and not findings and plain.score is None and not means_progress(examination.trace):
        return skipped(
            "overfit-tiny",
            f"{DOES_NOT_APPLY}no targets were seen in the loss, as in that of a policy, and no level of it says that a"
            f" few rows are known; {measured}",
        )
    fitted = None if right or findings else _fits_all_rows(examination)
    if fitted is not None:
        right = True
        measured += f"; the training itself answers its rows right ({fitted})"
    if not right and plain.steps < STEPS and math.isfinite(plain.loss):
        measured += f"; its time was over before {STEPS} steps"
    return PreFlightStep(
        "overfit-tiny",
        verdict_of(findings, right, "not judged"),
        measured,
        "loss near 0, every answer right",
        "a network that cannot store a few rows will not learn many",
        tuple(findings),
        numbers,
    )


def _fits_all_rows(examination: Examination) -> str | None:
    """The score of the training's own rows, where all of them are answered right: then a few of them are, too."""
    trace = examination.trace
    for name in ("balanced-accuracy", "r2"):
        values = trace.series(name).values
        if values and values[-1] >= (FITTED if name == "balanced-accuracy" else RIGHT["r2"]):
            return f"{name} {values[-1]:.3g}"
    return None


def _known(examination: Examination) -> list[Finding]:
    """What the watched training has shown that explains it: then time is better spent than on looking for more."""
    causes = DISEASES["cannot-overfit-tiny-batch"].explained_by
    return [one for one in examination.findings if one.severity == "sick" and one.name in causes]


def attempt(examination: Examination, share: float, *remedies: Remedy, leave: str = "", steps: int = STEPS) -> Attempt:
    """One rehearsal on the tiny subset.

    Args:
        examination: Whose subject and time.
        share: Of its seconds.
        *remedies: Remedies beside those that take regularisation off.
        leave: Name of a regularisation that stays on.
        steps: At most.

    Raises:
        InputError: A remedy that the subject cannot take.
    """
    tiny = Remedy("tiny-batch", str(storable_rows(examination)))
    usual = [tiny, *(Remedy(one.name, one.off) for one in REGULARISATIONS if one.name != leave)]
    seconds = min(share * examination.seconds, max(1.0, examination.left))
    try:
        trace = examination.rehearsed(steps, *usual, *remedies, seconds=seconds, losses_only=True)
    except NotAppliedError as error:
        # What has no optimizer has no weight decay that could be switched off.
        missing = {remedy for remedy, _ in error.missing}
        if not missing <= set(map(str, PLAIN)):
            raise
        usual = [one for one in usual if str(one) not in missing]
        trace = examination.rehearsed(steps, *usual, *remedies, seconds=seconds, losses_only=True)
    if not examination.subject.has_live_parts:
        # A script's own accuracy is that of rows that it evaluates, which are not the few that are trained on.
        trace = dataclasses.replace(trace, rows=tuple(row for row in trace.rows if row.quantity != "accuracy"))
    return Attempt(remedies, trace)


def storable_rows(examination: Examination) -> int:
    """Twenty rows, or as many as so small a network has weights for.

    A linear model of ten columns cannot overfit twenty rows, and nothing is wrong with it. Only of one vector
    of outputs a row is it clear how many numbers a row has; maps and sequences have structure that weights share.
    """
    weights = weights_of(examination)
    shape = examination.trace.facts.get("output-shape", "").split("x")
    if weights is None or len(shape) != 2 or not shape[1].isdigit():
        return TINY
    return min(TINY, max(FEWEST, weights // (ROOM * max(1, int(shape[1])))))


def weights_of(examination: Examination) -> int | None:
    """Weights that learn; None where they cannot be reached."""
    if not examination.subject.has_live_parts:
        return None
    return sum(parameter.numel() for parameter in examination.live.network.parameters() if parameter.requires_grad)


def _contradictory(examination: Examination) -> bool:
    if not examination.subject.has_live_parts:
        return False
    with examination.as_before():
        return contradictory(first_rows(next(examination.live.batches(examination.seed)), TINY))


def _by_rate(examination: Examination, tried: list[Attempt]) -> Attempt | None:
    for factor in RATES:
        if not examination.left:
            break
        tried.append(attempt(examination, REASON_SHARE, Remedy("lr-times", factor)))
        if tried[-1].learned:
            return tried[-1]
    return None


def _of_rate(plain: Attempt, mended: Attempt) -> list[Finding]:
    """The rate alone kept the rows from being learned. That is sure of a rate that made things worse."""
    factor = float(mended.remedies[0].value or 1)
    evidence = {
        "loss left at the rate": plain.loss_left,
        "threshold": HARDLY,
        "times the rate": factor,
        "steps to overfit then": mended.steps,
    }
    rates = plain.trace.series("lr").values
    remedies = [f"lr={rates[0] * factor:.3g}"] if rates else []
    name = "learning-rate-too-high" if factor < 1 else "learning-rate-too-low"
    if factor > 1 and not plain.loss_left >= HARDLY:
        return []
    if factor > 1 and plain.steps < min(STEPS, factor * mended.steps):
        return []  # its time was over before a low rate could have got so far
    severity: Severity = "sick" if factor < 1 and not plain.loss_left <= 1 else "warning"
    return [DISEASES[name].finding("tiny subset", evidence=evidence, severity=severity, remedies=remedies)]


def _cannot(examination: Examination, plain: Attempt, tried: list[Attempt]) -> list[Finding]:
    """No learning rate helps. Remedies that do are told with the finding."""
    found = DISEASES["cannot-overfit-tiny-batch"].find(plain.trace)
    if not found:
        return []
    those_that_help = []
    wanted = [(*kind.for_tiny_batch, kind.name) for kind in REMEDIES.values() if kind.for_tiny_batch]
    for remedy in [Remedy(name, value) for _, value, name in sorted(wanted)]:
        if examination.left < REASON_SHARE * examination.seconds:
            break
        try:
            tried.append(attempt(examination, REASON_SHARE, remedy))
        except InputError:
            continue  # this subject has nothing that the remedy applies to
        if tried[-1].learned:
            those_that_help.append(tried[-1])
    those_that_help.sort(key=lambda one: one.steps)
    evidence = dict(found[0].evidence)
    if those_that_help:
        evidence |= {f"overfits with {one.remedies[0]}": f"after {one.steps} steps" for one in those_that_help}
    else:
        evidence["tried without success"] = [" ".join(map(str, one.remedies)) for one in tried]
    helped = (one.remedies[0] for one in those_that_help)
    # That a loss of the other sign falls does not say that the user's loss has the wrong one.
    remedies = tuple(one for one in helped if not REMEDIES[one.name].new_loss)
    return [dataclasses.replace(found[0], evidence=evidence, remedies=remedies)]


def _too_strong(examination: Examination, plain: Attempt, tried: list[Attempt]) -> list[Finding]:
    """Dropout and weight decay, each left on alone: what then keeps the rows from being learned is too strong.

    They get several times the steps that were needed without: a low rate takes its time either way.
    """
    findings = []
    steps = min(STEPS, max(LEFT_ON, PATIENCE * plain.steps))
    network = examination.live.network if examination.subject.has_live_parts else None
    for kind in REGULARISATIONS:
        if not kind.in_use(examination.trace, network) or not examination.left:
            continue
        left_on = attempt(examination, REASON_SHARE, leave=kind.name, steps=steps)
        tried.append(dataclasses.replace(left_on, remedies=(Remedy(f"{kind.name}-left-on"),)))
        loss_stays = not left_on.loss_left < HARDLY
        if not left_on.learned and loss_stays and left_on.steps >= steps:
            evidence = {WITH_IT: left_on.loss_left, "threshold": HARDLY, "steps": left_on.steps}
            severity: Severity = "sick" if not left_on.loss_left < NOTHING else "warning"
            findings.append(DISEASES[kind.too_strong].finding("tiny subset", evidence=evidence, severity=severity))
    return findings
