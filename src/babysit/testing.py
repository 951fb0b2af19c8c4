"""Assertions about trainings, for tests: `from babysit.testing import assert_can_overfit`.

They work under any test runner. Under pytest the fixture `babysit_check` is there, too, without an import. What fails
reads like a diff: what was expected, and what was measured. Nothing heavy is imported before one of them is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from babysit.api import Checked
    from babysit.record import PreFlight

__all__ = ["assert_can_overfit", "assert_same_training", "assert_sound", "checked"]

SHOWN = 5  # steps that differ


def checked(
    model: object,
    loss: Callable[..., Any] | None = None,
    loader: Iterable[Any] | None = None,
    optimizer: Any = None,
    **options: Any,
) -> Checked:
    """`babysit.check`, with Adam where no optimizer is given; everything is afterwards as it was.

    Args:
        model: A network with loss and loader; or a script or recipe alone.
        loss: Of (outputs, targets).
        loader: Of training batches.
        optimizer: An optimizer, or a function that makes one from parameters.
        **options: Of `babysit.check`, such as `seconds` and `ignore`.
    """
    from torch import nn
    from torch.optim import Adam

    from babysit.api import check

    if optimizer is None and isinstance(model, nn.Module):
        optimizer = Adam
    return check(model, loss, loader, optimizer, **options)


def assert_sound(
    model: object,
    loss: Callable[..., Any] | None = None,
    loader: Iterable[Any] | None = None,
    optimizer: Any = None,
    **options: Any,
) -> None:
    """Assert that the check of a training ends with `sound`; nothing sick was found, and it was seen to learn.

    Raises:
        AssertionError: It says what was found, or what is missing.
    """
    found = checked(model, loss, loader, optimizer, **options)
    if not found.ok:
        raise AssertionError(as_diff(found.pre_flight))


def assert_can_overfit(
    model: object,
    loss: Callable[..., Any] | None = None,
    loader: Iterable[Any] | None = None,
    optimizer: Any = None,
    **options: Any,
) -> None:
    """Assert that a training can overfit a tiny batch: one that cannot has a fault in its network, loss or step.

    Raises:
        AssertionError: It could not, or it could not be seen; it says what came instead.
    """
    found = checked(model, loss, loader, optimizer, only=["overfit-tiny"], **options)
    if found.steps["overfit-tiny"].verdict not in ("pass", "warn"):
        raise AssertionError(as_diff(found.pre_flight))


def assert_same_training(a: object, b: object, *, tolerance: float = 0.0) -> None:
    """Assert that two trainings had the same losses, step by step.

    Args:
        a: Losses; or what has a trace, such as `babysit.watch` or `babysit.run`; or a Trace, a Run, or the path of one
            or of a log; or a function without arguments that trains and returns one of these.
        b: The other one.
        tolerance: Relative; 0 asks for the same numbers to the last bit.

    Raises:
        AssertionError: It names the first steps that differ.

    Example:
        >>> assert_same_training([2.3, 1.9, 1.2], [2.3, 1.9, 1.3])
        Traceback (most recent call last):
            ...
        AssertionError: the trainings differ from step 2 on, in 1 of 3 steps
        - step 2: loss 1.2
        + step 2: loss 1.3
    """
    first, second = _losses(a), _losses(b)
    if not first and not second:
        raise AssertionError("neither training has a loss, so that nothing could be compared")
    different = [
        step
        for step in range(max(len(first), len(second)))
        if step >= min(len(first), len(second)) or not _same(first[step], second[step], tolerance)
    ]
    if different:
        shown = [
            line
            for step in different[:SHOWN]
            for sign, losses in (("-", first), ("+", second))
            for line in [f"{sign} step {step}: {f'loss {losses[step]!r}' if step < len(losses) else 'no such step'}"]
        ]
        more = [f"... and {len(different) - SHOWN} more"] if len(different) > SHOWN else []
        steps = max(len(first), len(second))
        told = f"the trainings differ from step {different[0]} on, in {len(different)} of {steps} steps"
        raise AssertionError("\n".join([told, *shown, *more]))


def _same(one: float, two: float, tolerance: float) -> bool:
    if math.isnan(one) or math.isnan(two):
        return math.isnan(one) and math.isnan(two)
    return one == two or (tolerance > 0 and math.isclose(one, two, rel_tol=tolerance))


def _losses(given: object) -> Sequence[float]:
    from babysit.api import Result, diagnose
    from babysit.record import Trace

    if callable(given) and not isinstance(given, Result):
        given = given()
    if isinstance(given, list | tuple):
        return [float(one) for one in given]
    known = getattr(given, "trace", None)
    trace = given if isinstance(given, Trace) else known if isinstance(known, Trace) else None
    if trace is None:
        trace = diagnose(cast(Any, given)).trace  # it says what is legal
    return trace.series("loss").values


def as_diff(found: PreFlight) -> str:
    """A check that did not pass: what was expected, and what was measured, as the lines of a diff.

    Args:
        found: The check.
    """
    from babysit.reports import compact_findings

    lines = [f"the training of {found.subject} is {found.verdict}", *found.reasons]
    for step in found.steps:
        if step.verdict in ("fail", "not judged"):
            lines += [f"  {step.name}", f"- {step.expected}", f"+ {step.measured or step.why}"]
    return "\n".join([*lines, *compact_findings(found.findings)])
