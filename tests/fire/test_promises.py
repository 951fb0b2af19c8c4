"""docs/promises.md names tests that exist, and no slow one without saying so."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
NAMED = re.findall(r"(\*?)`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/promises.md").read_text())


@pytest.mark.parametrize(("slow", "file", "name"), NAMED)
def test_a_promise_names_a_test(slow: str, file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    assert found, f"{file} has no {name}"
    marks = [ast.unparse(mark) for mark in found[0].decorator_list]
    assert ("pytest.mark.slow" in marks) == bool(slow)


def test_each_row_names_one() -> None:
    rows = [line for line in (ROOT / "docs/promises.md").read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| promise", "| ---", "| reader", "| work"))]
    assert len(promises) > 25
    assert len(NAMED) > 50
