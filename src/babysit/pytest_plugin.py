"""The pytest plugin: the fixture `babysit_check`. Whoever installs babysit has it; it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from babysit import testing

if TYPE_CHECKING:
    from babysit.api import Checked

__all__ = ["babysit_check"]


@pytest.fixture
def babysit_check() -> Callable[..., Checked]:
    """Check a training: `babysit_check(model, loss, loader)`; the test fails where the training is not sound."""

    def check(*given: Any, **options: Any) -> Checked:
        __tracebackhide__ = True
        found = testing.checked(*given, **options)
        if not found.ok:
            pytest.fail(testing.as_diff(found.pre_flight), pytrace=False)
        return found

    return check
