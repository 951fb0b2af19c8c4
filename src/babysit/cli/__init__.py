"""The command line: one verb a file, each a thin call of the library function of the same name."""

__all__: list[str] = []
