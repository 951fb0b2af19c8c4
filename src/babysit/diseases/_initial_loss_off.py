"""A first loss far above that of a network that knows nothing."""

from __future__ import annotations

import math

from babysit.diseases._depth import at_start
from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LEARNED, SQUARED_OR_ABSOLUTE, loss_left, severity_by_outcome
from babysit.diseases._reading import shape_of
from babysit.record import OUTPUTS, TARGETS, Finding, Severity, Trace, losses_that

# Of a loss in nats. Measured: PyTorch's default networks start within .2 of ln C, with He within 2 (outputs of unit
# variance add half a nat, and those of ELU and wide ReLU networks have two or three).
TIMES, PLUS = 2.0, 1.0
SICK_TIMES = 10.0
# Of a squared or absolute error, told by what it says of the outputs' size against the targets'. Outputs of twice that
# size are what He gives, and small targets are outdone more than that by any sound network.
SIZES, SICK_SIZES = 10.0, 100.0
NATS = losses_that(nats=True)
MEANT_FOR_ROWS = frozenset({"cross-entropy", "nll"})
ROUNDING = 1e-6


def find(trace: Trace) -> list[Finding]:
    """The loss at step 0 against that of outputs that are all zero. A low one is a network that was trained before."""
    loss = trace.facts.get("loss", "")
    measured = _measured(trace)
    expected = _expected(trace, loss)
    if measured is None or expected is None or expected <= 0:
        return []
    if loss in NATS:
        limit, sick = TIMES * expected + PLUS, max(SICK_TIMES * expected, TIMES * expected + PLUS)
        if not _outputs_can(trace, measured - expected):
            return []
    else:
        power = 2 if loss == "mse" else 1
        limit, sick = SIZES**power * expected, SICK_SIZES**power * expected
    if measured <= limit:
        return []
    severity: Severity = "sick" if measured > sick else "warning"
    evidence = {
        "first loss": measured,
        "loss of knowing nothing": expected,
        "threshold": sick if severity == "sick" else limit,
        "loss": loss,
    }
    std = at_start(trace, "value-std", OUTPUTS)
    if std is not None:
        evidence["std of the outputs"] = std
    share = loss_left(trace)
    if share is not None:
        evidence["loss left"] = share
    return [DISEASE.finding("step 0", evidence=evidence, severity=severity_by_outcome(trace, severity))]


def _measured(trace: Trace) -> float | None:
    """What the loss function gave, without penalties; of a sum, a mean."""
    value = at_start(trace, "criterion")
    reduction = trace.facts.get("loss-reduction", "mean")
    if value is None:
        value = at_start(trace, "loss")
    if value is None or reduction == "mean":
        return value
    shape = shape_of(trace, "output-shape")
    if reduction != "sum" or not shape:
        return None
    numbers = math.prod(shape)
    if trace.facts.get("loss") in MEANT_FOR_ROWS and len(shape) > 1:
        numbers //= shape[1]
    return value / max(1, numbers)


def _expected(trace: Trace, loss: str) -> float | None:
    """The loss of outputs that are zero."""
    if loss in ("bce", "bce-with-logits"):
        return math.log(2)
    width = at_start(trace, "width", OUTPUTS) or _number(trace.facts.get("classes", ""))
    if loss in ("cross-entropy", "nll"):
        return math.log(width) if width is not None and width > 1 else None
    if loss == "hinge":
        return max(1.0, width - 1) if width is not None else None
    mean, std = at_start(trace, "value-mean", TARGETS), at_start(trace, "value-std", TARGETS)
    if loss not in SQUARED_OR_ABSOLUTE or mean is None or std is None:
        return None
    size = math.hypot(mean, std)
    return {"mse": size**2, "l1": size}.get(loss, min(size**2 / 2, size))


def _outputs_can(trace: Trace, above: float) -> bool:
    """Whether outputs of the size seen can cost that much more; else weights of classes or penalties do."""
    low, high = at_start(trace, "value-min", OUTPUTS), at_start(trace, "value-max", OUTPUTS)
    if low is None or high is None:
        return True
    reach = max(abs(low), abs(high))
    # Probabilities near zero cost without limit, though they are small numbers themselves.
    return trace.facts.get("loss") == "bce" or above <= 2 * max(1, _width(trace)) * reach + ROUNDING


def _width(trace: Trace) -> float:
    # A hinge adds up over wrong classes; a cross-entropy is passed by at most the distance of two outputs.
    return (at_start(trace, "width", OUTPUTS) or 1) if trace.facts.get("loss") == "hinge" else 1


def _number(text: str) -> float | None:
    return float(text) if text.isdecimal() else None


DISEASE = Disease(
    name="initial-loss-off",
    group="set-up",
    severity="warning",
    seen_as="Before the first step, the loss is far above that of a network that knows nothing.",
    threshold=(
        "Loss at step 0, penalties left out, against ln C for cross-entropy, ln 2 for two classes, C - 1 for hinge:"
        f" above {TIMES:g} times and {PLUS:g} a warning, above {SICK_TIMES:g} times sick. Against the mean square of"
        f" the targets for a squared error: above {SIZES**2:g} times a warning, above {SICK_SIZES**2:g} times sick; for"
        f" an absolute error {SIZES:g} and {SICK_SIZES:g} times. One step milder where the loss is under half of a"
        " constant answer's later. A lower one is not a disease."
    ),
    source=(
        "CS231n lecture 6: ln 10 = 2.303 for ten classes, 9 for an SVM. Measured on digits, where this line was set"
        " too: 107 sound trainings start at 2.2 to 3.9, with the last layer's weights 100 times too large at 14, with"
        " all weights of std 1 at 761."
    ),
    why=(
        "The outputs are large before anything is learned, so the network is certain and wrong. The first steps"
        " only undo that, and often leave worse weights than a new initialisation."
    ),
    remedies=("initialise", "standardise-inputs"),
    explained_by=(
        "inputs-badly-scaled",
        "targets-badly-scaled",
        "weights-symmetric",
        "activations-explode",
        "units-saturated",
        "wrong-loss",
        "loss-broadcasts",
        "labels-out-of-range",
    ),
    reads=(
        "criterion",
        "value-max",
        "value-mean",
        "value-min",
        "width",
        "fact:classes",
        "fact:output-shape",
        *READS_LEARNED,
    ),
    find=find,
)
