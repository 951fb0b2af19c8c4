"""Every disease that a Trace can show. To add one: a file of its own, and its name here."""

from __future__ import annotations

from importlib import import_module

from babysit.diseases._disease import Disease

# Each is the DISEASE of the file of its name.
_NAMES = (
    # data
    "inputs-not-finite",
    "targets-not-finite",
    "labels-out-of-range",
    "inputs-badly-scaled",
    "targets-badly-scaled",
    "labels-unrelated",
    "batches-not-shuffled",
    "labels-imbalanced",
    "split-leaks",
    "batch-too-small",
    "batch-too-large",
    "inputs-not-centred",
    "inputs-constant",
    # wiring
    "double-softmax",
    "sigmoid-before-logits-loss",
    "softmax-over-one-unit",
    "softmax-wrong-axis",
    "wrong-output-activation",
    "wrong-loss",
    "loss-broadcasts",
    "nonlinearity-missing",
    "rows-mixed",
    "batch-fails",
    "parameters-not-optimised",
    "parameters-frozen",
    "gradients-not-cleared",
    "evaluation-mode-in-training",
    "training-mode-in-evaluation",
    "gradient-sign-flipped",
    "step-missing",
    "scheduler-misused",
    # dependence
    "kept-state-is-live",
    "network-never-updated",
    "data-changed-in-place",
    "gradients-not-finite",
    "loss-ignores-outputs",
    "loss-impossible",
    "positions-mixed",
    "targets-in-inputs",
    "targets-misaligned",
    "future-leaks",
    "inputs-ignored",
    "evaluation-inputs-differ",
    "evaluation-not-repeatable",
    "targets-conflict",
    "workers-repeat",
    "outputs-identical",
    "padding-counts",
    "latent-collapsed",
    "scaler-misused",
    "learning-rate-schedule-inert",
    "tied-weights-badly-scaled",
    # set-up
    "weights-symmetric",
    "activations-vanish",
    "activations-explode",
    "gradients-vanish",
    "gradients-explode",
    "units-saturated",
    "units-dead",
    "initial-loss-off",
    "dropout-too-high",
    "weight-decay-too-strong",
    "batch-norm-statistics-stale",
    "batch-norm-missing",
    "batch-norm-misplaced",
    "capacity-too-low",
    # dynamics
    "learning-rate-too-high",
    "learning-rate-too-low",
    "diverged",
    "not-learning",
    "stuck-at-chance",
    "cannot-overfit-tiny-batch",
    "oscillating",
    "overfitting",
    "underfitting",
    "stopped-too-early",
    "gradient-noise-high",
    "gradients-clipped-always",
    # search
    "best-at-edge",
    "most-trials-fail",
    "search-too-small",
)

DISEASES: dict[str, Disease] = {
    name: import_module(f"babysit.diseases._{name.replace('-', '_')}").DISEASE for name in _NAMES
}


def readers_of(name: str) -> tuple[str, ...]:
    """Diseases that read something of a trace; those that read little beside it come first.

    Args:
        name: A quantity, `fact:NAME` or `event:KIND`.

    Example:
        >>> readers_of("row-mixing"), readers_of("event:failed")
        (('rows-mixed',), ('batch-fails',))
    """
    readers = [disease for disease in DISEASES.values() if name in disease.reads]
    return tuple(disease.name for disease in sorted(readers, key=lambda disease: len(set(disease.reads))))
