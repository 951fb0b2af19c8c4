"""A watched run of a script, in a process of its own: in a scratch folder, under remedies, measured."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import pathlib
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from babysit.record import BabysitError, Event, InputError, NotAppliedError, Remedy, Row, TraceStore
from babysit.rehearsal import ENDED_BY, KINDS, TIME_LIMIT
from babysit.remedies import Epochs, applied_to_script
from babysit.scripts._as_main import Ended, Enough
from babysit.scripts._messages import ANSWER, SCRATCH, TRACE, RunRequest, ScriptAnswer, WatchRequest, read, written
from babysit.scripts._patcher import Patcher
from babysit.scripts._sandbox import (
    NO_PROTECTION,
    OFFLINE,
    enter_copy,
    enter_overlay,
    places_of,
    with_all_that_it_starts,
)
from babysit.scripts._scratch import WORK, WritesSeen, in_mirror
from babysit.scripts._script import Script, failure, run_script

FLUSH_EVERY = 0.5  # seconds; a flush takes about a thousandth
STRIDE = 1000  # between the seeds of two runs
NO_NETWORK = ("Network is unreachable", "Name or service not known", "name resolution", "no network", "offline mode")


def watch(line: bytes) -> int | None:
    """Run what a `RunRequest` asks for, and write the answer into its folder.

    Returns:
        The exit code of a script that came to its own end, None for one that was ended in the middle.
    """
    began = time.monotonic()
    request = read(line)
    assert isinstance(request, RunRequest)
    asked = request.watch
    assert asked is not None
    sys.dont_write_bytecode = True
    os.environ.setdefault("MPLBACKEND", "Agg")  # a window would wait for somebody to close it
    if asked.threads:
        torch.set_num_threads(asked.threads)
    answer = ScriptAnswer("failed", "it could not be run")
    try:
        script, writes = _enter(request, asked)
        store = TraceStore(pathlib.Path(asked.kept, TRACE))
        try:
            answer = _watched(request, asked, script, store, began)
        finally:
            store.close()
        answer = replace(answer, wrote=tuple(writes.outside) if writes is not None else ())
    except BabysitError as error:
        missing = error.missing if isinstance(error, NotAppliedError) else ()
        answer = ScriptAnswer(
            "refused", "; ".join(line.strip() for line in str(error).splitlines()), not_applied=missing
        )
    except BaseException as error:
        # Nobody is left to raise it to.
        answer = ScriptAnswer("failed", f"{type(error).__name__}: {error}", traceback.format_exc())
    finally:
        answer = replace(answer, seconds=time.monotonic() - began)
        pathlib.Path(asked.kept, ANSWER).write_bytes(written(answer))
    return answer.code if answer.how == "finished" else None


def _watched(request: RunRequest, asked: WatchRequest, script: Script, store: TraceStore, began: float) -> ScriptAnswer:
    remedies = [Remedy.parse(text) for text in asked.remedies]
    epochs = Epochs().number(remedies)
    if asked.seed:
        move_seeds(asked.seed * STRIDE)

    limits = [asked.until, None if asked.seconds is None else began + asked.seconds]
    ends = min((limit for limit in limits if limit is not None), default=math.inf)

    flushed = time.monotonic()

    def more() -> None:
        nonlocal flushed
        now = time.monotonic()
        if now > ends:
            raise Enough
        if now > flushed + FLUSH_EVERY and asked.probes != "losses":
            # Whoever looks at this training while it runs reads what was flushed.
            with contextlib.suppress(BabysitError):
                store.flush()
            flushed = time.monotonic()

    applied = applied_to_script(remedies, asked.seed, KINDS, asked.highest_rate) if remedies else None
    patcher = Patcher(store, remedies=applied, probes=asked.probes, steps=asked.steps, more=more)
    with patcher:
        ended = run_script(script, epochs=epochs)
        sys.stdout.flush()
    scored = patcher.answers.at_the_end()
    if scored is not None:
        store.add([Row(max(0, patcher.steps - 1), "train", "", *scored)])
    patcher.tell(finished=ended.how == "finished")
    late = asked.seconds is not None and time.monotonic() - began > asked.seconds
    if ended.how == "enough" and asked.steps is None and late:
        store.describe(facts={ENDED_BY: TIME_LIMIT})
    if ended.how == "finished" and ended.code and not patcher.steps:
        store.add(
            [Event(0, "failed", f"it ends with exit code {ended.code}{f': {ended.error}' if ended.error else ''}")]
        )
    if ended.how == "failed":
        ended = replace(ended, error=ended.error + _for_want_of(ended.error, asked))
        store.add([failure(patcher.steps, ended, changed=bool(remedies))])
    work = os.path.realpath(pathlib.Path(asked.kept, SCRATCH, WORK))
    return _answer(ended, patcher, ended.traceback.replace(work, request.folder))


def _enter(request: RunRequest, asked: WatchRequest) -> tuple[Script, WritesSeen | None]:
    """Put the user's files out of reach, and find the script.

    Returns:
        The script; and what sees files that are written outside the scratch folder, where nothing holds it.

    Raises:
        InputError: Files are to be protected, and this machine has no way to do it.
    """
    scratch = pathlib.Path(asked.kept, SCRATCH)
    scratch.mkdir(exist_ok=True)
    if not asked.network:
        os.environ.update(OFFLINE)
    if asked.protection == "overlay":
        enter_overlay(scratch, pathlib.Path(asked.kept), places=places_of(request.folder), network=asked.network)
        with_all_that_it_starts()
        return Script(request.target, request.arguments, module=request.module), None
    if asked.protected and asked.protection != "landlock":
        raise InputError(
            NO_PROTECTION,
            cause="it is not Linux, the kernel is older than 5.13, or the container forbids both",
            write="--unprotected, where the script writes nothing that must not be lost",
        )
    script, writes = in_scratch(request, scratch)
    if asked.protection == "landlock":
        enter_copy(scratch, pathlib.Path(asked.kept), network=asked.network)
    return script, writes


def _for_want_of(error: str, asked: WatchRequest) -> str:
    """What to add to the error of a script that wanted what a rehearsal does not have."""
    if asked.protection == "overlay" and os.geteuid() != 0 and os.strerror(errno.EOVERFLOW) in error:
        return (
            " (the file belongs to another user or group, and in a rehearsal nobody but its owner can change it, not"
            " even for the rehearsal's own copy: make it yours, or let the rehearsals write with --unprotected)"
        )
    wanted = not asked.network and any(sign in error for sign in NO_NETWORK)
    return " (a rehearsal has no network; --network gives it one)" if wanted else ""


def in_scratch(request: RunRequest, scratch: pathlib.Path) -> tuple[Script, WritesSeen]:
    """Go to the scratch folder, and find the script there."""
    target = in_mirror(pathlib.Path(request.folder), request.target, scratch, module=request.module)
    writes = WritesSeen(scratch)
    writes.install()
    torch.save = writes.saving(torch.save)
    return Script(target, request.arguments, module=request.module), writes


def _answer(ended: Ended, patcher: Patcher, told: str) -> ScriptAnswer:
    evaluations = patcher.answers.evaluations
    return ScriptAnswer(
        how=ended.how,
        error=ended.error,
        traceback=told,
        code=ended.code,
        steps=patcher.steps,
        score=patcher.answers.at_the_end(),
        evaluated=evaluations[-1][1:] if evaluations else None,
        several=bool(patcher.others),
        unseen=patcher.network is None,
        not_applied=tuple(patcher.not_applied()),
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
