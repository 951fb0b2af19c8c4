"""Machines that refuse: no disk, no rights, no home, no locks, few files; people who press keys and close windows."""

import errno
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import filelock
import pytest

from babysit.record import Run, StorageError, write_atomic
from tests.fire.machine import Done, Machine
from tests.fire.test_disk import SCRIPT, contents

FIT = ["fit", "iris", "--seconds", "0", "--plain", "--set", "epochs=1", "--out"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine() as made:
        yield made


@pytest.fixture(scope="module")
def whole(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A Run that is finished."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert machine.run(*FIT, str(path)).code == 0
    return path


def refused(done: Done, *parts: str) -> None:
    """One clear error of ours, exit code 2."""
    assert done.code == 2, (done.code, done.out, done.err)
    assert done.err.startswith("error: ") or "\nerror: " in done.err
    assert done.err.count("error: ") == 1, done.err
    for word in ("Traceback", "babysit itself failed", "Exception ignored"):
        assert word not in done.err, done.err
    for part in parts:
        assert part in done.err, done.err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["fit", "iris", "--out", ""], "the folder that you are in"),
        (["fit", "iris", "--out", "."], "the folder that you are in"),
        (["fit", "iris", "--out", "/"], "/ "),
        (["fit", "iris", "--out", "a" * 256], "longer than the file system allows"),
        (["fit", "iris", "--out", "a" * 250], "longer than the file system allows"),
        (["fit", "iris", "--out", "/proc/run"], "/proc/run"),
        (["fit", "iris", "--out", "/dev/null"], "/dev/null exists already"),
        (["tune", "iris", "--trials", "2", "--out", "."], "the folder that you are in"),
        (["fit", "/dev/zero", "--out", "run"], "/dev/zero"),
        (["fit", "/dev/full", "--out", "run"], "/dev/full"),
        (["fit", "/", "--out", "run"], "/"),
        (["fit", "", "--out", "run"], "folder"),
        (["fit", "iris", "--recipe", "/dev/zero", "--out", "run"], "/dev/zero"),
        (["fit", "iris", "--recipe", ".", "--out", "run"], "Is a directory"),
        (["tune", "iris", "--space", "/dev/zero", "--out", "run"], "/dev/zero"),
        (["tune", "/dev/zero", "--out", "run"], "/dev/zero"),
        (["check", "/dev/zero"], "/dev/zero"),
        (["check", "."], "."),
        (["run", "/dev/zero"], "/dev/zero"),
        (["run", "."], "."),
        (["heal", "."], "."),
        (["resume", "/dev/zero"], "/dev/zero"),
        (["report", "/dev/null"], "/dev/null"),
        (["report", ""], "not a Run folder"),
        (["diagnose", "/dev/zero"], "/dev/zero"),
        (["evaluate", "/dev/null"], "/dev/null"),
        (["predict", "a\x1b[2Jb", "iris"], "a\\x1b[2Jb"),
        (["explain", "relu", "--report", ""], "is a folder"),
        (["explain", "relu", "--report", "x" * 256], "longer than the file system allows"),
        (["explain", "relu", "--json=nowhere/a.json"], "the folder is not there"),
        (["explain", "\ud800\x1b]0;title\x07"], "\\ud800\\x1b]0;title\\x07"),
        (["recipe", "--out", "/dev/full"], "/dev/full"),
    ],
    ids=lambda value: " ".join(value)[:40].encode("unicode_escape").decode() if isinstance(value, list) else "",
)
def test_odd_names_are_one_error(arguments: list[str], part: str, machine: Machine, tmp_path: pathlib.Path) -> None:
    done = machine.run(*arguments, folder=str(tmp_path))
    refused(done, part)
    assert "\x1b" not in done.err
    assert [*tmp_path.iterdir()] == []


def test_a_name_of_255_bytes(machine: Machine, tmp_path: pathlib.Path) -> None:
    name = "ä" * 125 + ".html"  # two bytes each
    assert machine.run("explain", "relu", "--report", name, folder=str(tmp_path)).code == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_language_without_the_signs(machine: Machine, tmp_path: pathlib.Path) -> None:
    plain = {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    name = "höhe→tiefe"
    done = machine.run(*FIT, name, folder=str(tmp_path), environment=plain)
    assert done.code == 0, done.err
    assert (tmp_path / name / "report.html").exists()
    done = machine.run(
        "report", name, folder=str(tmp_path), environment=plain, call="tests.fire.test_machines:in_ascii"
    )
    assert done.code == 0, done.err
    assert "\\u2192" in done.out


def in_ascii(*arguments: str) -> int:
    """The command line on streams that know 128 signs."""
    import sys

    from babysit.cli import run

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="ascii", errors="strict")  # type: ignore[union-attr]
    return run([*arguments])


