"""Settings of a script that has no argument for them: remedies that it is run under.

    babysit tune train.py --space lr=1e-5:1:log batch-size=32,64,128 insert-batch-norm=true,false --steps 20

runs `train.py` under `--remedy lr=...`. So a script is searched that takes no arguments at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from babysit.record import InputError, Remedy, Setting
from babysit.remedies import REMEDIES, Epochs, NoValue, applied_to_script
from babysit.search._parameter import Choice, Parameter, text_of

LENGTH_REMEDY = Epochs.name  # what stands for the length of a training whose script takes no {steps}
# Those of a search or of a report are left out, and those that mend what is broken: nobody searches over a bug.
SEARCHED = tuple(sorted(name for name, kind in REMEDIES.items() if kind.searched))


def remedies_of(settings: Mapping[str, Setting], names: Sequence[str]) -> list[Remedy]:
    """The remedies that a trial's settings ask for.

    Example:
        >>> [str(one) for one in remedies_of({"lr": 0.01, "shuffle": False, "width": 3}, ["lr", "shuffle"])]
        ['lr=0.01']
    """
    found: list[Remedy] = []
    for name in names:
        value = settings.get(name)
        if value is None or value is False:
            continue  # a condition leaves it out, or it is not wanted
        found.append(Remedy(remedy_name(name), None if value is True else text_of(value)))
    return found


def remedy_name(name: str) -> str:
    """A setting's name as a remedy is called: with hyphens."""
    return name.replace("_", "-")


def check_remedies(parameters: Sequence[Parameter]) -> None:
    """Whether a script can be run under every value of these settings.

    Raises:
        InputError: It cannot.
    """
    for parameter in parameters:
        name = remedy_name(parameter.path)
        if isinstance(REMEDIES[name].values, NoValue):
            if not (isinstance(parameter, Choice) and set(parameter.options) <= {True, False}):
                raise InputError(f"{parameter.text()}: {name} is applied or not", write=f"{parameter.path}=true,false")
            continue
        values = parameter.options if isinstance(parameter, Choice) else (parameter.value(0.0), parameter.value(1.0))
        for value in values:
            applied_to_script([Remedy(name, text_of(value))])
