"""Evaluated rows that are scaled or encoded otherwise than those that are trained on."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._learned import way_from_chance
from babysit.diseases._reading import latest
from babysit.record import INPUTS, TARGETS, Finding, Trace

# Of the training inputs' deviation. Measured: cropping with a border moves the mean of images by 0.24 deviations and
# takes the deviation to 0.77 of what it was; images that are not normalised in evaluation 0.91 and 0.24.
SHIFTED = 0.5
SPREAD = 1.5  # ratio of deviations, in either direction
WORSE = 0.5  # of the way from chance to perfect that training answers have gone
# The same, and of the ratio, where it is a fault whatever the answers are worth: skewed features whose logarithm is
# taken in training alone lie 48 deviations away, rows of another set of images some 1 to 3.
FARTHEST = 10.0
FAR = 3.0  # the same where nothing is known of the answers: deviations, and means in units of the threshold
TINY = 1e-12
LEARNED = 0.2  # of that way: below, nothing was learned that evaluation could lack


def find(trace: Trace) -> list[Finding]:
    """Inputs' mean and deviation in evaluation against training, where evaluation is much worse."""
    shift = latest(trace, "evaluation-shift", layer=INPUTS, phase="validation")
    ratio = latest(trace, "evaluation-spread-ratio", layer=INPUTS, phase="validation")
    trained, evaluated = way_from_chance(trace), _evaluated(trace)
    if shift is None or ratio is None:
        return []
    if trained is None or evaluated is None:
        # How well evaluated rows are answered is not known, so that only what no augmentation does is told.
        if max(ratio, 1 / max(ratio, TINY)) < FAR and shift < FAR * SHIFTED:
            return []
        evidence = {"distance of the means in deviations": shift, "ratio of the deviations": ratio, "threshold": FAR}
        if max(ratio, 1 / max(ratio, TINY)) >= FARTHEST and shift >= FARTHEST:
            return [DISEASE.finding("inputs", evidence=evidence | {"threshold": FARTHEST})]
        return [DISEASE.finding("inputs", evidence=evidence, severity="warning")]
    differs = shift > SHIFTED or ratio > SPREAD or ratio < 1 / SPREAD
    if not differs or trained < LEARNED or evaluated > WORSE * trained:
        return []
    evidence = {
        "distance of the means in deviations": shift,
        "ratio of the deviations": ratio,
        "threshold": SHIFTED,
        "threshold of the ratio": SPREAD,
        "way from chance to perfect, training": trained,
        "evaluation": evaluated,
    }
    return [DISEASE.finding("inputs", evidence=evidence)]


def _evaluated(trace: Trace) -> float | None:
    """What answers to evaluated rows are worth: 0 by chance, 1 when all are right."""
    accuracy = latest(trace, "accuracy", phase="validation")
    if accuracy is None:
        accuracy = latest(trace, "balanced-accuracy", phase="validation")
    classes = latest(trace, "classes-seen", layer=TARGETS)
    if accuracy is not None and classes is not None and classes > 1:
        return (accuracy - 1 / classes) / (1 - 1 / classes)
    return latest(trace, "r2", phase="validation")


DISEASE = Disease(
    name="evaluation-inputs-differ",
    group="dependence",
    severity="sick",
    seen_as="Evaluated rows have another mean or another spread than training rows, and their answers are much worse.",
    threshold=(
        "Over all input values, or by column of a table (the root mean square of distances, the median of ratios):"
        f" the means lie more than {SHIFTED:g} deviations apart, or their deviations differ by more"
        f" than a factor of {SPREAD:g}; and evaluation has gone less than {WORSE:g} of the way from chance to perfect"
        f" that training has, which is at least {LEARNED:g}. Without known scores, a warning from {FAR:g} times on, and"
        f" sick where means lie {FARTHEST:g} deviations apart and deviations differ {FARTHEST:g}-fold."
    ),
    source=(
        "Measured on images: an augmentation that crops with a border moves the mean by 0.24 deviations and the"
        " deviation to 0.77; a forgotten normalisation by 0.91 and to 0.24 (ResNet-pytorch issue 1)."
    ),
    why=(
        "The network gets numbers that it has never seen, and its score does not show what it has learned. Scale"
        " and encode evaluated rows by the statistics of the training rows, in the same code."
    ),
    remedies=(),
    explained_by=(),
    reads=(
        "evaluation-shift",
        "evaluation-spread-ratio",
        "accuracy",
        "balanced-accuracy",
        "classes-seen",
        "r2",
    ),
    find=find,
)
