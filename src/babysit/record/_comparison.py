"""What each initialisation does to a network and its data, as plain numbers."""

from __future__ import annotations

from dataclasses import field

from babysit.record._stored import stored

COMPARISON_SCHEMA = 1


@stored
class SchemeLayer:
    """One layer under one scheme, before the first step.

    Attributes:
        name: As traces call it.
        std: Of its outputs.
        mean: Of its outputs.
        gradient_std: Root mean square of the loss's gradient with respect to its outputs.
        flat: Share of its outputs where the activation's slope is below 0.01; None for other layers than activations.
        edges: Of the histogram of its outputs.
        counts: Between them.
        weighted: Whether it has weights; an activation has none.
    """

    name: str
    std: float
    mean: float
    gradient_std: float
    flat: float | None
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    weighted: bool = True


@stored
class SchemeResult:
    """What one scheme does.

    Attributes:
        scheme: Its name; `as given` for the weights as they are.
        layers: In the order of the forward pass.
        first_loss: Before the first step.
        losses: After the steps, one for each seed.
        failed: Why it could not be tried; empty where it could.
    """

    scheme: str
    layers: tuple[SchemeLayer, ...]
    first_loss: float
    losses: tuple[float, ...]
    failed: str = ""


@stored
class InitialisationComparison:
    """Initialisations side by side.

    Attributes:
        subject: What was initialised.
        results: One for each scheme.
        take: The scheme to take.
        why: The reason, with its numbers.
        steps: Of each short training.
    """

    schema: int = field(default=COMPARISON_SCHEMA, kw_only=True)
    subject: str
    results: tuple[SchemeResult, ...]
    take: str
    why: str
    steps: int

    def result(self, scheme: str) -> SchemeResult:
        """The result of that scheme; KeyError when it was not tried."""
        for found in self.results:
            if found.scheme == scheme:
                return found
        raise KeyError(scheme)
