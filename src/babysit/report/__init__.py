"""Numbers to figures to terminal and page. Reads `record` only, no torch."""

from babysit.report._progress import TerminalProgress
from babysit.report._terminal import print_summary, summary_dict

__all__ = [
    "TerminalProgress",
    "print_summary",
    "summary_dict",
]
