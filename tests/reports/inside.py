"""A trace with layers, and findings on it."""

from babysit.record import Event, Finding, Histogram, Remedy, Row, Trace, TraceLayer

LAYERS = tuple(
    found
    for number in range(4)
    for found in (
        TraceLayer(f"fc{number}", "linear", depth=number + 1, units=8, fan_in=8, parameters=72, bias=True),
        TraceLayer(f"relu{number}", "activation", "relu", depth=number + 1, units=8),
    )
)


def seen_inside() -> Trace:
    rows, histograms = [], []
    for step in (0, 1, 50):
        rows.append(Row(step, "train", "", "loss", 2.3 - 0.01 * step))
        for number in range(4):
            rows += [
                Row(step, "train", f"fc{number}", "activation-std", 0.5**number),
                Row(step, "train", f"fc{number}", "activation-gradient-std", 0.1 * 2.0**number),
                Row(step, "train", f"fc{number}", "update-ratio", 1e-3 * (1 + number)),
                Row(step, "train", f"fc{number}.bias", "update-ratio", 1.0),
                Row(step, "train", f"fc{number}", "gradient-sign-share", 0.9),
                Row(step, "train", f"relu{number}", "never-active-share", 0.1 * number),
            ]
            histograms.append(Histogram(step, "train", f"fc{number}", "activation", (-1.0, 0.0, 1.0), (30, 10)))
    return Trace(
        tuple(rows), tuple(histograms), (Event(50, "not-finite", "the loss became nan"),), LAYERS, {"loss": "mse"}
    )


FINDINGS = [
    Finding(
        "activations-vanish",
        "sick",
        "fc3",
        {"std": 0.01, "layers": ["fc2", "fc3"]},
        "Nothing arrives.",
        (Remedy("initialise", "he"),),
        page="docs/diseases.md#activations-vanish",
    ),
    Finding("stuck-at-chance", "sick", "", {"loss": 2.3}, "It learns nothing.", explained_by="activations-vanish"),
    Finding("inputs-constant", "note", "inputs", {"name": "</script><b>"}, "A <b>bad</b> name."),
]
