"""Findings with their place in a script's text, and with the fix that was tried; the text is read when one is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from babysit.record import Finding, InputError, Remedy
from babysit.scripts._script import Script


def located(
    script: Script, findings: Sequence[Finding], tried: Mapping[str, tuple[Sequence[Remedy], str]] | None = None
) -> tuple[Finding, ...]:
    """The same findings, each with file and line where these are known, and the fix where a remedy was tried.

    Args:
        script: The script.
        findings: What was found in its training.
        tried: By the name of a finding, the remedies that were tried for it, and what they did.

    Example:
        >>> import pathlib, tempfile
        >>> text = "import torch\\nnet = torch.nn.Linear(2, 1)\\nopt = torch.optim.SGD(net.parameters(), lr=9.0)\\n"
        >>> found = Finding("diverged", "sick", remedies=(Remedy("lr", "0.01"),))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "train.py")
        ...     _ = path.write_text(text)
        ...     told = located(Script(str(path)), [found], {"diverged": (found.remedies, "loss 1e+20 -> 0.2")})[0]
        >>> told.file.endswith("train.py"), told.line, told.fix.splitlines()[-1], told.did
        (True, 3, '+opt = torch.optim.SGD(net.parameters(), lr=0.01)', 'loss 1e+20 -> 0.2')
    """
    if not findings:
        return ()
    from babysit.scripts.patches import with_places  # libcst takes a fifth of a second

    try:
        return with_places(script, findings, tried or {})
    except InputError:  # its text cannot be read: the findings stand without a place
        return tuple(findings)
