"""Every example in a docstring runs and gives what it says."""

import doctest
import importlib
import pathlib

import pytest

HOUSE = pathlib.Path(__file__).parent.parent / "src"
MODULES = sorted(
    ".".join(path.relative_to(HOUSE).with_suffix("").parts)
    for path in (HOUSE / "babysit").rglob("*.py")
    if path.name != "__main__.py" and ">>>" in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
