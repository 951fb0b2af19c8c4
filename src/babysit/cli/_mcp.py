"""`babysit mcp`: five tools for coding agents over stdio, by the official SDK of the Model Context Protocol.

Each tool is the command of its name, begun as a job: so this process imports no torch, answers in time, and a training
that crashes does not end it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from babysit.cli._codes import DONE
from babysit.cli._jobs import BackgroundJob, begin
from babysit.cli._jobs import job as job_of
from babysit.record import MissingExtraError, to_json

IN_TIME = 50.0  # seconds until a tool answers; clients give up after a minute
LOOK_EVERY = 0.2  # seconds
LONGEST_TEXT = 4000  # characters of what a command prints, where it has no JSON
INSTRUCTIONS = (
    "babysit finds out why a PyTorch training does not learn, tries remedies, and gives the fix as a diff. Begin with"
    " check; the first finding without explained_by is the cause. An answer whose state is 'running' goes on in the"
    " background: ask status with its job and since=next."
)


def mcp() -> int:
    """Serve check, heal, compare, status and explain as tools of the Model Context Protocol, over stdio.

    It needs the extra of the same name: pip install babysit[mcp].
    """
    server().run("stdio")
    return DONE


def server() -> Any:
    """The server, with its five tools.

    Raises:
        MissingExtraError: The SDK is not installed.
    """
    try:
        from mcp.server.mcpserver import MCPServer
    except ImportError:
        raise MissingExtraError(
            "the SDK of the Model Context Protocol is not installed", write="pip install 'babysit[mcp]'"
        ) from None
    made = MCPServer("babysit", instructions=INSTRUCTIONS)
    for tool in (check, heal, compare, status, explain):
        made.tool(structured_output=True)(tool)
    return made


async def check(subject: str, arguments: list[str] | None = None, seconds: float = 90.0) -> dict[str, Any]:
    """Check a training script (.py), a recipe (.toml) or data before hours are spent: sound, sick or not judged.

    Findings carry file, line, evidence, what the tried remedy did, and the fix as a diff for git apply.
    """
    return await _answered(["check", subject, "--seconds", str(seconds)], arguments)


async def heal(subject: str, arguments: list[str] | None = None, seconds: float = 120.0) -> dict[str, Any]:
    """Find the smallest combination of remedies that heals a training, measured on three seeds, with its diff."""
    return await _answered(["heal", subject, "--seconds", str(seconds)], arguments)


async def compare(a: str, b: str, arguments: list[str] | None = None, seeds: int = 5) -> dict[str, Any]:
    """Say whether training b is better than a: scripts, recipes, Runs or logs, on the same seeds and rows."""
    return await _answered(["compare", a, b, "--seeds", str(seeds)], arguments)


async def status(job: str, since: int = 0, wait: float = IN_TIME, stop: bool = False) -> dict[str, Any]:
    """Tell how a job stands: its news after the first `since` lines, and at its end its answer. Can stop it."""
    found = job_of(job)
    if stop:
        await asyncio.to_thread(found.stop)
    return await _after(found, min(wait, IN_TIME), since)


async def explain(name: str) -> dict[str, Any]:
    """Explain a finding, remedy, quantity, activation or step in plain words, with its threshold and source."""
    return await _answered(["explain", *name.split()], None)


async def _answered(command: Sequence[str], arguments: Sequence[str] | None) -> dict[str, Any]:
    begun = begin([*command, *(["--", *arguments] if arguments else [])])
    return await _after(begun, IN_TIME)


async def _after(job: BackgroundJob, seconds: float, since: int = 0) -> dict[str, Any]:
    """How a job stands when it has ended, or after some seconds."""
    until = asyncio.get_running_loop().time() + seconds
    while job.runs and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(LOOK_EVERY)
    told: dict[str, Any] = to_json(job.told(since))
    told["text"] = "" if told["answer"] is not None else told["text"][-LONGEST_TEXT:]
    return told
