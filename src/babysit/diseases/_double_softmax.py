"""A softmax in front of a loss that takes one itself."""

from __future__ import annotations

from babysit.diseases._at_the_loss import READS_AT_THE_LOSS, activation_name, of_outputs, output_width
from babysit.diseases._disease import Disease
from babysit.diseases._reading import always
from babysit.record import Finding, Severity, Trace

NEARLY_ALL = 0.99  # of the rows: logits that sum to one by chance do not exist
SOFTMAXES = ("softmax", "log-softmax")


def find(trace: Trace) -> list[Finding]:
    """Cross-entropy shows it in the outputs; a log-softmax after a softmax shows it in the layers."""
    width = output_width(trace)
    if width < 2:
        return []
    loss = trace.facts.get("loss")
    if loss == "nll":
        return _two_in_a_row(trace, width)
    if loss != "cross-entropy":
        return []
    # Log-probabilities go through a second log-softmax unchanged: superfluous, and nothing worse.
    signs: dict[str, Severity] = {"row-sum-one-share": "sick", "log-normalised-share": "note"}
    for quantity, severity in signs.items():
        steps, shares = of_outputs(trace, quantity)
        if always(shares, lambda share: share >= NEARLY_ALL):
            evidence = {
                "loss": loss,
                "outputs a row": width,
                quantity: min(shares),
                "threshold": NEARLY_ALL,
                "batches": len(steps),
            }
            return [DISEASE.finding("outputs", evidence=evidence, severity=severity)]
    return []


def _two_in_a_row(trace: Trace, width: int) -> list[Finding]:
    called = [layer for layer in trace.layers if layer.kind != "dropout"][-2:]
    if [activation_name(layer) for layer in called] != list(SOFTMAXES):
        return []
    evidence = {
        "loss": "nll",
        "outputs a row": width,
        "first": called[0].name,
        "directly after it": called[1].name,
        "threshold": "a softmax, then a log-softmax, nothing between",
    }
    return [DISEASE.finding(called[1].name, evidence=evidence)]


DISEASE = Disease(
    name="double-softmax",
    group="wiring",
    severity="sick",
    seen_as="The rows that enter the cross-entropy sum to one: they are already probabilities.",
    threshold=(
        "At least 99 % of the rows of two outputs or more lie in [0, 1] and sum to one, in every batch observed; or a"
        " log-softmax directly after a softmax. Log-probabilities in a cross-entropy are a note."
    ),
    source=(
        "Arithmetic: softmax of probabilities over k classes gives at most e / (e + k - 1), so ten classes keep a loss"
        " of 1.46 nats at least. log-softmax of log-probabilities gives them back as they were."
    ),
    why=(
        "The loss applies a softmax itself, and a second one makes all answers nearly equal. The loss cannot come"
        " near zero, and the gradients are small from the first step on."
    ),
    remedies=("remove-softmax",),
    explained_by=(),
    reads=("log-normalised-share", "row-sum-one-share", "fact:loss", *READS_AT_THE_LOSS),
    find=find,
)
