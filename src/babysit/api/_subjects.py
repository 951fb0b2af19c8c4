"""What the user gave, as a Subject: live objects, a Recipe, data, or a script."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from babysit.record import InputError, Recipe, load_recipe, with_settings
from babysit.rehearsal import LiveObjects, OptimizerLike, RecipeSubject, Subject
from babysit.scripts import ScriptSubject, with_arguments


def is_script(given: object, module: bool = False) -> bool:
    """Whether it names a script."""
    return module or (isinstance(given, str | pathlib.Path) and pathlib.Path(given).suffix == ".py")


def subject_of(
    subject: object,
    loss: Callable[..., Tensor] | None = None,
    loader: Iterable[Any] | None = None,
    optimizer: OptimizerLike | None = None,
    validation: Iterable[Any] | None = None,
    scheduler: LRScheduler | None = None,
    step: Callable[[nn.Module, Any], Tensor] | None = None,
    target: str | None = None,
    settings: Iterable[str] = (),
    arguments: Sequence[str] = (),
    module: bool = False,
    unprotected: bool = False,
    network: bool = False,
) -> Subject:
    """What was given, as a Subject: a network with its loss, loader and optimizer; a script; a Recipe or data.

    Raises:
        InputError: The subject is of another kind, or an argument is missing.
    """
    if (unprotected or network) and not is_script(subject, module):
        option = "unprotected" if unprotected else "network"
        raise InputError(f"'{option}' is for scripts, and {subject!r} is not a script", legal="a .py file")
    if isinstance(subject, nn.Module):
        if loader is None or optimizer is None:
            missing = "a loader of training batches" if loader is None else "an optimizer"
            raise InputError(f"{missing} is missing", write="babysit.check(model, loss, loader, optimizer)")
        return LiveObjects(subject, loss, loader, optimizer, validation=validation, scheduler=scheduler, step=step)
    if isinstance(subject, Subject):
        return subject
    if any(given is not None for given in (loss, loader, optimizer, validation, scheduler, step)):
        raise InputError(
            f"a {type(subject).__name__} is not a network; a Recipe, data or a script brings its own loss, loader and"
            " optimizer",
            legal="a torch.nn.Module as the first argument",
            write="babysit.check(model, loss, loader, optimizer)",
        )
    if is_script(subject, module):
        if target is not None or [*settings]:
            raise InputError("a script has no target and no settings", legal="both belong to data and recipes")
        script = with_arguments(str(subject), arguments, module=module)
        return ScriptSubject(script, protected=not unprotected, network=network)
    if arguments:
        raise InputError(
            f"'{arguments[0]}' follows {subject}, which is not a script",
            legal="a .py file takes arguments",
            cause="the column to learn is an option",
            write=f"{subject} --target {arguments[0]}",
        )
    return recipe_subject(subject, target, settings)


def recipe_subject(given: object, target: str | None = None, settings: Iterable[str] = ()) -> RecipeSubject:
    """A Recipe, its file, or data under the default recipe, as a Subject.

    Raises:
        InputError: Data or recipe cannot be used.
    """
    source = None
    recipe = given if isinstance(given, Recipe) else None
    if recipe is None and isinstance(given, str | pathlib.Path) and pathlib.Path(given).suffix == ".toml":
        recipe = load_recipe(given)
    if recipe is None:
        recipe = load_recipe("default")
        if isinstance(given, str | pathlib.Path):
            recipe = with_settings(recipe, [f"data.source={given}"])
        else:
            source = given
    if target is not None:
        recipe = with_settings(recipe, [f"data.target={target}"])
    return RecipeSubject(with_settings(recipe, [*settings]), source)
