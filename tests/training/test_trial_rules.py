"""When trials are given up."""

import math

import pytest
import torch

from babysit.training import build_loss
from babysit.training._phase import PhaseNumbers
from babysit.training._trial_rules import BLOCK, Constant, Course, at_chance, constant_answer, learned_constant
from tests.training.setups import CLASSES, NUMBER, examples, recipe


def heard(*losses: float, constant: float = 1.0, pieces: int = 1) -> Course:
    course = Course()
    size = -(-len(losses) // pieces)
    for start in range(0, len(losses), size):
        part = losses[start : start + size]
        course.hear(part, [4] * len(part), constant)
    return course


@pytest.mark.parametrize("pieces", [1, 3, 40])
def test_an_explosion_is_the_mean_of_ten_steps_above_three_times_the_first(pieces: int) -> None:
    course = heard(*[1.0] * 15, *[4.0] * 25, pieces=pieces)
    assert (course.ended, course.step) == ("exploded", 30)  # steps 10 to 20 have the mean 2.5
    assert heard(*[1.0] * 15, 39.0, *[1.0] * 20, pieces=pieces).ended == "exploded"
    assert heard(*[1.0] * 15, 20.0, *[1.0] * 20, pieces=pieces).ended == ""


def test_an_easy_first_batch_is_no_explosion() -> None:
    assert heard(0.01, *[0.9] * 50, constant=1.0).ended == ""
    assert heard(50.0, *[140.0] * 50, constant=1.0).ended == ""


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_diverged_at_its_step(bad: float) -> None:
    course = heard(1.0, 0.5, bad, 0.1)
    assert (course.ended, course.step, course.first_loss) == ("diverged", 3, 1.0)
    assert heard(bad).ended == "diverged"


def test_the_mean_is_over_rows_since_the_last_score() -> None:
    course = Course()
    course.hear([1.0, 3.0], [3, 1], 1.0)
    assert course.train_loss == 1.5
    assert math.isnan(Course().train_loss)
    assert BLOCK == 10


def test_chance_needs_both_the_score_and_the_loss_of_a_constant() -> None:
    constant = Constant(train_loss=0.7, loss=0.69, score=0.5, margin=0.1)
    assert at_chance(PhaseNumbers(0.69, "accuracy", 0.55), constant)
    assert not at_chance(PhaseNumbers(0.69, "accuracy", 0.65), constant)  # accuracy rises before the loss falls
    assert not at_chance(PhaseNumbers(0.60, "accuracy", 0.5), constant)  # a rare class is being learned
    assert at_chance(PhaseNumbers(math.nan, "accuracy", 0.5), constant)


def test_constant_answers_are_what_frequencies_and_means_cost() -> None:
    rows = examples(CLASSES, rows=90, validation=30)
    counts = rows.targets[rows.train].bincount().double() / 60
    loss = build_loss(recipe().loss, CLASSES)
    found = constant_answer(loss, rows, learned_constant(loss, rows, 3))
    assert found.train_loss == pytest.approx(float(-(counts * counts.log()).sum()), rel=1e-5)
    assert found.score == pytest.approx(float((rows.targets[rows.validation] == counts.argmax()).double().mean()))
    numbers = examples(NUMBER, rows=90, validation=30)
    loss = build_loss(recipe("loss.name=mse").loss, NUMBER)
    squared = constant_answer(loss, numbers, learned_constant(loss, numbers, 1))
    assert squared.train_loss == pytest.approx(float(numbers.targets[numbers.train].var(correction=0)), rel=1e-5)
    assert squared.score == squared.margin == 0.0
    assert torch.isfinite(torch.tensor(squared.loss))
