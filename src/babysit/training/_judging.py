"""On how many validation rows a trial is scored: within its first epoch on a part of them, then on all.

A forward pass takes a third of a training step for as many rows. To score a trial on all validation rows may take
longer than to train it: 39 against 25 milliseconds for MNIST's multilayer perceptron after 44 batches of 128, 650
against 400 for a convolutional network after 30 batches of 64. After so few steps a thousand rows show which trials are
best: the difference between two trials on the same rows has a standard error of about one percent, and trials differ by
tens of percent. From the first whole epoch on all rows count, so every trial at full length, every best epoch and every
stop by patience is scored on all rows.
"""

from __future__ import annotations

from babysit.training._batches import Examples
from babysit.training._trial_member import Member
from babysit.training._trial_starts import Start

LEAST_JUDGED = 1000  # validation rows
JUDGED_SHARE = 0.5  # of the rows that it was trained on


def judged_rows(step: int, batch_size: int, per_epoch: int, rows: int) -> int:
    """How many of the validation rows a trial is scored on: a thousand times a power of two, or all.

    There are few such numbers, so that few sets of rows are kept.

    Args:
        step: Steps it has taken.
        batch_size: Rows of a step.
        per_epoch: Steps of an epoch.
        rows: Validation rows there are.

    Example:
        >>> [judged_rows(step, 64, 797, 9000) for step in (30, 89, 266, 797)]
        [1000, 4000, 9000, 9000]
    """
    if step >= per_epoch:
        return rows
    count = LEAST_JUDGED
    while count < JUDGED_SHARE * step * batch_size:
        count *= 2
    return min(rows, count)


def judged(start: Start, member: Member, step: int | None = None) -> Examples:
    """The member's rows, with those validation rows that it is scored on.

    Args:
        start: Where it began.
        member: Where it stands.
        step: Steps taken; None for the member's own.
    """
    examples = start.examples
    batch_size = member.trial.recipe.budget.batch_size
    assert batch_size is not None
    taken = member.course.step if step is None else step
    per_epoch = member.steps_per_epoch(len(examples.train))
    return examples.judged_on(judged_rows(taken, batch_size, per_epoch, len(examples.validation)))
