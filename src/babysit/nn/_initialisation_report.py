"""What an initialisation did, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from babysit.record import printable


@dataclass(frozen=True)
class LayerInitialisation:
    """One weight, or one group of weights of a recurrent or attention layer.

    Attributes:
        name: The parameter.
        shape: Its shape.
        scheme: How it was drawn.
        gain: Factor on 1/sqrt(fan_in); None where the scheme has none.
        fan_in: Numbers that enter one unit's sum.
        std: Of the weights as drawn.
        followed_by: The activation its output meets, or what was met instead.
        why: The choice, in words.
        output_std: Of the layer's output on the sample, None without one.
        activation_std: Of the activation that follows, on the sample.
        never_active: Share of the layer's units that are flat on every row of the sample, for activations that die.
    """

    name: str
    shape: tuple[int, ...]
    scheme: str
    gain: float | None
    fan_in: int | None
    std: float
    followed_by: str
    why: str
    output_std: float | None = None
    activation_std: float | None = None
    never_active: float | None = None


@dataclass(frozen=True)
class LeftAlone:
    """A parameter that kept its numbers, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class InitialisationReport:
    """What `initialise` did.

    Attributes:
        scheme: As asked for.
        source: Where the scheme comes from.
        seed: Of the draws.
        way: How the activations that follow were found.
        layers: Each weight, in the order of the modules.
        biases: What biases were set to, by parameter name.
        normalisations: Normalisation layers, with the scale each was set to.
        left: Parameters that kept their numbers.
    """

    scheme: str
    source: str
    seed: int
    way: str
    layers: tuple[LayerInitialisation, ...]
    biases: dict[str, str]
    normalisations: dict[str, float]
    left: tuple[LeftAlone, ...]

    def __rich__(self) -> Table:
        measured = any(layer.output_std is not None for layer in self.layers)
        table = Table(title=f"initialisation {self.scheme}, seed {self.seed}: {self.source}", box=box.SIMPLE)
        table.caption = self._caption()
        for column in ("weight", "shape", "drawn", "gain", "fan in", "std", "followed by", "why"):
            table.add_column(column, justify="right" if column in ("gain", "fan in", "std") else "left")
        if measured:
            for column in ("output std", "activation std", "never active"):
                table.add_column(column, justify="right")
        for layer in self.layers:
            cells = [
                layer.name,
                "x".join(map(str, layer.shape)),
                layer.scheme,
                _number(layer.gain),
                "" if layer.fan_in is None else str(layer.fan_in),
                _number(layer.std),
                layer.followed_by,
                layer.why,
            ]
            if measured:
                share = "" if layer.never_active is None else f"{layer.never_active:.1%}"
                cells += [_number(layer.output_std), _number(layer.activation_std), share]
            table.add_row(*cells)
        return table

    def _caption(self) -> str:
        parts = [f"what follows each layer was found by {self.way}"]
        if self.normalisations:
            zeroed = sum(scale == 0 for scale in self.normalisations.values())
            parts.append(
                f"{len(self.normalisations)} normalisations set to scale 1, shift 0"
                + f" ({zeroed} to scale 0)" * (zeroed > 0)
            )
        parts += [f"left alone: {left.name} ({left.why})" for left in self.left]
        return "; ".join(parts)

    def __str__(self) -> str:
        console = Console(width=200, color_system=None, markup=False, emoji=False)
        with console.capture() as capture:
            console.print(self)
        return printable(capture.get().rstrip())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
