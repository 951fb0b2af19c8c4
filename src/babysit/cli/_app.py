"""The command line: which verbs there are, and how it ends.

Verbs are named here and loaded when they are called, and they call the library through names that load when used, so
that help, the version and a wrong command cost no import of torch.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn, TextIO

from cyclopts import App, CycloptsError, Group
from rich.text import Text

import babysit
from babysit.cli._answer import STANDARD_OUTPUT
from babysit.cli._arguments import BACKGROUND, END, JSON, apart, with_json_files, with_subject_first
from babysit.cli._codes import BAD_INPUT, DONE, INTERRUPTED
from babysit.cli._doors import GROUPS, OTHERS, doors, group_of
from babysit.cli._meant import refuse_slips, said_otherwise
from babysit.record import BabysitError
from babysit.reports import CleanConsole

VERBS = {
    "check": "The pre-flight: eight steps before hours are spent.",
    "compare": "Whether one training is better than another, on the same seeds and rows.",
    "compare-init": "Initialisations side by side on your network and data, and the one to take.",
    "completion": "Print what makes a shell complete commands and options with the Tab key.",
    "demo": "A sick training found and healed, and a healthy one, in about a minute.",
    "diagnose": "What was wrong with a training, from its saved trace.",
    "evaluate": "Score a Run, on its own held-out rows or on a file.",
    "explain": "What something is, with its figure computed here and now.",
    "export": "Write the model of a Run as ONNX or torch.export file.",
    "fit": "From data to a trained, scored and kept network with a report.",
    "heal": "The smallest combination of remedies that heals a training, rehearsed, and what it did.",
    "mcp": "Serve check, heal, compare, status and explain as tools for coding agents, over stdio.",
    "predict": "Answers of a Run for new data, as CSV, Parquet or JSON.",
    "recipe": "Print a recipe, with a comment on each line.",
    "report": "Write and show the report of a Run.",
    "resume": "Go on with an interrupted training or search.",
    "run": "Run a script, watched: what is wrong with its training, while it runs.",
    "schema": "Print the JSON Schema of what a command answers with --json.",
    "skill": "Write the skill that tells a coding agent how to use babysit.",
    "status": "How a job stands that was begun with --background.",
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
HEADINGS = {name: Group(name, sort_key=place) for place, name in enumerate((*GROUPS, OTHERS))}
for verb, summary in VERBS.items():
    function = verb.replace("-", "_")
    app.command(f"babysit.cli._{function}:{function}", name=verb, help=summary, group=HEADINGS[group_of(verb)])


TRACEBACK = "BABYSIT_TRACEBACK"  # in the environment: show where babysit itself failed


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit.

    Args:
        arguments: What follows `babysit`; None takes the process's own.
    """
    _open_descriptors()
    if sys.argv[1:2] != ["run"]:
        _hear_lost_interrupts()
    try:
        code = run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # one more, while the first was answered
        code = INTERRUPTED
    if sys.argv[1:2] != ["run"]:  # a script's own end is its own
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is kept by now: one more Ctrl-C ends the process at once
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command. Returns the exit code."""
    errors = CleanConsole(stderr=True)
    try:
        return _carried_out(arguments)
    except CycloptsError as error:
        _say(errors, str(error).strip(), *_legal(arguments))
    except BabysitError as error:
        _say(errors, str(error))
    except KeyboardInterrupt as error:
        _say(errors, "interrupted", *([str(error)] if str(error) else []))
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left; writing on would only raise again when Python closes the stream.
        for stream in (sys.stdout, sys.stderr):
            _silence(stream)
        return DONE
    except OSError as error:
        if _is_full(sys.stdout):
            _silence(sys.stdout)
            _say(errors, f"the standard output cannot be written: {error.strerror}")
        else:
            _say(errors, f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", *_known(error))
    except BaseException as error:  # whatever it is, nobody is helped by a traceback that is not of their program
        # Polars' panics are no Exceptions; they come of threads or files that the system refused.
        if isinstance(error, SystemExit | GeneratorExit) or os.environ.get(TRACEBACK):
            raise
        if _LOST:  # it follows from a Ctrl-C
            for again in _LOST:
                again.cancel()
            _say(errors, "interrupted")
            return INTERRUPTED
        _say(errors, *_told(error))
    return BAD_INPUT


SOON = 0.05  # seconds
_LOST: list[threading.Timer] = []  # interrupts that a library dropped


def _hear_lost_interrupts() -> None:
    """A Ctrl-C that arrives while a library calls Python from within is dropped there, and goes on as another error."""
    before = sys.unraisablehook

    def hook(lost: sys.UnraisableHookArgs) -> None:
        if lost.exc_type is not KeyboardInterrupt:
            before(lost)
            return
        main_thread = threading.main_thread().ident or 0
        again = threading.Timer(SOON, signal.pthread_kill, (main_thread, signal.SIGINT))  # where it can be heard
        again.daemon = True
        _LOST.append(again)
        again.start()

    sys.unraisablehook = hook


def _legal(arguments: list[str]) -> list[str]:
    """What to type instead of what was not understood, and where all is told that is legal."""
    verb = arguments[0] if arguments and arguments[0] in VERBS else ""
    if not verb:
        return ["babysit --help shows what is legal"]
    options = [name for one in app[verb].assemble_argument_collection() for name in one.names if name[:2] == "--"]
    instead = said_otherwise(arguments, options)
    return [*([f"write: {instead}"] if instead else []), f"babysit {verb} --help shows what is legal"]


def _carried_out(arguments: list[str]) -> int:
    refuse_slips(arguments, VERBS)
    if arguments and arguments[0] in WITH_SCRIPT:
        valued, flags = WITH_SCRIPT[arguments[0]]
        arguments = [arguments[0], *apart(arguments[0], arguments[1:], valued=valued, flags=flags)]
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that its encoding lacks; a script keeps its stream
    if arguments and arguments[0] not in WITH_SCRIPT:
        arguments = with_subject_first(arguments)
    arguments = with_json_files(arguments)
    console = CleanConsole()
    if not arguments:
        console.print(doors(VERBS))
        return DONE
    own = arguments[: arguments.index(END)] if END in arguments else arguments
    if BACKGROUND in own:
        app.parse_args(arguments, exit_on_error=False, print_error=False, console=console)  # its errors are told now
        if not _missing(own):
            return in_background(arguments)
        arguments.remove(BACKGROUND)  # its error is told at once
    code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value", console=console)
    if sys.stdout is not None:
        sys.stdout.flush()
    return code if isinstance(code, int) else DONE


def _missing(arguments: Sequence[str]) -> bool:
    """Whether a script or a recipe is named that is not there."""
    return any(one.endswith((".py", ".toml")) and not os.path.exists(one) for one in arguments if one[:1] != "-")


def in_background(arguments: Sequence[str]) -> int:
    """Begin a job, and say what it is called."""
    from babysit.cli._jobs import begin
    from babysit.cli._status import tell_job

    to_output = f"{JSON}={STANDARD_OUTPUT}"
    begun = begin([one for one in arguments if one not in (BACKGROUND, to_output)])
    return tell_job(begun, STANDARD_OUTPUT if to_output in arguments else None)


def _say(console: CleanConsole, text: str, *more: str) -> None:
    first, *rest = text.split("\n")
    with contextlib.suppress(OSError):  # nobody reads the standard error
        console.print(Text.assemble(("error: ", "bold red"), first), soft_wrap=True)
        for line in (*rest, *(f"  {line}" for line in more)):
            console.print(Text(line), soft_wrap=True)


def _known(error: OSError) -> list[str]:
    """The likely cause of what the system refused, outside of all files that babysit writes."""
    causes = {
        errno.ENOSPC: "a disk is full; temporary files are kept where TMPDIR says",
        errno.EMFILE: "this process may open too few files: ulimit -n 1024",
        errno.ENOMEM: "there is too little memory",
        errno.ENOENT: "a folder was moved or deleted; TMPDIR names the folder of temporary files",
    }
    return [f"likely cause: {causes[error.errno]}"] if error.errno in causes else []


def _told(error: BaseException) -> list[str]:
    text = str(error).strip().split("\n")[0]
    if isinstance(error, MemoryError) or "allocate memory" in text or "out of memory" in text:
        return [
            f"there is too little memory{f': {text}' if text else ''}",
            "write: a smaller batch (--set batch_size=32), or run it where there is more memory",
        ]
    return [
        f"babysit itself failed: {type(error).__name__}: {text}",
        "likely cause: a fault of babysit's own, not of your input",
        f"write: {TRACEBACK}=1 babysit ... to see where, and report it",
    ]


def _open_descriptors() -> None:
    """Give closed standard streams a place: a database would get the number of one, and be written over by prints."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _is_full(stream: TextIO | None) -> bool:
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        return True
    return False


def _silence(stream: TextIO | None) -> None:
    with contextlib.suppress(OSError, ValueError):
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
