"""Writes docs/exit-codes.md from the table that the command line ends by.

python docs/write_exit_codes.py
"""

from __future__ import annotations

import pathlib

from babysit.cli._codes import BAD_NEWS, BAD_NEWS_OF, CODES, OF_RUN

PAGE = pathlib.Path(__file__).with_name("exit-codes.md")
COMMAND = "python docs/write_exit_codes.py"


def page() -> str:
    """The page as text."""
    lines = [
        f"<!-- Made from babysit/cli/_codes.py by `{COMMAND}`: change the codes there, not here. -->",
        "",
        "# Exit codes",
        "",
        "Every command ends with one of these codes, so that a script or a CI job can go by it.",
        "",
        "| code | meaning |",
        "| --- | --- |",
        *(f"| {code} | {meaning} |" for code, meaning in CODES.items()),
        "",
        OF_RUN,
        "",
        f"These commands end with {BAD_NEWS}, and this is what it then means:",
        "",
        "| command | bad news |",
        "| --- | --- |",
        *(f"| `babysit {verb}` | {news} |" for verb, news in BAD_NEWS_OF.items()),
        "",
        "All other commands have no bad news to tell.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
