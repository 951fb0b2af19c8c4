"""heal: diagnose, rehearse the remedies, recommend the smallest change that works and say what it did."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from babysit.api._patched_copy import write_patched
from babysit.api._subjects import subject_of
from babysit.record import Finding, Healing, InputError, Progress, Recipe, silent
from babysit.rehearsal import HEAL_SECONDS, TO_THE_END, OptimizerLike, Subject, pre_flight
from babysit.rehearsal import heal as heal_subject
from babysit.scripts import ScriptSubject

STEPS = 300  # of a rehearsal of live objects or a recipe, which have no end of their own
CHECK_SHARE = 0.3  # of the time, for their pre-flight: it sees more than a watched training alone


def heal(
    subject: nn.Module | Recipe | Subject | str | pathlib.Path | object,
    loss: Callable[..., Tensor] | None = None,
    loader: Iterable[Any] | None = None,
    optimizer: OptimizerLike | None = None,
    *,
    validation: Iterable[Any] | None = None,
    scheduler: LRScheduler | None = None,
    step: Callable[[nn.Module, Any], Tensor] | None = None,
    target: str | None = None,
    settings: Iterable[str] = (),
    arguments: Sequence[str] = (),
    module: bool = False,
    seconds: float = HEAL_SECONDS,
    steps: int | None = None,
    seeds: int = 3,
    seed: int = 0,
    ignore: Sequence[str] = (),
    apply: str | pathlib.Path | None = None,
    progress: Progress = silent,
) -> Healing:
    """Find the smallest change that heals a training, and measure what it does.

    The training is watched as it is; changes that its findings ask for, then those that any training may need, are
    rehearsed beside it on the same rows, order and first weights; the best are combined, what is not needed is left
    out, and what remains is held against the untouched training on further seeds. Nothing of the user's is changed:
    live objects are afterwards as they were, and a script runs in processes of its own, in a scratch folder.

    Args:
        subject: A network, with loss, loader and optimizer beside it; a script (a .py file); or a Recipe, its file, or
            data as `fit` takes it.
        loss: Of (outputs, targets); None where the network gives its loss itself.
        loader: Of training batches: (inputs, targets), or a mapping.
        optimizer: As it is, or a function that makes one from parameters.
        validation: Loader of the validation rows.
        scheduler: Of the rate; it is restored, and the rate kept constant.
        step: The loss of a batch, in place of `loss`: `step(network, batch)`.
        target: Of data: the column to learn.
        settings: Of a Recipe or data: changes, as `path=value`.
        arguments: Of a script: its own.
        module: Whether the subject is the name of a module to run, as in `python -m`.
        seconds: That may be spent.
        steps: Of each rehearsal; 300, a script runs to its own end.
        seeds: On which the recommended change is held against the untouched training.
        seed: The first of them.
        ignore: Names of findings not to go by.
        apply: Where to write a patched copy of the script; never over the script itself.
        progress: Receives progress events.

    Returns:
        `.remedies`, `.effect` (what they did, seed by seed), `.findings`, `.tried`, `.advice`.

    Raises:
        InputError: What was given cannot be healed.

    Example:
        >>> import torch
        >>> inputs = torch.randn(64, 4)
        >>> batches = [(inputs, inputs @ torch.tensor([[1.0], [2.0], [0.0], [1.0]]))]
        >>> net = nn.Linear(4, 1)
        >>> found = heal(net, nn.MSELoss(), batches, torch.optim.SGD(net.parameters(), lr=1e-3), seconds=20, steps=60)
        >>> found.remedies[0].name in ("lr", "optimizer")
        True

    Source: the order of what to look at is CS231n's, lectures 6 and 7; rungs are successive halving (Jamieson and
    Talwalkar 2016).
    """
    made = subject_of(
        subject, loss, loader, optimizer, validation, scheduler, step, target, settings, arguments, module
    )
    script = made if isinstance(made, ScriptSubject) else None
    if apply is not None and (script is None or module):
        raise InputError(f"a patched copy is of a script, and {subject} is none", legal="a .py file")
    if apply is not None and script is not None:
        from babysit.scripts.patches import check_copy  # libcst takes a fifth of a second

        check_copy(script.script, pathlib.Path(apply))
    wanted = steps if steps is not None else TO_THE_END if made.own_end else STEPS
    with made:
        known: Sequence[Finding] | None = None
        if made.has_live_parts:
            skip = ("rate-range",)  # rates are tried here as remedies
            checked = pre_flight(made, skip=skip, seconds=CHECK_SHARE * seconds, steps=STEPS, seed=seed, ignore=ignore)
            known = checked.findings
        found = heal_subject(
            made, seconds=seconds, steps=wanted, seeds=seeds, seed=seed, ignore=ignore, findings=known,
            progress=progress,
        )  # fmt: skip
    found = dataclasses.replace(found, notes=made.notes())
    if script is None:
        return found
    from babysit.scripts.patches import advice_for

    found = dataclasses.replace(found, advice=advice_for(script.script, found.remedies))
    if apply is None or not found.remedies:
        return found
    copy = write_patched(script.script.target, found.remedies, apply, arguments=arguments)
    note = f"the patched copy, run in a scratch folder, came to {copy.outcome}"
    return dataclasses.replace(found, patched=str(copy.path), diff=copy.diff, notes=(*found.notes, note))
