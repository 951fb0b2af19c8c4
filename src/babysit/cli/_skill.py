"""`babysit skill`."""

from __future__ import annotations

import importlib.resources
import pathlib
import sys

from babysit.cli._codes import DONE
from babysit.cli._options import refuse_folders
from babysit.record import InputError, write_atomic
from babysit.reports import write_out

NAME = "SKILL.md"
FIRST = "---\nname: babysit\n"  # how every skill of babysit's begins


def skill(*, out: pathlib.Path = pathlib.Path(".claude/skills/babysit", NAME)) -> int:
    """Write the skill that tells a coding agent how to use babysit, as a SKILL.md file.

    Parameters
    ----------
    out
        The file to write; agents look for it in .claude/skills/babysit, .agents/skills/babysit or the like.
    """
    refuse_folders(out=out)
    text = importlib.resources.files("babysit.cli").joinpath(NAME).read_text(encoding="utf-8")
    if out.exists() and not out.read_text(encoding="utf-8", errors="replace").startswith(FIRST):
        raise InputError(
            f"{out} exists, and is not babysit's skill",
            legal="a new file, or a skill that babysit wrote",
            write=f"babysit skill --out {out.parent / 'babysit' / NAME}",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, text)
    write_out(sys.stdout, f"skill: {out}\n")
    return DONE
