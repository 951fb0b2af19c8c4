"""Numbers to figures to terminal and page. Reads `record` only, no torch."""

__all__: list[str] = []
