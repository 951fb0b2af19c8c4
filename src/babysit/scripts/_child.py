"""One run of a script in a process of its own: what it is asked, and what it answers."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from babysit.record import BabysitError, Event, Remedy, Row, TraceStore
from babysit.scripts._changes import Changes
from babysit.scripts._patcher import Enough, Patcher
from babysit.scripts._scratch import WritesSeen, mirror
from babysit.scripts._script import Ended, Script, run_script

STRIDE = 1000  # between the seeds of two runs
WORK = "work"  # the folder within the scratch folder that looks like the user's


@dataclass(frozen=True)
class Request:
    """What a run shall be.

    Attributes:
        target: See `Script`.
        arguments: See `Script`.
        module: See `Script`.
        folder: The user's, where it would run.
        scratch: An empty folder, where it runs, made to look like `folder`.
        trace: File of its trace.
        output: File of what it prints.
        remedies: In their text form.
        steps: Optimizer steps after which it is ended.
        seconds: After which it is ended.
        probes: `all` or `losses`.
        seed: 0 leaves the script's seeds; others move them.
        threads: That PyTorch may use; 0 leaves what it would.
    """

    target: str
    arguments: tuple[str, ...]
    module: bool
    folder: str
    scratch: str
    trace: str
    output: str
    remedies: tuple[str, ...] = ()
    steps: int | None = None
    seconds: float = 60.0
    probes: str = "all"
    seed: int = 0
    threads: int = 0


@dataclass(frozen=True)
class Answer:
    """What came of it.

    Attributes:
        how: See `Ended`; also `killed` and `refused` (a remedy that cannot be taken).
        error: In one line.
        traceback: Of the script.
        steps: Taken.
        seconds: Spent.
        score: Of the last training steps: name and value.
        evaluated: Of the last evaluation: name and value.
        several: Whether it trained several networks.
        unseen: Whether no training was seen.
        modules: What it imported of other packages.
        wrote: Files it wrote outside its folder.
    """

    how: str
    error: str = ""
    traceback: str = ""
    steps: int = 0
    seconds: float = 0.0
    score: tuple[str, float] | None = None
    evaluated: tuple[str, float] | None = None
    several: bool = False
    unseen: bool = False
    modules: tuple[str, ...] = field(default=(), repr=False)
    wrote: tuple[str, ...] = ()


def serve(request: Request, answer_to: str) -> None:
    """Run it, and write the answer as JSON. Never returns: the process ends as it is, whatever threads it has."""
    os.setsid()
    began = time.monotonic()
    sys.dont_write_bytecode = True
    with open(request.output, "ab", buffering=0) as output, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    if request.threads:
        torch.set_num_threads(request.threads)
    store = TraceStore(pathlib.Path(request.trace))
    answer = Answer("failed", "it could not be run")
    try:
        answer = _run(request, store, began)
    except BabysitError as error:
        answer = Answer("refused", str(error).splitlines()[0], seconds=time.monotonic() - began)
    except BaseException as error:
        # Nobody is left to raise it to.
        answer = Answer("failed", f"{type(error).__name__}: {error}", traceback.format_exc())
    finally:
        store.close()
        content = json.dumps(asdict(answer))
        pathlib.Path(answer_to).write_text(content)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _run(request: Request, store: TraceStore, began: float) -> Answer:
    remedies = [Remedy.parse(text) for text in request.remedies]
    epochs = next((int(float(one.value or 0)) for one in remedies if one.name == "epochs"), None)
    if request.seed:
        move_seeds(request.seed * STRIDE)

    def more() -> None:
        if time.monotonic() - began > request.seconds:
            raise Enough

    changes = Changes([one for one in remedies if one.name != "epochs"], request.seed) if remedies else None
    script, writes = in_scratch(request)
    patcher = Patcher(store, changes=changes, probes=request.probes, steps=request.steps, more=more)
    with patcher:
        ended = run_script(script, epochs=epochs)
        sys.stdout.flush()
    scored = patcher.answers.at_the_end()
    if scored is not None:
        store.add([Row(max(0, patcher.steps - 1), "train", "", *scored)])
    patcher.tell(finished=ended.how == "finished")
    if ended.how == "failed":
        store.add([Event(patcher.steps, "failed", ended.error)])
    answer = answer_of(ended, patcher, time.monotonic() - began)
    home = os.path.realpath(os.path.join(request.scratch, WORK))
    told = answer.traceback.replace(home, request.folder)
    return dataclasses.replace(answer, traceback=told, wrote=tuple(writes.outside))


def in_scratch(request: Request) -> tuple[Script, WritesSeen]:
    """Go to the scratch folder, and find the script there."""
    scratch = pathlib.Path(request.scratch)
    folder, work = pathlib.Path(request.folder), scratch / WORK
    mirror(folder, work)
    os.chdir(work)
    writes = WritesSeen(scratch)
    writes.install()
    torch.save = writes.saving(torch.save)
    if request.module:
        return Script(request.target, request.arguments, module=True), writes
    path = (folder / request.target).resolve()
    if path.is_relative_to(folder.resolve()):
        target = work / path.relative_to(folder.resolve())
    else:
        mirror(path.parent, scratch / "script")
        target = scratch / "script" / path.name
    return Script(str(target), request.arguments), writes


def answer_of(ended: Ended, patcher: Patcher, seconds: float) -> Answer:
    """What came of a run."""
    evaluations = patcher.answers.evaluations
    return Answer(
        ended.how,
        ended.error,
        ended.traceback,
        patcher.steps,
        seconds,
        patcher.answers.at_the_end(),
        evaluations[-1][1:] if evaluations else None,
        patcher.several,
        patcher.network is None,
        tuple(sorted({name.partition(".")[0] for name in sys.modules})),
    )


def move_seeds(by: int) -> None:
    """Whatever seed a script sets, it gets another one; and where it sets none, too."""

    def moved(original: Callable[..., Any]) -> Callable[..., Any]:
        def seed(value: Any = None, *arguments: Any, **options: Any) -> Any:
            return original(value + by if isinstance(value, int) else value, *arguments, **options)

        return seed

    for owner, name in ((torch, "manual_seed"), (random, "seed"), (np.random, "seed"), (np.random, "default_rng")):
        setattr(owner, name, moved(getattr(owner, name)))
    torch.manual_seed(by)
    random.seed(by)
    np.random.seed(by)  # noqa: NPY002  scripts draw from it
