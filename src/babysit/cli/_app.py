"""The command line: which verbs there are, and how it ends.

Verbs are named here and loaded when they are called, and they call the library through names that load when used, so
that help, the version and a wrong command cost no import of torch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError
from rich.console import Console
from rich.text import Text

import babysit
from babysit.cli._arguments import apart, with_json_files
from babysit.cli._codes import BAD_INPUT, DONE, INTERRUPTED
from babysit.record import BabysitError

VERBS = {
    "check": "The pre-flight: eight steps before hours are spent.",
    "compare-init": "Initialisations side by side on your network and data, and the one to take.",
    "demo": "The whole procedure on a bundled real data set.",
    "diagnose": "What was wrong with a training, from its saved trace.",
    "evaluate": "Score a Run, on its own held-out rows or on a file.",
    "explain": "What something is, with its figure computed here and now.",
    "export": "Write the model of a Run as ONNX or torch.export file.",
    "fit": "From data to a trained, scored and kept network with a report.",
    "heal": "The smallest combination of remedies that heals a training, rehearsed, and what it did.",
    "predict": "Answers of a Run for new data, as CSV, Parquet or JSON.",
    "recipe": "Print a recipe, with a comment on each line.",
    "report": "Write and show the report of a Run.",
    "resume": "Go on with an interrupted training or search.",
    "run": "Run a script, watched: what is wrong with its training, while it runs.",
    "schema": "Print the JSON Schema of what a command answers with --json.",
    "tune": "Search the hyper-parameters coarse to fine.",
}

# Verbs after whose script everything is the script's own: their options with a value (and whether they take several),
# and those without a value.
WITH_SCRIPT: dict[str, tuple[dict[str, bool], tuple[str, ...]]] = {
    "run": (
        {
            "--ignore": True,
            "--keep": False,
            "--overhead": False,
            "--remedies": True,
            "--remedy": True,
            "--report": False,
        },
        ("--plain", "--quiet"),
    ),
}

app = App(
    name="babysit",
    help="Set up, babysit and tune the training of neural networks.",
    version=babysit.__version__,
    help_format="plaintext",
)
for verb, summary in VERBS.items():
    function = verb.replace("-", "_")
    app.command(f"babysit.cli._{function}:{function}", name=verb, help=summary)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit.

    Args:
        arguments: What follows `babysit`; None takes the process's own.
    """
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command. Returns the exit code."""
    errors = Console(stderr=True)
    try:
        if arguments and arguments[0] in WITH_SCRIPT:
            valued, flags = WITH_SCRIPT[arguments[0]]
            arguments = [arguments[0], *apart(arguments[0], arguments[1:], valued=valued, flags=flags)]
        arguments = with_json_files(arguments)
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value", console=Console())
        sys.stdout.flush()
    except CycloptsError as error:
        _say(errors, str(error).strip(), "babysit --help shows what is legal")
        return BAD_INPUT
    except BabysitError as error:
        _say(errors, str(error))
        return BAD_INPUT
    except KeyboardInterrupt as error:
        _say(errors, "interrupted", *([str(error)] if str(error) else []))
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left; writing on would only raise again when Python closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code if isinstance(code, int) else DONE


def _say(console: Console, text: str, *more: str) -> None:
    first, *rest = text.split("\n")
    console.print(Text.assemble(("error: ", "bold red"), first), soft_wrap=True)
    for line in (*rest, *(f"  {line}" for line in more)):
        console.print(Text(line), soft_wrap=True)
