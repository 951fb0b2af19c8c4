"""`babysit compare`."""

from __future__ import annotations

import babysit
from babysit.cli._answer import tell
from babysit.cli._options import Argument, File, Flag, refuse_folders
from babysit.reports import LiveView


def compare(
    a: str,
    b: str,
    /,
    *arguments: Argument,
    seeds: int = 5,
    seed: int = 0,
    score: str | None = None,
    unprotected: Flag = False,
    network: Flag = False,
    seconds: float | None = None,
    report: File = None,
    plain: Flag = False,
    background: Flag = False,
    json: File = None,
) -> int:
    """Whether the second training is better than the first, on the same seeds and rows.

    Scripts and recipes are trained here, seed by seed; it stops when it is clear. The error of "better" and "worse" is
    at most 0.05, all looks together.

    Exit code 0 when it is better, 1 when it is worse, 3 when they are not told apart at this noise.

    Parameters
    ----------
    a
        A script (a .py file), a recipe (a .toml file), a Run folder, a trace, a log; or a folder with several Runs or
        logs, one a seed.
    b
        Another one of the same kind.
    arguments
        Of scripts: their own arguments, after --.
    seeds
        At most so many; of Runs and logs, as many as there are.
    seed
        The first of them.
    score
        Which to compare, such as "evaluation accuracy"; else the first that both have.
    unprotected
        Of scripts: let them write to your files. Needed only where the system cannot keep them away.
    network
        Of scripts: let them reach the network.
    seconds
        Time limit in seconds; no seed is begun after it.
    report
        Write the answer as one HTML file.
    plain
        Lines instead of a live panel.
    background
        Answer at once with the name of a job, which goes on by itself: babysit status JOB.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(report=report, json=json)
    with LiveView(plain=plain) as progress:
        compared = babysit.compare(
            a,
            b,
            seeds=seeds,
            seed=seed,
            score=score,
            arguments=arguments,
            unprotected=unprotected,
            network=network,
            seconds=seconds,
            progress=progress,
        )
    return tell(compared, json, report)
