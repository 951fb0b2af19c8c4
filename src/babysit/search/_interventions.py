"""Settings of a script that has no argument for them: changes that `babysit run` makes to its training.

    babysit tune train.py --space lr=1e-5:1:log batch-size=32,64,128 insert-batch-norm=true,false --steps 20

runs `train.py` under `--remedy lr=...`. So a script is searched that takes no arguments at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from babysit.record import REMEDIES, InputError, Remedy, Setting
from babysit.scripts import Changes
from babysit.search._parameter import Choice, Parameter, text_of

LENGTH_CHANGE = "epochs"  # what stands for the length of a training whose script takes no {steps}
# Remedies of a search or of a report, and those that mend what is broken: nobody searches over a bug.
CHANGES = (
    "activation", "batch-size", "class-weights", "clip-norm", "constant-schedule", "dropout", "initialise",
    "insert-batch-norm", "lr", "optimizer", "scale-inputs", "shuffle", "standardise-inputs", "weight-decay",
)  # fmt: skip
BARE = frozenset(
    {"class-weights", "constant-schedule", "insert-batch-norm", "scale-inputs", "shuffle", "standardise-inputs"}
)
assert REMEDIES.keys() >= {*CHANGES, LENGTH_CHANGE}


def changes_of(settings: Mapping[str, Setting], names: Sequence[str]) -> list[Remedy]:
    """The changes that a trial's settings ask for.

    Example:
        >>> [str(one) for one in changes_of({"lr": 0.01, "shuffle": False, "width": 3}, ["lr", "shuffle"])]
        ['lr=0.01']
    """
    found: list[Remedy] = []
    for name in names:
        value = settings.get(name)
        if value is None or value is False:
            continue  # a condition leaves it out, or it is not wanted
        found.append(Remedy(change_name(name), None if value is True else text_of(value)))
    return found


def change_name(name: str) -> str:
    """A setting's name as a change is called: with hyphens."""
    return name.replace("_", "-")


def check_changes(parameters: Sequence[Parameter]) -> None:
    """Whether a script can be run under every value of these settings.

    Raises:
        InputError: It cannot.
    """
    for parameter in parameters:
        name = change_name(parameter.path)
        if name in BARE:
            if not (isinstance(parameter, Choice) and set(parameter.options) <= {True, False}):
                raise InputError(f"{parameter.text()}: {name} is made or not", write=f"{parameter.path}=true,false")
            continue
        values = parameter.options if isinstance(parameter, Choice) else (parameter.value(0.0), parameter.value(1.0))
        for value in values:
            Changes([Remedy(name, text_of(value))])
