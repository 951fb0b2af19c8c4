"""Remedies: what each changes, and how."""

__all__: list[str] = []
