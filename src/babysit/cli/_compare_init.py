"""`babysit compare-init`."""

from __future__ import annotations

import babysit
from babysit.cli._answer import tell
from babysit.cli._options import File, Settings, Texts, refuse_folders


def compare_init(
    subject: str,
    /,
    *,
    target: str | None = None,
    settings: Settings = None,
    schemes: Texts = None,
    steps: int = 60,
    seeds: int = 3,
    report: File = None,
    json: File = None,
) -> int:
    """Initialisations side by side on your network and data, layer by layer, and the one to take.

    Parameters
    ----------
    subject
        A recipe (a .toml file), or data as `fit` takes it.
    target
        Of data: the column to learn.
    settings
        Changes to the recipe, as path=value.
    schemes
        Which to compare: "as given", and names such as xavier, he, orthogonal, lsuv, small-random, auto.
    steps
        Steps of each short training.
    seeds
        Seeds of weights and order.
    report
        Write the answer as one HTML file.
    json
        Write the answer as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(report=report, json=json)
    compared = babysit.compare_init(
        subject, target=target, settings=settings or (), schemes=schemes, steps=steps, seeds=seeds
    )
    return tell(compared, json, report)
