"""`babysit explain`."""

from __future__ import annotations

import babysit
from babysit.cli._answer import tell
from babysit.cli._options import File, refuse_folders
from babysit.reports import LiveView


def explain(*name: str, report: File = None, json: File = None) -> int:
    """What something is, in plain words, with its figure computed here and now.

    Without a name it lists all that there is.

    Parameters
    ----------
    name
        An activation, initialisation, preprocessing step, loss, optimizer, check, disease, quantity or remedy;
        "lecture" for all of CS231n's lecture in its order.
    report
        Write the answer as one HTML file.
    json
        Write words and numbers of figures as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(report=report, json=json)
    with LiveView() as progress:
        explained = babysit.explain(" ".join(name), progress=progress)
    return tell(explained, json, report)
