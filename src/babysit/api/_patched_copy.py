"""A patched copy of a script: written, then rehearsed, so that it is known to do what its remedies did."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

from babysit.record import Remedy
from babysit.rehearsal import Ask, RehearsalOutcome, outcome_of
from babysit.scripts import ScriptSubject, with_arguments


@dataclass(frozen=True)
class PatchedCopy:
    """A script with remedies in its text.

    Attributes:
        path: Where it is.
        diff: Against the script, unified.
        written: Remedies that are in the code.
        applied: Remedies that one statement at the top applies.
        outcome: What it came to when it was run, in a scratch folder.
    """

    path: pathlib.Path
    diff: str
    written: tuple[Remedy, ...]
    applied: tuple[Remedy, ...]
    outcome: RehearsalOutcome


def write_patched(
    script: str | pathlib.Path,
    remedies: Sequence[str | Remedy],
    path: str | pathlib.Path,
    *,
    arguments: Sequence[str] = (),
) -> PatchedCopy:
    """Write a script with remedies into a copy of it, never over the script itself, and rehearse the copy.

    Args:
        script: A Python file.
        remedies: As `heal` recommends them.
        path: The copy: a new file, or an earlier copy.
        arguments: The script's own, for the rehearsal.

    Raises:
        InputError: The path is the script's own or another file that is there; nothing is written then.

    Example:
        >>> import tempfile
        >>> text = "import torch\\nnet = torch.nn.Linear(2, 1)\\nopt = torch.optim.SGD(net.parameters(), lr=0.1)\\n"
        >>> text += "for _ in range(5):\\n    net(torch.ones(3, 2)).mean().backward()\\n    opt.step()\\n"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     script = pathlib.Path(folder, "train.py")
        ...     _ = script.write_text(text)
        ...     copy = write_patched(script, ["lr=0.01"], script.with_name("better.py"))
        >>> [str(one) for one in copy.written], copy.outcome.steps
        (['lr=0.01'], 5)
    """
    from babysit.scripts.patches import check_copy  # libcst takes a fifth of a second
    from babysit.scripts.patches import write_patched as write_copy

    made, goal = with_arguments(str(script), arguments), pathlib.Path(path)
    asked = [one if isinstance(one, Remedy) else Remedy.parse(one) for one in remedies]
    check_copy(made, goal)
    done = write_copy(made, asked, goal)
    with ScriptSubject(with_arguments(str(goal), arguments), jobs=1) as subject:
        outcome = outcome_of(subject.rehearse_all([Ask(probes="losses")])[0])
    written = tuple(one.remedy for one in done.written)
    return PatchedCopy(goal, done.diff, written, tuple(done.applied), outcome)
