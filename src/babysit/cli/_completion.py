"""`babysit completion`."""

from __future__ import annotations

import sys
from typing import Literal

from babysit.cli._codes import DONE
from babysit.reports import write_out


def completion(shell: Literal["bash", "fish", "zsh"], /) -> int:
    """Print what makes a shell complete babysit's commands and options with the Tab key.

    For bash, put this line into ~/.bashrc: eval "$(babysit completion bash)". For zsh, put the same with zsh into
    ~/.zshrc, below compinit. For fish: babysit completion fish > ~/.config/fish/completions/babysit.fish

    Parameters
    ----------
    shell
        The shell: bash, fish or zsh.
    """
    from babysit.cli._app import app

    write_out(sys.stdout, app.generate_completion(shell=shell).rstrip("\n") + "\n")
    return DONE
