"""The Run folder: whole or absent, locked while written, refused when it is of another kind."""

import json
import pathlib
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

from babysit.record import (
    DataSummary,
    Evaluation,
    Recipe,
    RunFolder,
    RunFolderError,
    RunLockedError,
    RunSummary,
    RunVersionError,
    Score,
    StorageError,
    write_atomic,
)

SUMMARY = RunSummary(
    data=DataSummary(source="iris", kind="table", rows=3, shape=(4,), task="classification", target="kind")
)


def make(path: pathlib.Path, **changes: Any) -> RunFolder:
    arguments: dict[str, Any] = {
        "recipe": Recipe(seed=7),
        "summary": SUMMARY,
        "model": {"loss": "squared"},
        "split": {"train": np.array([2, 0]), "validation": np.array([], dtype=np.int64), "test": np.array([1])},
        "weights": b"weights",
        "fingerprint": "f",
    }
    return RunFolder.create(path, **{**arguments, **changes})


def test_what_is_kept_comes_back(tmp_path: pathlib.Path) -> None:
    make(tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    assert run.recipe == Recipe(seed=7)
    assert run.summary == SUMMARY
    assert run.model == {"loss": "squared"}
    assert run.split["train"].tolist() == [2, 0]
    assert run.info.status == "begun"
    assert run.info.seed == 7
    assert "torch" in run.info.versions
    evaluation = Evaluation(phase="test", rows=1, scores=(Score(name="R2", value=float("nan")),))
    run.write_evaluation(evaluation)
    assert run.evaluations["test"].score("R2").value != run.evaluations["test"].score("R2").value
    run.set_status("finished")
    assert RunFolder(run.path).info.status == "finished"


def test_an_empty_folder_may_become_a_run_and_anything_else_may_not(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty")
    with pytest.raises(RunFolderError, match="--resume"):
        make(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="another --out"):
        make(tmp_path / "file")


def test_nothing_is_left_behind_when_making_fails(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TypeError):
        make(tmp_path / "run", model={"not": object()})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError):
        make(pathlib.Path("/proc/run"))


@pytest.mark.parametrize(
    ("file", "content", "attribute"),
    [
        ("recipe.toml", "sed = 3", "recipe"),
        ("recipe.toml", None, "recipe"),
        ("summary.json", "{}", "summary"),
        ("summary.json", "\x00", "summary"),
        ("model.json", "[]", "model"),
        ("model.json", "{", "model"),
        ("split.npz", "PK", "split"),
        ("split.npz", None, "split"),
        ("evaluation-test.json", "{", "evaluations"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: pathlib.Path, file: str, content: str | None, attribute: str) -> None:
    run = make(tmp_path / "run")
    if content is None:
        (run.path / file).unlink()
    else:
        (run.path / file).write_text(content)
    with pytest.raises(Exception, match=file) as caught:
        getattr(run, attribute)
    assert type(caught.value).__module__.startswith("babysit.")


@pytest.mark.parametrize(
    ("content", "error", "part"),
    [
        (None, RunFolderError, "no run.json"),
        ("", RunFolderError, "not JSON"),
        ("[]", RunVersionError, "schema None"),
        ('{"schema_number": 99, "versions": {"babysit": "9.0"}}', RunVersionError, "made by babysit 9.0"),
        ('{"schema_number": 1}', RunFolderError, "damaged"),
    ],
)
def test_a_folder_that_is_no_run_is_refused(
    tmp_path: pathlib.Path, content: str | None, error: type[Exception], part: str
) -> None:
    run = make(tmp_path / "run")
    if content is None:
        (run.path / "run.json").unlink()
    else:
        (run.path / "run.json").write_text(content)
    with pytest.raises(error, match=part):
        RunFolder(run.path)


def test_no_folder_at_all(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RunFolderError, match="no Run folder"):
        RunFolder(tmp_path / "none")


def test_objects_in_the_split_are_never_unpickled(tmp_path: pathlib.Path) -> None:
    run = make(tmp_path / "run")
    np.savez(run.path / "split.npz", train=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(RunFolderError, match="damaged"):
        run.split  # noqa: B018, reading is what is tested


def test_two_processes_on_one_run(tmp_path: pathlib.Path) -> None:
    run = make(tmp_path / "run")
    program = textwrap.dedent(f"""
        from babysit.record import RunFolder
        with RunFolder({str(run.path)!r}).writing():
            print("held", flush=True)
            input()
    """)
    other = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunLockedError, match="another process"), run.writing():
            pass
    finally:
        other.kill()  # -9: the lock dies with its holder
        other.communicate()
    with run.writing():
        pass


def test_a_run_is_there_whole_or_not_at_all_when_its_maker_is_killed(tmp_path: pathlib.Path) -> None:
    program = textwrap.dedent("""
        import os, signal, sys, pathlib
        from tests.record.test_run_folder import make
        from babysit.record import _run_folder
        kill_at, count, real = int(sys.argv[2]), 0, _run_folder.write_atomic

        def deadly(*arguments):
            global count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*arguments)

        _run_folder.write_atomic = deadly
        make(pathlib.Path(sys.argv[1]))
    """)
    for kill_at in (1, 4, 6):
        path = tmp_path / f"run{kill_at}"
        done = subprocess.run([sys.executable, "-c", program, str(path), str(kill_at)], check=False)
        assert done.returncode == -9
        assert not path.exists()
        make(path)


def test_a_failed_write_leaves_the_old_content_and_nothing_else(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_files_are_plain(tmp_path: pathlib.Path) -> None:
    run = make(tmp_path / "run")
    assert json.loads((run.path / "run.json").read_text())["schema_number"] == 1
    assert (run.path / "recipe.toml").read_text().startswith("# A babysit recipe")
