"""Swings, epochs, noise and clipping: diseases that take a whole course of training to see."""

import math

from babysit.record import Row, Trace
from tests.diseases.found_dynamics import found, severity
from tests.diseases.traces_dynamics import (
    FALLING,
    SHAPES,
    TURNING,
    by_heart,
    cyclic,
    epochs,
    noisy,
    one_cycle,
    series,
    training,
    validated,
    waves,
)

# oscillating


def test_swings_that_go_on() -> None:
    assert severity("oscillating", training(waves(1.0, 0.4, 2000, 20))) == "warning"
    assert severity("oscillating", training(waves(1.0, 0.06, 2000, 20))) == "", "small"
    assert severity("oscillating", training(waves(1.0, 0.0, 2000, 20, noise=0.8))) == "", "noise"
    assert severity("oscillating", training(waves(1.0, 0.4, 2000, 3))) == "", "too few to say"
    assert severity("oscillating", training(waves(1.0, 0.4, 300, 20))) == "", "too short to say"
    assert severity("oscillating", training([100.0] * 3 + waves(1.0, 0.4, 2000, 20))) == "", "the last hundredth"


def test_swings_that_calm_or_follow_the_rate_are_sound() -> None:
    dying = [loss * 1 for loss in noisy(lambda x: 1 + 0.8 * (1 - x) ** 2 * math.sin(250 * x), 4000)]
    assert severity("oscillating", training(dying)) == ""
    calming = noisy(lambda x: 1 + (1.5 - 1.2 * x) * 0.9 * math.sin(250 * x), 4000)
    calming = [loss + 1 for loss in calming]
    assert severity("oscillating", training([3.0, *calming])) == "", "large to the end, and smaller all the time"
    assert severity("oscillating", training(waves(1.0, 0.4, 2000, 20), lr=cyclic(2002, cycles=20))) == ""


def test_epochs_of_unlike_batches_do_not_swing() -> None:
    losses = [2.3, *(1 + 0.5 * math.sin(2 * math.pi * step / 100) for step in range(3999))]
    assert severity("oscillating", training(losses, facts={"steps-per-epoch": "100"})) == ""
    assert severity("oscillating", training(losses)) == "warning"


def test_swings_of_accuracy() -> None:
    def trace(swing: float, rows: int = 10_000) -> Trace:
        accuracies = [0.8 + swing * (epoch % 2) for epoch in range(20)]
        found = epochs(accuracies, accuracies, name="accuracy", steps=10)
        return training(noisy(SHAPES["exponential"], 200), rows=found, facts={"rows": str(rows)})

    assert severity("oscillating", trace(0.04)) == "warning"
    assert severity("oscillating", trace(0.02)) == ""
    assert severity("oscillating", trace(0.04, rows=150)) == "", "six rows of 150"


# overfitting, underfitting, stopped-too-early


def test_overfitting() -> None:
    assert severity("overfitting", validated(FALLING, TURNING)) == "warning"
    assert severity("overfitting", validated(FALLING[:9], TURNING[:9])) == "", "rose by 4 % in one epoch"
    held = ([0.9] * 20, [0.7] * 20)
    assert severity("overfitting", validated(FALLING, TURNING, accuracy=held)) == "note"
    lost = ([0.9] * 20, [0.7] * 10 + [0.65] * 10)
    finding = found("overfitting", validated(FALLING, TURNING, accuracy=lost))
    assert finding is not None
    assert (finding.severity, finding.where) == ("warning", "epoch 7")


def test_no_overfitting() -> None:
    assert severity("overfitting", validated(TURNING, TURNING)) == "", "both rise: not this"
    tiny = [1.0 * 0.3**epoch for epoch in range(8)] + [0.001] * 12
    assert severity("overfitting", validated(FALLING, tiny)) == "", "a rise of nearly nothing"
    jumpy = noisy(lambda _: 1.0, 20, noise=0.03)
    assert severity("overfitting", validated(FALLING, jumpy)) == ""
    assert severity("overfitting", validated(FALLING, [1.2, *[1.0] * 9, *[1.09] * 10])) == "", "by less than a tenth"
    assert severity("overfitting", validated(FALLING, [1.2, *[1.0] * 9, *[1.11] * 10])) == "warning"
    assert severity("overfitting", validated(FALLING, [1.2, *[1.0] * 9, 0.8, *[1.0] * 9])) == "", "one lucky epoch"
    assert severity("overfitting", validated(FALLING, [*TURNING[:19], 1.0])) == "", "the last epoch is good again"


