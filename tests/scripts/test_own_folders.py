"""Temporary folders: they go with whom they belong to, and nobody else's goes with them."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from babysit.scripts._scratch import OWNER, PREFIX, _identity, is_left_over, own_folder, sweep


def made(where: pathlib.Path, name: str, **changed: object) -> pathlib.Path:
    """A folder of a process that is dead by now, or what is changed of it."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    identity = _identity(ended.pid) | changed
    ended.wait()
    folder = where / name
    (folder / "kept" / "scratch").mkdir(parents=True)
    (folder / "kept" / "scratch" / "best.pt").write_bytes(b"x")
    (folder / OWNER).write_text(json.dumps(identity))
    return folder


def test_what_a_dead_process_left_is_removed_and_nothing_else(tmp_path: pathlib.Path) -> None:
    dead = made(tmp_path, f"{PREFIX}dead")
    kept = [
        made(tmp_path, f"{PREFIX}alive", **_identity(os.getpid())),
        made(tmp_path, f"{PREFIX}elsewhere", host="another"),
        made(tmp_path, f"{PREFIX}container", space="pid:[1]"),
        made(tmp_path, f"{PREFIX}before", boot="another"),
        made(tmp_path, "mine"),
        made(tmp_path / "deeper", f"{PREFIX}dead"),
    ]
    unmarked, odd = tmp_path / f"{PREFIX}unmarked", tmp_path / f"{PREFIX}odd"
    for folder in (unmarked, odd):
        folder.mkdir()
    (odd / OWNER).write_text("[]")
    (tmp_path / f"{PREFIX}link").symlink_to(dead)
    if os.geteuid() == 0:
        somebody = made(tmp_path, f"{PREFIX}somebody")
        os.chown(somebody, 4321, 4321)
        kept.append(somebody)
    assert sweep(tmp_path) == [dead]
    assert not dead.exists()
    assert all(one.exists() for one in [*kept, unmarked, odd])


def test_another_process_of_the_same_number_is_not_the_owner(tmp_path: pathlib.Path) -> None:
    folder = made(tmp_path, f"{PREFIX}reused", process=os.getpid())
    assert is_left_over(folder)


def test_a_folder_goes_at_the_end(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with own_folder() as folder:
        assert folder.parent == tmp_path
        assert not is_left_over(folder)
        assert is_left_over(folder, os.getpid())
    assert list(tmp_path.iterdir()) == []