def test_names_that_are_no_text(machine: Machine, tmp_path: pathlib.Path) -> None:
    """File names are bytes: some are no text in any language."""
    data = tmp_path / os.fsdecode(b"bad\xff.csv")
    data.write_text("a,b\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    done = machine.run("fit", data.name, "--seconds", "0", "--out", "run", folder=str(tmp_path))
    refused(done, "bad\\udcff.csv")
    name = os.fsdecode(b"run\xff")
    done = machine.run(*FIT, name, folder=str(tmp_path))
    assert done.code == 0, done.err
    assert (tmp_path / name / "report.html").exists()


@pytest.mark.parametrize("arguments", [["explain", "relu"], ["recipe"], ["--help"], ["explain", "relu", "--json"]])
def test_a_full_output(arguments: list[str], machine: Machine) -> None:
    refused(machine.run(*arguments, out="/dev/full"), "No space left")


def test_a_reader_that_left(machine: Machine, tmp_path: pathlib.Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def leave() -> None:
        with fifo.open("rb") as reader:
            reader.read(1)

    reader = threading.Thread(target=leave)
    reader.start()
    done = machine.run("explain", "lecture", out=str(fifo))
    reader.join()
    assert (done.code, done.err) == (0, "")


def test_closed_streams(machine: Machine, tmp_path: pathlib.Path) -> None:
    """A database that got the number of a closed stream would be written over by prints."""
    done = machine.run(*FIT, str(tmp_path / "run"), closed=[0, 1])
    assert done.code == 0, done.err
    assert Run(tmp_path / "run").info.status == "finished"
    assert machine.run("explain", "relu", "--json", closed=[1]).code == 0


def test_no_home_and_no_settings(machine: Machine, tmp_path: pathlib.Path) -> None:
    nothing = dict.fromkeys(("HOME", "USER", "LOGNAME", "TERM", "PATH", "LANG", "XDG_CACHE_HOME"))
    done = machine.run(*FIT, str(tmp_path / "run"), environment=nothing)
    assert done.code == 0, done.err
    done = machine.run(*FIT, str(tmp_path / "run2"), environment={"HOME": "/nowhere", "COLUMNS": "x", "TERM": "odd"})
    assert done.code == 0, done.err


def test_no_folder_for_temporary_files(machine: Machine, tmp_path: pathlib.Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    nowhere = {"TMPDIR": "/nowhere", "TEMP": "/nowhere", "TMP": "/nowhere"}
    before = contents(tmp_path)
    done = machine.run(
        "check", "train.py", folder=str(tmp_path), environment=nowhere, call="tests.fire.test_machines:without_temp"
    )
    refused(done, "TMPDIR")
    assert contents(tmp_path) == before
    done = machine.run(*FIT, "run", folder=str(tmp_path), environment=nowhere)
    assert done.code == 0, done.err  # it needs none


def without_temp(*arguments: str) -> int:
    """The command line where no folder takes temporary files."""
    import tempfile

    from babysit.cli import run

    def none() -> list[str]:
        return ["/nowhere"]

    tempfile._candidate_tempdir_list = none  # type: ignore[attr-defined]
    return run([*arguments])


def test_few_files(machine: Machine, tmp_path: pathlib.Path) -> None:
    done = machine.run(*FIT, str(tmp_path / "run"), limits={"RLIMIT_NOFILE": 32})
    assert done.code == 0, done.err


def test_little_memory(machine: Machine, tmp_path: pathlib.Path) -> None:
    done = machine.run(*FIT, str(tmp_path / "run"), memory=1 << 30)
    assert done.code == 0, done.err
    table = tmp_path / "long.csv"
    table.write_text("x,y\n" + "1234567890,0\n" * 3_000_000)
    done = machine.run("fit", str(table), "--out", str(tmp_path / "long"), memory=100 << 20)
    refused(done, "memory")
    assert not (tmp_path / "long").exists()


@as_root
def test_no_rights(machine: Machine, whole: pathlib.Path, tmp_path: pathlib.Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copytree(whole, own / "run")
    for path in [tmp_path, own, *own.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    before = contents(own)
    refused(machine.run(*FIT, str(own / "new"), nobody=True), "you may not write there")
    refused(machine.run("resume", str(own / "run"), nobody=True), "you may not write there")
    refused(machine.run("report", str(own / "run"), nobody=True), "you may not write there")
    shown = machine.run("evaluate", str(own / "run"), nobody=True)
    assert shown.code in (0, 2), shown.err
    assert machine.run("diagnose", str(own / "run"), nobody=True).code in (0, 1)
    (own / "run").chmod(0o700)
    refused(machine.run("report", str(own / "run"), nobody=True), "Permission denied")
    (own / "run").chmod(0o755)
    assert contents(own) == before


def no_locks(*arguments: str) -> int:
    """The command line on a file system whose locks are not implemented."""
    from babysit.cli import run

    def refuse(self: Any, *_: Any, **__: Any) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock; use SoftFileLock instead")

    setattr(filelock.FileLock, "acquire", refuse)  # noqa: B010, its type is another
    return run([*arguments])


def test_no_locks(machine: Machine, whole: pathlib.Path, tmp_path: pathlib.Path) -> None:
    before = contents(whole)
    done = machine.run("resume", str(whole), call="tests.fire.test_machines:no_locks")
    refused(done, "has no locks", "local disk")
    assert contents(whole) == before


def test_a_clock_that_jumps_back(machine: Machine, tmp_path: pathlib.Path) -> None:
    done = machine.run(*FIT, str(tmp_path / "run"), call="tests.fire.test_machines:jumping_clock")
    assert done.code == 0, done.err
    assert Run(tmp_path / "run").info.status == "finished"


def jumping_clock(*arguments: str) -> int:
    """The command line with a wall clock that runs backwards."""
    import itertools
    import time

    from babysit.cli import run

    steps = itertools.count()
    time.time = lambda: 1.0e9 - next(steps) * 3600.0
    return run([*arguments])


def test_a_folder_renamed_in_flight(machine: Machine, tmp_path: pathlib.Path) -> None:
    long = [*FIT[:-2], "epochs=2", "--out"]
    assert machine.run(*long, str(tmp_path / "whole")).code == 0
    done = machine.run(*long, str(tmp_path / "run"), call="tests.fire.test_machines:renaming")
    refused(done, "moved or deleted")
    moved = tmp_path / "run-moved"
    assert Run(moved)
    assert machine.run("resume", str(moved)).code == 0
    name = "weights.safetensors"
    assert (moved / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def renaming(*arguments: str) -> int:
    """The command line, whose folder is renamed when the first checkpoint is to be written."""
    from babysit.cli import run

    write = Run.write

    def moved_first(self: Any, name: str, content: bytes | str, *, durable: bool = True) -> None:
        if self.path.exists() and name == "checkpoint.safetensors":
            self.path.rename(f"{self.path}-moved")
        write(self, name, content, durable=durable)

    setattr(Run, "write", moved_first)  # noqa: B010
    return run([*arguments])


def test_many_fits_at_once_take_folders_of_their_own(tmp_path: pathlib.Path) -> None:
    names = [tmp_path / "runs" / f"iris-{number}" for number in range(1, 60)]
    taken: list[pathlib.Path] = []
    all_hold = threading.Barrier(20)

    def take() -> None:
        with Run.free_path(iter(names)) as path:
            taken.append(path)
            all_hold.wait(30)

    threads = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 20
    assert not [*tmp_path.glob("*/*")], "what nobody used is gone"


@pytest.mark.slow
def test_fifty_fits_at_once_in_one_folder(tmp_path: pathlib.Path) -> None:
    machines = [Machine() for _ in range(4)]
    done: list[Done] = []

    def work(machine: Machine) -> None:
        done.extend(machine.run(*FIT[:-1], folder=str(tmp_path)) for _ in range(13))

    threads = [threading.Thread(target=work, args=[machine]) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.code for one in done] == [0] * 52, [one.err for one in done if one.code]
    runs = [Run(path) for path in (tmp_path / "runs").iterdir()]
    assert len(runs) == 52
    assert {run.info.status for run in runs} == {"finished"}


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_signals_show_no_traceback(number: signal.Signals, machine: Machine, tmp_path: pathlib.Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    for after in (0.05, 0.6):
        signals = [(after, number), (after + 0.02, number), (after + 0.3, number)]
        out = tmp_path / f"study-{after}"
        command = ["tune", "train.py", "--space", "lr=1e-3:1:log", "--trials", "3", "--plain", "--out", str(out)]
        done = machine.run(*command, folder=str(tmp_path), signals=signals)
        assert "Traceback" not in done.err, done.err
        assert "Exception ignored" not in done.err, done.err
        assert done.code in (-number, 130, 2, 0), done
        command = [*FIT[:-2], "epochs=300", "--out", str(tmp_path / f"run-{after}")]
        done = machine.run(*command, signals=signals)
        assert "Traceback" not in done.err, done.err
        assert done.code in (-number, 130), done


# Where files are written to


def test_links_are_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "page.html").write_text("before")
    (tmp_path / "one.html").symlink_to("disk/page.html")
    (tmp_path / "two.html").symlink_to(tmp_path / "one.html")
    (tmp_path / "new.html").symlink_to("disk/new.html")
    write_atomic(tmp_path / "two.html", "after")
    write_atomic(tmp_path / "new.html", "new")
    assert (tmp_path / "one.html").is_symlink()
    assert (tmp_path / "two.html").is_symlink()
    assert (tmp_path / "disk" / "page.html").read_text() == "after"
    assert (tmp_path / "disk" / "new.html").read_text() == "new"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StorageError, match="symbolic links"):
        write_atomic(tmp_path / "loop", "")


def test_what_is_no_file_is_written_through(tmp_path: pathlib.Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    write_atomic(tmp_path / "null", "gone")
    write_atomic(pathlib.Path("/dev/null"), "gone")
    assert pathlib.Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "fifo")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "fifo").read_text()))
    reader.start()
    write_atomic(tmp_path / "fifo", "through")
    reader.join()
    assert read == ["through"]
    assert (tmp_path / "fifo").is_fifo()
    with pytest.raises(StorageError, match="No space left"):
        write_atomic(pathlib.Path("/dev/full"), "x")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_the_standard_output_by_its_name(name: str, machine: Machine, tmp_path: pathlib.Path) -> None:
    """Even where it is a regular file: that file is under another name, and others write to it, too."""
    out = tmp_path / "out"
    out.write_text("")
    before = [os.lstat(path).st_ino for path in ("/dev/stdout", "/dev/fd")]
    done = machine.run("explain", "relu", "--report", name, out=str(out))
    assert done.code == 0, done.err
    text = out.read_text()
    assert text.index("</html>") < text.index(f"report: {name}")
    assert [os.lstat(path).st_ino for path in ("/dev/stdout", "/dev/fd")] == before


def test_what_is_replaced_keeps_its_mode(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "secret.json"
    path.write_text("before")
    path.chmod(0o600)
    write_atomic(path, "after")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_is_as_before(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answer.json"
    path.write_text("before")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for where, what in ((os, "fsync"), (pathlib.Path, "replace")):
        with monkeypatch.context() as patched:
            patched.setattr(where, what, refuse)
            with pytest.raises(StorageError, match="the disk is failing"):
                write_atomic(path, "after")
        assert path.read_text() == "before"
        assert [one.name for one in tmp_path.iterdir()] == ["answer.json"]


def test_what_killed_processes_left_is_swept(tmp_path: pathlib.Path) -> None:
    gone = tmp_path / ".answer.json.4194304-00000000.part"  # beyond the largest number of a process
    mine = tmp_path / f".answer.json.{os.getpid()}-00000000.part"
    for path in (gone, mine):
        path.write_text("")
        os.utime(path, (0, 0))
    write_atomic(tmp_path / "answer.json", "whole")
    assert not gone.exists()
    assert mine.exists()


LOST = """
import sys
sys.argv = ["babysit", "fit"]
from babysit.cli import _app
class Dropped:
    def __del__(self):
        raise KeyboardInterrupt
def carried_out(_):
    Dropped()
    {}
_app._carried_out = carried_out
_app.main(["fit"])
"""


@pytest.mark.parametrize("then", ["raise TypeError('no type')", "import time; time.sleep(20)"])
def test_an_interrupt_that_a_library_drops_is_an_interrupt(then: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOST.format(then)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")
