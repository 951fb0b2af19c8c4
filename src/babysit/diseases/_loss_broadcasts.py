"""Outputs and targets of different shapes, which an elementwise loss spreads over each other."""

from __future__ import annotations

import statistics

from babysit.diseases._at_the_loss import target_value
from babysit.diseases._disease import Disease
from babysit.diseases._learned import ELEMENTWISE
from babysit.diseases._reading import aligned, observed, shape_of, together, written
from babysit.record import Finding, Severity, Trace

# Every output against every target: the loss cannot fall below the targets' own spread. A hand-written loss that does
# has put its shapes right inside.
WELL_BELOW = 0.5
ABSOLUTE_OF_STD = 0.8  # mean absolute deviation of normal numbers: sqrt(2 / pi) of their standard deviation
LONG = 50  # losses before a hand-written loss can be called stuck there
STUCK_AT = 0.9


def find(trace: Trace) -> list[Finding]:
    """The facts tell both shapes; broadcasting that keeps rows with rows is left alone."""
    output, target = shape_of(trace, "output-shape"), shape_of(trace, "target-shape")
    if output is None or target is None or output == target:
        return []
    loss, made = trace.facts.get("loss", "other"), together(output, target)
    if made is None:
        return []
    severity = _severity(trace, loss, output, target, made)
    if severity is None:
        return []
    evidence = {
        "loss": loss,
        "outputs": written(output),
        "targets": written(target),
        "together": written(made),
        "threshold": "one shape for both",
    }
    return [DISEASE.finding("loss", evidence=evidence, severity=severity)]


def _severity(
    trace: Trace, loss: str, output: tuple[int, ...], target: tuple[int, ...], made: tuple[int, ...]
) -> Severity | None:
    whole_output, whole_target = aligned(output, target)
    # Rows stay with rows when the first dimension is common: pairs of quantiles are taken on purpose.
    astray = whole_output[0] != whole_target[0]
    crossed = astray and made not in (whole_output, whole_target)
    if loss in ELEMENTWISE:
        if crossed:
            return "sick"
        same_rows = output[:1] == target[:1] != ()
        rows_on_columns = same_rows and astray and len(target) < len(output)
        too_few_outputs = same_rows and made == whole_target != whole_output
        return "warning" if rows_on_columns or too_few_outputs else None
    if loss != "other" or not crossed or 1 not in (len(output), len(target)):
        return None
    return _of_unknown_loss(trace)


def _of_unknown_loss(trace: Trace) -> Severity | None:
    """What a hand-written loss does with its shapes is unknown; whether it falls tells."""
    spread = target_value(trace, "value-std")
    values = observed(trace, "loss").values
    if not spread or not values:
        return "warning"
    end = statistics.median(values[-max(1, len(values) // 4) :])
    if end < WELL_BELOW * min(spread**2, ABSOLUTE_OF_STD * spread):
        return None
    return "sick" if len(values) >= LONG and end >= STUCK_AT * spread**2 else "warning"


DISEASE = Disease(
    name="loss-broadcasts",
    group="wiring",
    severity="sick",
    seen_as="Outputs and targets differ in shape, such as 64x1 and 64, and the loss compares all pairs: 64x64.",
    threshold=(
        "An elementwise loss of shapes that broadcast beyond both, with rows laid over columns. Under a hand-written"
        " loss: a warning; sick when after 50 steps it still is 0.9 of the targets' variance; nothing when it has"
        " fallen below half of their spread."
    ),
    source=(
        "Arithmetic: the mean over all pairs of (output - target)^2 is at least the targets' variance, reached when"
        " every answer is their mean. PyTorch warns of it in mse_loss and l1_loss alone, and goes on."
    ),
    why=(
        "Each output is compared with the targets of all rows, so the best answer to every row is the mean target."
        " The loss falls to that level and stays there."
    ),
    remedies=("match-shapes",),
    explained_by=("wrong-loss",),
    reads=(
        "batch-rows",
        "loss",
        "rows-seen",
        "value-std",
        "width",
        "fact:loss",
        "fact:output-shape",
        "fact:target-shape",
    ),
    find=find,
    alone=True,
)
