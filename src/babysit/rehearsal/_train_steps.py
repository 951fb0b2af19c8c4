"""The steps of a rehearsal, measured as they are taken."""

from __future__ import annotations

import contextlib
import functools
import math
import time
import warnings
from collections.abc import Iterator
from itertools import islice

from torch import nn

from babysit.probes import Observer
from babysit.record import BabysitError, Event, RehearsalError, Row, Trace, TraceStore
from babysit.rehearsal._subject import ENDED_BY, TIME_LIMIT
from babysit.remedies import RehearsalState
from babysit.training import Penalty, take_step

FIRST = 10  # steps that are always measured
START, AFTER_START = 50, 5  # the same with `start`, and of the later ones, every fifth


def train_steps(state: RehearsalState, steps: int, *, probes: str, seconds: float | None = None) -> Trace:
    """Train and measure. A loss that is NaN or infinite is the last one.

    Args:
        state: Its parts are changed.
        steps: Optimizer steps.
        probes: `all`, `start`, `budget` or `losses`.
        seconds: Time limit; one step is always taken.

    Raises:
        RehearsalError: The training itself failed, with what was measured until then.
    """
    store = TraceStore(None)
    store.describe(facts=state.facts)
    state.network.train()
    watching: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if probes != "losses":
        overhead = 0.01 if probes == "budget" else None
        first, every = (START, AFTER_START) if probes == "start" else (FIRST, 1)
        watching = Observer(state.network, state.optimizers, store, overhead=overhead, first_steps=first, every=every)
    done = 0
    try:
        with watching, quiet():
            for rows in _steps(state, steps, seconds, store):
                done += 1
                if probes == "losses":
                    store.add(rows)
    except BabysitError:
        raise
    except Exception as error:
        store.add([Event(done, "failed", f"{type(error).__name__}: {error}", where_raised(state.network, error))])
        store.flush()
        failed = RehearsalError(f"the training failed at step {done}: {type(error).__name__}: {error}")
        failed.trace = store.read()
        raise failed from error
    store.describe(facts=state.facts)
    store.flush()
    return store.read()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without warnings. They are the user's, who has seen them or will: a check would repeat them at each rehearsal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _steps(state: RehearsalState, steps: int, seconds: float | None, store: TraceStore) -> Iterator[list[Row]]:
    """The loss and the rate of each step, once it is done."""
    began = time.monotonic()
    # Of the network as the remedies have left it.
    penalty = None if state.regularisation is None else Penalty(state.regularisation, state.network)
    for step, batch in enumerate(islice(state.batches, steps)):
        loss_of = functools.partial(state.loss_of, state.network, batch)
        taken = take_step(
            state.network,
            state.optimizers,
            loss_of,
            penalty=penalty,
            clip_norm=state.clip_norm,
            finite_only=True,
        )
        value = float(taken.loss)
        yield [Row(step, "train", "", "loss", value), Row(step, "train", "", "lr", taken.lr)]
        if not math.isfinite(value):
            return
        if seconds is not None and time.monotonic() - began > seconds:
            state.facts[ENDED_BY] = TIME_LIMIT
            return
        if state.after_step is not None:
            rows, enough = state.after_step(step, batch)
            store.add(rows)
            if enough:
                return


def where_raised(network: nn.Module, error: BaseException) -> str:
    """The innermost layer in whose forward pass an error was raised; empty where it was in none."""
    names = {id(module): name for name, module in network.named_modules()}
    found = ""
    trace = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if trace.tb_frame.f_code.co_name == "forward" and id(owner) in names:
            found = names[id(owner)] or type(owner).__name__
        trace = trace.tb_next
    return found
