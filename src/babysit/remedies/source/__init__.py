"""Remedies written into the text of a script, which is kept byte for byte where they do not touch it.

What needs it imports it where it is needed: libcst takes a fifth of a second.
"""

from babysit.remedies.source._code import Code, as_python, is_text, statements
from babysit.remedies.source._edited_text import EditedText
from babysit.remedies.source._edits import Edited, Edits, Place
from babysit.remedies.source._loop import with_epochs
from babysit.remedies.source._optimizer import Wanted
from babysit.remedies.source._training import (
    LOADERS,
    epoch_loop,
    losses,
    made_losses,
    makes_network,
    module_classes,
    module_name,
    optimizer_calls,
)

__all__ = [
    "Code",
    "Edited",
    "EditedText",
    "Edits",
    "LOADERS",
    "Place",
    "Wanted",
    "as_python",
    "epoch_loop",
    "is_text",
    "losses",
    "made_losses",
    "makes_network",
    "module_classes",
    "module_name",
    "optimizer_calls",
    "statements",
    "with_epochs",
]
