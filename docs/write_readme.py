"""Writes into README.md what check and heal really say of the script there, and draws the terminal's picture.

python docs/write_readme.py
"""

from __future__ import annotations

import io
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

ROOT = pathlib.Path(__file__).parent.parent
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "heal.svg"
SCRIPT = ROOT / "src" / "babysit" / "cli" / "demo_train.txt"
COMMAND = "python docs/write_readme.py"
WIDTH = 100
# What each command shows: from the first line that matches to the line before the second.
SHOWN = {"check": (r"^train\.py:\d+: sick: ", "^$"), "heal": ("^heal train.py", "^what was tried")}
CHANGES = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)? s\b|\d+ rehearsals|[\d,]+ steps")  # what differs from run to run


def said(verb: str) -> str:
    """What a command prints about the script, in a folder of its own."""
    agents = ("CLAUDECODE", "CODEX_SANDBOX", "GEMINI_CLI", "AI_AGENT")
    environment = {name: value for name, value in os.environ.items() if name not in agents}
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "train.py").write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
        command = [sys.executable, "-m", "babysit", verb, "train.py", "--plain", "--seconds", "300"]
        named = {**environment, "COLUMNS": str(WIDTH)}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=named)
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def part(text: str, verb: str) -> str:
    """The part of it that the README shows."""
    first, behind = (re.compile(pattern) for pattern in SHOWN[verb])
    lines = text.splitlines()
    begin = next(at for at, line in enumerate(lines) if first.match(line))
    end = next((at for at in range(begin + 1, len(lines)) if behind.match(lines[at])), len(lines))
    return "\n".join(lines[begin:end]).rstrip()


def with_part(readme: str, name: str, content: str) -> str:
    """The README with something between the two comments of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = readme.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def parts(readme: str) -> dict[str, str]:
    """What stands there now, by name."""
    return dict(re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- end of \1 -->", readme, re.DOTALL))


def alike(text: str) -> str:
    """The text without what differs from run to run."""
    return CHANGES.sub("N", text)


def made(told: Mapping[str, str]) -> dict[str, str]:
    """What has to stand in the README, by name, of what each command said."""
    shown = {verb: f"```text\n{part(text, verb)}\n```" for verb, text in told.items()}
    code = SCRIPT.read_text(encoding="utf-8").rstrip()
    return {"script": f"```python\n{code}\n```", **shown}


def picture(text: str) -> str:
    """A terminal as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print("$ babysit heal train.py", highlight=False)
    colours = (("+", "green"), ("-", "red"), ("sick", "bold red"), ("heal train.py", "bold"))
    for line in text.splitlines():
        style = next((colour for begins, colour in colours if line.startswith(begins)), "")
        console.print(Text(line, style=style))
    drawn = console.export_svg(title="babysit", unique_id="heal")
    # The fonts that rich asks for come from the network; any monospaced one will do.
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


if __name__ == "__main__":
    content = README.read_text(encoding="utf-8")
    found = made({verb: said(verb) for verb in SHOWN})
    for name, shown in found.items():
        content = with_part(content, name, shown)
    README.write_text(content, encoding="utf-8")
    PICTURE.write_text(picture(found["heal"].removeprefix("```text\n").removesuffix("\n```")), encoding="utf-8")
    print(README, PICTURE)
