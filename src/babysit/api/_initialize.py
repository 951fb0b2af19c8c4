"""initialize: first weights for any network, each layer's suited to the activation that follows it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import RenderableType
from torch import nn

from babysit.api._result import Result
from babysit.nn import InitialisationReport, LayerInitialisation, Sample, Scheme
from babysit.nn import initialise as draw


@dataclass(frozen=True, repr=False)
class Initialized(Result):
    """What `initialize` answers.

    Attributes:
        initialisation: What was done to each parameter.
    """

    initialisation: InitialisationReport

    @property
    def layers(self) -> tuple[LayerInitialisation, ...]:
        """Each weight, in the order of the modules."""
        return self.initialisation.layers

    def _record(self) -> InitialisationReport:
        return self.initialisation

    def _title(self) -> str:
        return f"initialisation {self.initialisation.scheme}, seed {self.initialisation.seed}"

    def __rich__(self) -> RenderableType:
        return self.initialisation.__rich__()


def initialize(
    model: nn.Module,
    scheme: Scheme = "auto",
    *,
    sample: Sample | None = None,
    std: float | None = None,
    bias: float = 0.0,
    value: float | None = None,
    zero_last_norm: bool = False,
    seed: int = 0,
    measure: bool = True,
) -> Initialized:
    """Draw the weights of a network anew, in place, and say what was done layer by layer.

    `babysit.nn.initialise` describes the schemes and their sources.

    Args:
        model: Any module with its weights on a real device.
        scheme: `auto`, `pytorch` (leave the weights), `small-random`, `xavier`, `xavier-uniform`, `he`, `orthogonal`,
            `lsuv` (needs a sample), `constant`, `zero`.
        sample: A batch as the network takes it: a tensor, a tuple of arguments or a dict of arguments by name. With it
            the activation that follows each layer is found by running the network.
        std: Of `small-random`, 0.01 when not given.
        bias: First value of biases; 0.01 keeps more relu units alive at the start. `pytorch` leaves biases at 0.0.
        value: Of `constant`.
        zero_last_norm: Start the last normalisation of each residual branch at scale 0.
        seed: Of the draws; the same seed gives the same weights on every device.
        measure: Whether to run the sample again and report the std of each layer's output.

    Raises:
        InputError: The scheme is unknown, an option belongs to another scheme, the network cannot take the sample, or
            weights have no values yet.

    Example:
        >>> model = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
        >>> [(layer.followed_by, round(layer.gain, 3)) for layer in initialize(model).layers]
        [('relu', 1.414), ("the model's end", 0.1)]
    """
    return Initialized(
        draw(
            model,
            scheme,
            sample=sample,
            std=std,
            bias=bias,
            value=value,
            zero_last_norm=zero_last_norm,
            seed=seed,
            measure=measure,
        )
    )


initialise = initialize
