"""Activations that shrink from layer to layer at the first step."""

from __future__ import annotations

from babysit.diseases._depth import activations_at_the_start, main_activation, scheme_for
from babysit.diseases._disease import Disease
from babysit.diseases._learned import READS_LEARNED, loss_left, severity_by_outcome
from babysit.record import Finding, Severity, Trace

LEAST_LAYERS = 3  # hidden ones: two cannot vanish by depth
DEEPEST = 2  # of the last ones the larger counts: a branch that begins at zero says nothing of the rest
# Sound networks fall too: tanh with Xavier from .63 to .23 over ten layers (CS231n), what tells rows apart behind ten
# ReLU layers with He to .46 of the first. Both follow about depth^-0.44.
SOUND_DECLINE = -0.44
FADING, GONE = 0.05, 0.01


def find(trace: Trace) -> list[Finding]:
    """Compare the deepest hidden layers with the first one, and with what sound networks keep at that depth."""
    profile = activations_at_the_start(trace)
    if len(profile) < LEAST_LAYERS or profile[0].value <= 0:
        return []
    first = profile[0]
    last = max(profile[-DEEPEST:], key=lambda point: point.value)
    baseline = len(profile) ** SOUND_DECLINE
    kept = last.value / first.value / baseline
    if kept >= FADING:
        return []
    severity: Severity = "sick" if kept < GONE else "warning"
    evidence = {
        "first layer": first.layer,
        "its std over rows": first.value,
        "deep layer": last.layer,
        "std over rows there": last.value,
        "sound networks keep": baseline,
        "kept, over what sound ones keep": kept,
        "threshold": GONE if kept < GONE else FADING,
        "hidden layers": len(profile),
        "activation": main_activation(trace) or "unknown",
    }
    share = loss_left(trace)
    if share is not None:
        evidence["loss left"] = share
    remedies = (f"initialise={scheme_for(trace)}", "insert-batch-norm")
    if main_activation(trace) == "sigmoid":
        remedies = ("activation=relu", *remedies[1:])
    return [
        DISEASE.finding(last.layer, evidence=evidence, severity=severity_by_outcome(trace, severity), remedies=remedies)
    ]


DISEASE = Disease(
    name="activations-vanish",
    group="set-up",
    severity="sick",
    seen_as="At the first step, the differences between rows shrink from layer to layer until almost nothing is left.",
    threshold=(
        f"Standard deviation over rows of the deepest of {LEAST_LAYERS} hidden layers and more (the larger of the last"
        f" two) over that of the first, over depth^{SOUND_DECLINE:g}: under {FADING:g} a warning, under {GONE:g} sick;"
        " one step milder where the loss is below half of a constant answer's. Behind a normalisation, what leaves it."
    ),
    source=(
        "CS231n lecture 6: ten layers of 500 units, tanh with 0.01 randn falls to nothing, Xavier keeps .36 of the"
        " first layer. Measured on digits and small synthetic tasks in this reading, which also set the threshold: 85"
        " trainings that learn keep .06 and more; ReLU layers of 256 with PyTorch's default weights after 400 steps of"
        " plain SGD at 0.1: six hidden ones keep .04 and reach 67 %, seven keep .02 and nine .003 and stay at chance."
        " Adam learns with all of them."
    ),
    why=(
        "The deep layers see nearly the same numbers for every row, so the outputs can hardly depend on the"
        " inputs. The gradients of their weights shrink as well, and plain SGD does not learn."
    ),
    remedies=("initialise=he", "insert-batch-norm"),
    explained_by=("evaluation-mode-in-training", "weights-symmetric"),
    reads=("activation-std", "batch-rows", "row-spread", *READS_LEARNED),
    find=find,
)
