"""What diseases declare that they read is what they ask a trace for: nothing more, and nothing less."""

from collections.abc import Iterator, Sequence

import pytest

from babysit.diseases import DISEASES
from babysit.record import EVENTS, FACTS, INPUTS, QUANTITIES, TARGETS, Event, Row, Trace, TraceLayer
from tests.diseases import sick_data, sick_set_up, test_dynamics_missing, test_wiring_findings
from tests.diseases.reads import NotedTrace

LOSSES = ("", "cross-entropy", "nll", "mse", "bce-with-logits", "other")


def rows(quantity: str, values: Sequence[float] | float, layer: str = "", phase: str = "train") -> tuple[Row, ...]:
    """One value a step."""
    listed = values if isinstance(values, Sequence) else [values] * 3
    return tuple(Row(step, phase, layer, quantity, value) for step, value in enumerate(listed))


def joined(*parts: tuple[Row, ...], layers: str = "", events: str = "", **facts: str) -> Trace:
    """A trace of rows, of layers `name:kind`, and of events of a kind about the first layer."""
    named = [one.partition(":")[::2] for one in layers.split()]
    return Trace(
        tuple(row for part in parts for row in part),
        events=tuple(Event(0, kind, "", named[0][0]) for kind in events.split()),
        layers=tuple(
            TraceLayer(name, kind, depth=place, units=20, fan_in=30, parameters=600)  # type: ignore[arg-type]
            for place, (name, kind) in enumerate(named, 1)
        ),
        facts={name.replace("_", "-"): value for name, value in facts.items()},
    )


LONG = [2.3] * 400
FALLING = [2.3 * 0.99**step for step in range(400)]
NOISE = rows("gradient-noise-scale", [1e6] * 60, "fc") + rows("batch-rows", 8.0, INPUTS)
# Traces that lead into branches which the others do not reach.
FURTHER = (
    joined(rows("batch-rows", [64.0] * 5, TARGETS), rows("batch-rows", [64.0] * 5, INPUTS),
           rows("classes-seen", 1.0, TARGETS)),
    joined(rows("batch-rows", [64.0] * 5, TARGETS), rows("batch-rows", [64.0] * 5, INPUTS),
           rows("target-dispersion", 40.0, TARGETS), rows("return-company", 0.1, INPUTS),
           rows("return-gap-variation", 0.9, INPUTS)),
    joined(rows("label-top-share", 1.0, TARGETS), rows("label-entropy", 0.0, TARGETS),
           rows("classes-seen", 1.0, TARGETS), rows("rows-seen", 500.0, TARGETS)),
    joined(rows("batch-rows", 2.0, INPUTS), layers="norm:batch-norm"),
    joined(rows("batch-rows", 1.0, INPUTS), layers="norm:batch-norm fc:linear"),
    joined(NOISE, rows("loss", LONG), rows("update-ratio", [1e-3] * 60, "fc"), layers="fc:linear fc2:linear"),
    joined(NOISE, rows("loss", [2.3] * 20 + [float("nan")] * 5), layers="fc:linear"),
    joined(NOISE, rows("loss", [2.3] * 200), rows("update-ratio", [1e-4] * 60, "fc"),
           rows("classes-seen", 10.0, TARGETS), rows("label-entropy", 2.3, TARGETS), layers="fc:linear"),
    joined(NOISE, rows("loss", LONG), rows("label-entropy", 0.69, TARGETS), rows("label-top-share", 0.5, TARGETS),
           rows("classes-seen", 2.0, TARGETS), rows("update-ratio", [1e-3] * 60, "fc"), layers="fc:linear",
           rows="5000"),
    joined(rows("unit-interval-share", 1.0, "(outputs)"), rows("value-min", 0.0, "(outputs)"),
           rows("value-max", 1.0, "(outputs)"), layers="fc:linear", loss="bce-with-logits"),
    joined(rows("value-min", -5.0, TARGETS), rows("value-max", 5.0, TARGETS), output_shape="8x3", target_shape="8x3"),
    joined(rows("loss", LONG), layers="fc:linear", events="parameter-frozen"),
    joined(rows("data-loss", LONG, phase="validation"), log="step"),
    joined(rows("weight-std", 0.1, "fc"), layers="fc:linear fc2:linear", events="gradient-missing"),
    joined(rows("weight-std", 0.1, "fc"), layers="fc:linear fc2:linear", events="parameter-frozen"),
    joined(rows("update-norm", 0.0, "fc"), rows("lr", [0.1] * 9), layers="fc:linear"),
    joined(rows("update-norm", 0.0, "fc"), rows("lr", [0.0] * 9), layers="fc:linear"),
    joined(rows("loss", FALLING), rows("lr", [0.1] * 200 + [1e-6] * 200), layers="fc:linear"),
    joined(rows("weight-std", 0.0, "fc"), layers="fc:linear fc2:linear"),
    joined(rows("loss", LONG), loss_reduction="sum"),
    joined(rows("loss", LONG), layers="fc:linear drop:dropout"),
    joined(rows("running-std-ratio", 2.0, "norm"), rows("batch-rows", 64.0, INPUTS), layers="norm:batch-norm"),
    joined(rows("loss", [2.3] * 20 + [float("nan")] * 5)),
    joined(rows("trial-score", [0.1 * trial for trial in range(12)], phase="search"),
           rows("trial-setting", [0.1 * trial for trial in range(12)], "lr", "search")),
    joined(rows("gradient-one-sign", [1.0] * 9, "(outputs)"), rows("recurring-rows", 200.0, TARGETS),
           rows("same-target-share", 0.1, TARGETS), rows("loss", LONG), target_kind="classes"),
    joined(rows("best-of", [0.1 * trial for trial in range(12)], phase="search")),
)  # fmt: skip


def traces(found: object) -> Iterator[Trace]:
    """All traces in tables of them."""
    if isinstance(found, Trace):
        yield found
    elif isinstance(found, dict):
        for value in found.values():
            yield from traces(value)


@pytest.fixture(scope="module")
def asked() -> dict[str, set[str]]:
    """What each disease asked for, over all traces and losses."""
    tables = (sick_data, sick_set_up, test_dynamics_missing, test_wiring_findings)
    known = [trace for module in tables for value in vars(module).values() for trace in traces(value)]
    found: dict[str, set[str]] = {name: set() for name in DISEASES}
    for trace in (*known, *FURTHER):
        for loss in LOSSES:
            noted = NotedTrace.of(trace, {"loss": loss} if loss else {})
            for name, disease in DISEASES.items():
                noted.asked.clear()
                disease.find(noted)
                found[name] |= noted.asked
    return found


@pytest.mark.parametrize("name", DISEASES)
def test_a_disease_reads_what_it_declares(name: str, asked: dict[str, set[str]]) -> None:
    declared = set(DISEASES[name].reads)
    assert asked[name] - declared == set(), "declare these in `reads`"
    assert declared - asked[name] == set(), "these are never read: take them out, or add a trace that leads there"


@pytest.mark.parametrize("name", DISEASES)
def test_what_is_read_is_in_the_tables_of_what_a_trace_holds(name: str) -> None:
    for read in DISEASES[name].reads:
        kind, _, rest = read.rpartition(":")
        assert rest in {"": set(QUANTITIES), "fact": set(FACTS), "event": set(EVENTS)}[kind]
