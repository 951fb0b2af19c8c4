"""`babysit heal`."""

from __future__ import annotations

import babysit
from babysit.cli._answer import tell, words
from babysit.cli._options import Argument, File, Flag, Module, Settings, Texts, refuse_folders
from babysit.reports import LiveView


def heal(
    subject: str,
    /,
    *arguments: Argument,
    module: Module = False,
    unprotected: Flag = False,
    network: Flag = False,
    target: str | None = None,
    settings: Settings = None,
    ignore: Texts = None,
    seconds: float = 120.0,
    steps: int | None = None,
    seeds: int = 3,
    seed: int = 0,
    apply: File = None,
    report: File = None,
    plain: Flag = False,
    background: Flag = False,
    json: File = None,
) -> int:
    """Diagnose, rehearse the remedies, and recommend the smallest combination that works, with what it did.

    Exit code 0 when nothing was wrong, 1 when something is (whether a remedy heals it or not), 2 when it could not be
    run, 3 when nothing was found in a training that was not seen to learn.

    Parameters
    ----------
    subject
        A script (a .py file, or with -m the name of a module), a recipe (a .toml file), or data as `fit` takes it.
    arguments
        Of a script: its own arguments, after --.
    module
        The subject is the name of a module, as in python -m.
    unprotected
        Of a script: let its rehearsals write to your files. Needed only where the system cannot keep them away.
    network
        Of a script: let its rehearsals reach the network.
    target
        Of data: the column to learn.
    settings
        Of data and recipes: changes to the recipe, as path=value.
    ignore
        Findings to ignore, by name.
    seconds
        Time limit in seconds.
    steps
        Steps of each rehearsal; 300. A script runs to its own end.
    seeds
        Seeds on which the recommended remedies are compared with the baseline.
    seed
        The first of them.
    apply
        Write a patched copy of the script to this file; never over the script itself.
    report
        Write the answer as one HTML file.
    plain
        Lines instead of a live panel.
    background
        Answer at once with the name of a job, which goes on by itself: babysit status JOB.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(apply=apply, report=report, json=json)
    with LiveView(plain=plain) as progress:
        healed = babysit.heal(
            subject,
            arguments=arguments,
            module=module,
            unprotected=unprotected,
            network=network,
            target=target,
            settings=settings or (),
            ignore=ignore or (),
            seconds=seconds,
            steps=steps,
            seeds=seeds,
            seed=seed,
            apply=apply,
            progress=progress,
        )
    following = ""
    if healed.healing.patched:
        following = words("python", healed.healing.patched)
    elif (healed.remedies or healed.healing.mended) and subject.endswith(".py") and not module:
        copy = f"{subject.removesuffix('.py')}_patched.py"
        following = words("babysit", "heal", "--apply", copy, subject, arguments=arguments)
    return tell(healed, json, report, following)