def test_underfitting() -> None:
    flat = [2.3, 2.2, *[2.1] * 10]
    poor = ([0.2] * 12, [0.2] * 12)
    assert severity("underfitting", validated(flat, flat, accuracy=poor)) == "note"
    assert severity("underfitting", validated(flat, flat, accuracy=([0.5] * 12, [0.5] * 12))) == ""
    assert severity("underfitting", validated(flat, flat, accuracy=([0.3] * 12, [0.2] * 12))) == "", "a gap"
    still = [2.3 - 0.05 * epoch for epoch in range(12)]
    assert severity("underfitting", validated(still, still, accuracy=poor)) == "", "still learning"
    assert severity("underfitting", validated(flat, flat, r2=([0.05] * 12, [0.04] * 12))) == "note"
    assert severity("underfitting", validated(flat, flat)) == "", "no score"


def test_stopped_too_early() -> None:
    steep = [2.3 - 0.15 * epoch for epoch in range(10)]
    assert severity("stopped-too-early", validated(steep, steep)) == "note"
    finding = found("stopped-too-early", validated(steep, steep))
    assert finding is not None
    assert [str(remedy) for remedy in finding.remedies] == ["epochs=20"]
    assert severity("stopped-too-early", validated(steep, steep, planned=30)) == "", "it goes on"
    # From twice as high within the last third: nobody stops there on purpose.
    halved = [2.3 - 0.3 * epoch for epoch in range(7)]
    assert severity("stopped-too-early", validated(halved, halved)) == "warning"
    assert severity("stopped-too-early", validated(steep[:4], steep[:4])) == ""
    assert severity("stopped-too-early", validated(steep, steep, lr=one_cycle(100))) == ""
    assert severity("stopped-too-early", validated(FALLING, FALLING)) == "", "next to nothing, by a fifth an epoch"
    assert severity("stopped-too-early", validated(steep, TURNING[:10])) == ""


# gradient-noise-high, gradients-clipped-always


def test_noise_counts_where_nothing_is_learned() -> None:
    stuck, learned = noisy(lambda _: 2.305, 400), noisy(SHAPES["exponential"], 400)

    def trace(losses: list[float], scale: float) -> Trace:
        return training(
            losses, rows=[Row(step, "train", "", "gradient-noise-scale", scale) for step in range(0, 400, 10)]
        )

    assert severity("gradient-noise-high", trace(stuck, 64 * 101.0)) == "warning"
    assert severity("gradient-noise-high", trace(stuck, -5.0)) == "warning", "no signal at all"
    assert severity("gradient-noise-high", trace(stuck, math.inf)) == "warning"
    assert severity("gradient-noise-high", trace(stuck, 64 * 11.0)) == "note"
    assert severity("gradient-noise-high", trace(stuck, 64 * 9.0)) == ""
    assert severity("gradient-noise-high", trace(stuck, math.nan)) == ""
    assert severity("gradient-noise-high", trace(learned, 64 * 1000.0)) == ""
    rested = noisy(lambda x: 1.7 + 0.6 * math.exp(-20 * x), 400)
    assert severity("gradient-noise-high", trace(rested, 64 * 1000.0)) == "", "learned what there is"


def test_clipping() -> None:
    stuck, learned = noisy(lambda _: 2.305, 400), noisy(SHAPES["exponential"], 400)

    def trace(losses: list[float], factors: list[float], optimizer: str = "sgd") -> Trace:
        return training(losses, rows=series("clip-factor", factors), optimizer=optimizer)

    assert severity("gradients-clipped-always", trace(stuck, [0.05] * 20)) == "warning"
    assert severity("gradients-clipped-always", trace(stuck, [0.05] * 20, "adam")) == "note"
    assert severity("gradients-clipped-always", trace(learned, [0.05] * 20)) == "note"
    assert severity("gradients-clipped-always", trace(stuck, [0.05] * 19)) == ""
    assert severity("gradients-clipped-always", trace(stuck, [0.05] * 30 + [1.0])) == ""
    assert severity("gradients-clipped-always", trace(stuck, [0.2] * 30)) == "", "mild"


# cannot-overfit-tiny-batch


def test_a_few_rows_at_every_step() -> None:
    stuck, learned = noisy(lambda _: 2.31, 300), noisy(lambda x: 2.3 * math.exp(-30 * x), 300)
    tiny = "cannot-overfit-tiny-batch"
    assert severity(tiny, by_heart(stuck, accuracy=0.2)) == "sick"
    assert severity(tiny, by_heart(stuck)) == "sick", "no accuracy, but far from zero"
    assert severity(tiny, by_heart(learned, accuracy=0.95)) == "sick", "one of twenty is still wrong"
    assert severity(tiny, by_heart([math.nan] * 300, loss="other")) == "sick"
    assert severity(tiny, by_heart(learned, accuracy=1.0)) == ""
    assert severity(tiny, by_heart(learned)) == ""
    assert severity(tiny, by_heart(stuck, accuracy=1.0)) == "", "smoothed labels keep a loss above zero"
    assert severity(tiny, by_heart(stuck[:29], accuracy=0.2)) == "", "too short to say"
    assert severity(tiny, training(stuck)) == "", "a training, not that rehearsal"
