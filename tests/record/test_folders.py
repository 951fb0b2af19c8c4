"""The folders of Runs and Studies: whole or absent, locked while written, refused when they are something else."""

import json
import pathlib
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from babysit.record import (
    DataSummary,
    Evaluation,
    Recipe,
    Run,
    RunFolderError,
    RunLockedError,
    RunSummary,
    RunVersionError,
    Score,
    StorageError,
    Study,
    StudyResult,
    write_atomic,
)

SUMMARY = RunSummary(
    data=DataSummary(source="iris", kind="table", rows=3, shape=(4,), task="classification", target="kind")
)

Maker = Callable[[pathlib.Path], "Run | Study"]


def make(path: pathlib.Path, **changes: Any) -> Run:
    arguments: dict[str, Any] = {
        "recipe": Recipe(seed=7),
        "summary": SUMMARY,
        "model": {"loss": "squared"},
        "split": {"train": np.array([2, 0]), "validation": np.array([], dtype=np.int64), "test": np.array([1])},
        "weights": b"weights",
        "fingerprint": "f",
    }
    return Run.create(path, **{**arguments, **changes})


def search(path: pathlib.Path, **changes: Any) -> Study:
    info: dict[str, Any] = {"kind": "recipe", "subject": "iris", "space": (), "given": ("lr=1e-5:1:log",)}
    info |= {"plan": {"full": 10}, "options": {}, "fingerprint": "f"}
    return Study.create(path, {**info, **changes}, Recipe(seed=7))


MAKERS = pytest.mark.parametrize("maker", [make, search])


def test_what_is_kept_comes_back(tmp_path: pathlib.Path) -> None:
    make(tmp_path / "run")
    run = Run(tmp_path / "run")
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
    assert Run(run.path).info.status == "finished"


def test_what_a_study_keeps_comes_back(tmp_path: pathlib.Path) -> None:
    study = search(tmp_path / "study")
    assert study.recipe == Recipe(seed=7)
    assert study.info.plan == {"full": 10}
    assert study.info.fingerprint == "f"
    assert study.result is None
    study.write_result(StudyResult("accuracy", failing=float("nan")))
    study.set_status("interrupted")
    again = Study(study.path)
    assert again.info.status == "interrupted"
    assert again.result is not None
    assert again.result.failing != again.result.failing


@MAKERS
def test_an_empty_folder_may_become_one_and_anything_else_may_not(tmp_path: pathlib.Path, maker: Maker) -> None:
    (tmp_path / "empty").mkdir()
    maker(tmp_path / "empty")
    with pytest.raises(RunFolderError, match="babysit resume"):
        maker(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="another --out"):
        maker(tmp_path / "file")


@pytest.mark.parametrize("kind", [Run, Study])
def test_an_empty_folder_of_the_users_stays(tmp_path: pathlib.Path, kind: type[Run | Study]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    kind.refuse_existing(empty)
    assert empty.is_dir()
    with pytest.raises(ValidationError):
        search(empty, plan=None)
    with pytest.raises(TypeError):
        make(empty, model={"not": object()})
    assert [*tmp_path.iterdir()] == [empty]


@MAKERS
def test_a_link_to_an_empty_folder_is_followed(tmp_path: pathlib.Path, maker: Maker) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    made = maker(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / made.info_file()).exists()


def test_nothing_is_left_behind_when_making_fails(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TypeError):
        make(tmp_path / "run", model={"not": object()})
    assert list(tmp_path.iterdir()) == []
    for maker in (make, search):
        with pytest.raises(StorageError):
            maker(pathlib.Path("/proc/run"))


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
        ("findings.json", "{", "findings"),
        ("findings.json", "[]", "findings"),
        ("findings.json", '{"schema": 99, "findings": []}', "findings"),
        ("findings.json", '{"schema": 1, "findings": [{"name": "x", "severity": "grave"}]}', "findings"),
        (
            "findings.json",
            '{"schema": 1, "findings": [{"name": "x", "severity": "sick", "remedies": ["L R"]}]}',
            "findings",
        ),
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


@pytest.mark.parametrize("content", ["{", '{"score_name": 3}', '{"nonsense": 1}'])
def test_a_damaged_result_of_a_study_is_named(tmp_path: pathlib.Path, content: str) -> None:
    study = search(tmp_path / "study")
    (study.path / "result.json").write_text(content)
    with pytest.raises(RunFolderError, match=r"result\.json"):
        study.result  # noqa: B018, reading is what is tested


@MAKERS
@pytest.mark.parametrize(
    ("content", "error", "part"),
    [
        (None, RunFolderError, r"no (run|study)\.json"),
        ("", RunFolderError, "not JSON"),
        ("[]", RunVersionError, "schema None"),
        ('{"schema_number": 99, "versions": {"babysit": "9.0"}}', RunVersionError, "made by babysit 9.0"),
        ('{"schema_number": 1}', RunFolderError, "damaged"),
    ],
)
def test_another_folder_is_refused(
    tmp_path: pathlib.Path, maker: Maker, content: str | None, error: type[Exception], part: str
) -> None:
    made = maker(tmp_path / "made")
    file = made.path / made.info_file()
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(error, match=part):
        type(made)(made.path)


@pytest.mark.parametrize("kind", [Run, Study])
def test_no_folder_at_all(tmp_path: pathlib.Path, kind: type[Run | Study]) -> None:
    with pytest.raises(RunFolderError, match=f"there is no {kind.name} folder"):
        kind(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=f"is not a {kind.name} folder"):
        kind(tmp_path / "file")


def test_objects_in_the_split_are_never_unpickled(tmp_path: pathlib.Path) -> None:
    run = make(tmp_path / "run")
    np.savez(run.path / "split.npz", train=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(RunFolderError, match="damaged"):
        run.split  # noqa: B018, reading is what is tested


@MAKERS
def test_two_processes_on_one_folder(tmp_path: pathlib.Path, maker: Maker) -> None:
    run = maker(tmp_path / "run")
    program = textwrap.dedent(f"""
        from babysit.record import {type(run).__name__} as Kind
        with Kind({str(run.path)!r}).writing():
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
        from tests.record.test_folders import make
        from babysit.record import _folder, _run_folder
        kill_at, count, real = int(sys.argv[2]), 0, _run_folder.write_atomic

        def deadly(*arguments):
            global count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*arguments)

        _folder.write_atomic = _run_folder.write_atomic = deadly
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
