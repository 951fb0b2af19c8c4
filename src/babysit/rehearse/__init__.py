"""Subjects, rehearsals, and the checks that come before hours are spent."""

__all__: list[str] = []
