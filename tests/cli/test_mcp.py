"""The tools that coding agents call, by the SDK's own client."""

from __future__ import annotations

import asyncio
import importlib.util
import pathlib
import sys
from typing import Any

import pytest

from babysit.cli import run
from babysit.cli._codes import BAD_INPUT
from babysit.cli._jobs import FOLDER
from babysit.cli._mcp import server

INSTALLED = importlib.util.find_spec("mcp") is not None
needs_mcp = pytest.mark.skipif(not INSTALLED, reason="the SDK mcp is not installed")
pytestmark = pytest.mark.filterwarnings("default")  # of the SDK's own


async def called(tool: str, **arguments: Any) -> Any:
    from mcp import Client

    async with Client(server()) as client:
        return await client.call_tool(tool, arguments)


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER, str(tmp_path / "jobs"))


@needs_mcp
def test_there_are_five_tools_and_each_is_described() -> None:
    async def names() -> Any:
        from mcp import Client

        async with Client(server()) as client:
            return (await client.list_tools()).tools

    tools = asyncio.run(names())
    assert [tool.name for tool in tools] == ["check", "heal", "compare", "status", "explain"]
    assert all(tool.description for tool in tools)


@needs_mcp
def test_a_tool_answers_with_json() -> None:
    told = asyncio.run(called("explain", name="relu")).structured_content
    assert told["state"] == "finished"
    assert told["answer"]["lessons"]


@needs_mcp
def test_bad_input_is_told() -> None:
    told = asyncio.run(called("check", subject="nowhere.py")).structured_content
    assert (told["state"], told["code"]) == ("failed", BAD_INPUT)
    assert any("there is no script nowhere.py" in line for line in told["news"])
    assert asyncio.run(called("status", job="check-000000")).is_error


def test_without_the_sdk_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mcp", "mcp.server", "mcp.server.mcpserver"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(["mcp"]) == BAD_INPUT
    assert "pip install 'babysit[mcp]'" in capsys.readouterr().err
