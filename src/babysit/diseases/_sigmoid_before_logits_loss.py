"""A sigmoid in front of a loss that applies one itself."""

from __future__ import annotations

from babysit.diseases._at_the_loss import READS_OUTPUT_ACTIVATION, of_outputs, output_activation, output_range
from babysit.diseases._disease import Disease
from babysit.diseases._reading import always
from babysit.record import Finding, Trace

WHOLE = 1 - 1e-6  # every value, up to the rounding of a mean in float32
# Where the activation was not seen: logits of an untrained network may lie in [0, 1] for a while, but they do not come
# near both ends and keep to them.
NEAR_END = 0.1
LATE_STEP = 100


def find(trace: Trace) -> list[Finding]:
    """Values in [0, 1] prove little alone: a sigmoid that was seen, or both ends reached and never passed, must be."""
    steps, shares = of_outputs(trace, "unit-interval-share")
    if trace.facts.get("loss") != "bce-with-logits" or not always(shares, lambda share: share >= WHOLE):
        return []
    last, seen = output_activation(trace), output_range(trace)
    name = last.name if last is not None and last.probability else ""
    if not name and (seen is None or steps[-1] < LATE_STEP or not _from_end_to_end(*seen)):
        return []
    evidence: dict[str, float | str] = {
        "loss": "bce-with-logits",
        "smallest share in [0, 1]": min(shares),
        "threshold": WHOLE,
        "batches": len(steps),
        "last activation": name or "not seen",
    }
    if seen is not None:
        evidence |= {"smallest output": seen[0], "largest output": seen[1]}
    remedies = ("remove-softmax",) if name == "softmax" else DISEASE.remedies
    return [DISEASE.finding(last.layer if last is not None else "outputs", evidence=evidence, remedies=remedies)]


def _from_end_to_end(low: float, high: float) -> bool:
    return 0 <= low <= NEAR_END and 1 - NEAR_END <= high <= 1


DISEASE = Disease(
    name="sigmoid-before-logits-loss",
    group="wiring",
    severity="sick",
    seen_as="All values that enter the binary cross-entropy with logits are in [0, 1]: a sigmoid was already applied.",
    threshold=(
        "Every value in [0, 1] in every batch, and a sigmoid or softmax as the last activation, or outputs that are the"
        " sigmoid of what the last layer gave. Where neither was seen: values within 0.1 of both ends and none beyond,"
        " over 100 steps or more."
    ),
    source=(
        "Arithmetic: the sigmoid of a number in [0, 1] lies in [0.5, 0.73], so the loss of a row of class 0 is never"
        " below ln 2. The rule for unseen activations: our own choice, so that logits of noise near a class prior pass."
    ),
    why=(
        "The loss applies a sigmoid itself, which turns values in [0, 1] into probabilities between 0.5 and 0.73."
        " No row can get a negative answer, and the loss cannot come near zero."
    ),
    remedies=("remove-sigmoid",),
    explained_by=("softmax-over-one-unit",),
    reads=("unit-interval-share", "fact:loss", *READS_OUTPUT_ACTIVATION),
    find=find,
)
