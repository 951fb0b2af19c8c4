"""The command line: one verb a file, each a thin call of the library function of the same name."""

from babysit.cli._app import main, run

__all__ = ["main", "run"]
