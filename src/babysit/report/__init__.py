"""Numbers to figures to terminal and page. Reads `record` only, no torch."""

from babysit.report._page import render_page, write_page
from babysit.report._progress import TerminalProgress
from babysit.report._terminal import print_evaluation, print_summary, summary_dict

__all__ = [
    "TerminalProgress",
    "print_evaluation",
    "print_summary",
    "render_page",
    "summary_dict",
    "write_page",
]
