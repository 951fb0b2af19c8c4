"""The package shows how to use what it exports."""

import babysit.nn


def test_every_public_function_has_an_example() -> None:
    exported = [getattr(babysit.nn, name) for name in babysit.nn.__all__ if name[0].islower()]
    assert [function.__name__ for function in exported if ">>>" not in (function.__doc__ or "")] == []
