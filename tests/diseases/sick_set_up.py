"""A sick trace and a healthy twin for each disease of the set-up."""

from babysit.diseases import DISEASES
from babysit.record import OUTPUTS, Finding, Trace, TraceLayer
from tests.diseases.traces_set_up import (
    LAST,
    STEPS,
    at_chance,
    falling,
    in_all,
    replace,
    sound,
    with_facts,
    without,
)

SET_UP = {name: disease for name, disease in DISEASES.items() if disease.group == "set-up"}
ENDS = range(19, LAST + 1, 20)


def names(trace: Trace) -> list[str]:
    return [found.name for disease in SET_UP.values() for found in disease.find(trace)]


def only(name: str, trace: Trace) -> Finding:
    (found,) = SET_UP[name].find(trace)
    return found


def vanishing(kept: float = 0.001, hidden: int = 8) -> Trace:
    """Geometric decline by depth, down to `kept` of the first layer's."""
    return in_all(at_chance(sound(hidden)), "activation-std", lambda number: kept ** ((number - 1) / (hidden - 1)))


def growing(by: float = 1e5, hidden: int = 8, first: float = 1.0) -> Trace:
    trace = at_chance(sound(hidden))
    return in_all(trace, "activation-std", lambda number: first * by ** ((number - 1) / (hidden - 1)))


def gradients(ratio: float, hidden: int = 8, activation: str = "relu", norm: bool = False) -> Trace:
    """First over last hidden layer, geometric between; the layer of the outputs as the last hidden one."""
    trace = at_chance(sound(hidden, activation, norm=norm))
    return in_all(
        trace, "activation-gradient-std", lambda number: 1e-3 * ratio ** (max(0, hidden - number) / (hidden - 1))
    )


def dead(share: float, layer: int = 2, learns: bool = False, units: int = 100) -> Trace:
    trace = sound(units=units)
    return replace(trace if learns else at_chance(trace), "never-active-share", share, f"act{layer}")


def saturated(share: float, activation: str = "tanh") -> Trace:
    return replace(at_chance(sound(3, activation)), "activation-flat-share", share, "act2")


def first_loss(value: float, trace: Trace | None = None) -> Trace:
    trace = at_chance(trace or sound())
    wide = replace(replace(trace, "value-max", 1000.0, OUTPUTS), "value-min", -1000.0, OUTPUTS)
    return replace(wide, "criterion", [value, *[2.303] * (len(STEPS) - 1)])


def shrinking(kept: float, decay: str = "1.0") -> Trace:
    lengths = [5 * kept ** (step / STEPS[-1]) for step in STEPS]
    trace = with_facts(at_chance(sound()), weight_decay=decay)
    for number in range(1, 5):
        trace = replace(trace, "weight-norm", lengths, f"fc{number}")
    return trace


def evaluates_at(loss: float) -> Trace:
    """A network with batch normalisation whose batches cost 0.1 and less at the end."""
    trace = replace(sound(norm=True), "loss", falling(2.3, 0.05), steps=range(LAST + 1))
    trace = replace(without(trace, "criterion"), "data-loss", loss, steps=ENDS)
    return replace(trace, "data-loss", loss, steps=ENDS, phase="validation")


def settled(level: float, parameters: str = "200", gap: float = 1.0) -> Trace:
    trace = with_facts(at_chance(sound(), level), parameters=parameters)
    return replace(trace, "data-loss", level * gap, steps=ENDS, phase="validation")


def norm_on_outputs() -> Trace:
    trace = at_chance(sound())
    return Trace(trace.rows, layers=(*trace.layers, TraceLayer("norm", "batch-norm", units=10)), facts=trace.facts)


SICK: dict[str, Trace] = {
    "weights-symmetric": in_all(at_chance(sound()), "identical-units-share", lambda number: 1.0),
    "activations-vanish": vanishing(),
    "activations-explode": growing(),
    "gradients-vanish": gradients(1e-6),
    "gradients-explode": gradients(1e8),
    "units-saturated": saturated(0.9),
    "units-dead": dead(0.95),
    "initial-loss-off": first_loss(50.0),
    "dropout-too-high": in_all(
        at_chance(sound(dropout=True)), "activation-zero-share", lambda number: 0.97, prefix="dropout"
    ),
    "weight-decay-too-strong": shrinking(0.01),
    "batch-norm-statistics-stale": evaluates_at(2.0),
    "batch-norm-missing": vanishing(),
    "batch-norm-misplaced": norm_on_outputs(),
    "capacity-too-low": settled(1.0),
}
SEVERITIES = {"dropout-too-high": "warning", "batch-norm-missing": "note", "batch-norm-misplaced": "warning",
              "capacity-too-low": "note"}  # fmt: skip
TWINS: dict[str, Trace] = {
    "weights-symmetric": replace(sound(), "identical-units-share", 1.0, "fc4"),  # zeros in the last layer are sound
    "activations-vanish": vanishing(0.5),
    "activations-explode": growing(3.0),
    "gradients-vanish": gradients(0.1),
    "gradients-explode": gradients(10.0),
    "units-saturated": replace(sound(3, "tanh"), "saturated-unit-share", 0.3, "act3"),
    "units-dead": dead(0.15),
    "initial-loss-off": first_loss(3.5),
    "dropout-too-high": sound(dropout=True),
    "weight-decay-too-strong": with_facts(sound(), weight_decay="0.1"),
    "batch-norm-statistics-stale": evaluates_at(0.06),
    "batch-norm-missing": sound(8),
    "batch-norm-misplaced": sound(norm=True),
    "capacity-too-low": settled(1.0, parameters="27000"),
}
