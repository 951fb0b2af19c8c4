"""Scripts that destroy what they reach, and a sandbox in which they reach nothing of the user's."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import time

import pytest

from babysit.scripts._sandbox import available

SANDBOX = pathlib.Path(__file__).parents[2] / "src" / "babysit" / "scripts" / "_sandbox.py"
KIND = available()

# Each runs in a project folder that holds: notes.txt, data.bin (2 MB), log.txt, results.sqlite,
# checkpoints -> a folder on another disk, .cache/ and venv/ with a file each. HOME, DISK, PROJECT are absolute paths.
ZOO = {
    "overwrite": "open('notes.txt', 'w').write('x')",
    "append": "open('log.txt', 'a').write('x')",
    "truncate": "os.truncate('data.bin', 3)",
    "ftruncate": "f = open('data.bin', 'r+b'); f.truncate(1); f.close()",
    "delete": "os.remove('notes.txt')",
    "rename": "os.rename('notes.txt', 'gone.txt')",
    "replace": "open('new', 'w').write('x'); os.replace('new', 'notes.txt')",
    "rmtree": "shutil.rmtree(PROJECT, ignore_errors=True)",
    "rmtree-link": "shutil.rmtree(os.path.realpath('checkpoints'), ignore_errors=True)",
    "keep-last-two": "[os.remove(p) for p in sorted(glob.glob('checkpoints/*.pt'))[:-2]]",
    "best-atomically": "os.chdir('checkpoints'); open('tmp', 'wb').write(b'x'); os.replace('tmp', 'best.pt')",
    "through-a-link": "open('checkpoints/best.pt', 'wb').write(b'x')",
    "resolved": "(pathlib.Path('checkpoints').resolve() / 'best.pt').write_bytes(b'x')",
    "absolute": "open(PROJECT + '/notes.txt', 'w').write('x')",
    "parent": "open('../outside.txt', 'w').write('x')",
    "home": "open(os.path.expanduser('~/.profile'), 'w').write('x')",
    "home-new": "open(os.path.expanduser('~/new'), 'w').write('x')",
    "disk-by-environment": "open(os.environ['DISK'] + '/checkpoint-1.pt', 'w').write('x')",
    "hidden": "open('.cache/features.bin', 'wb').write(b'x')",
    "venv": "open('venv/pip.cfg', 'w').write('x')",
    "symlink-out": "os.symlink(DISK, 'out'); open('out/best.pt', 'w').write('x')",
    "symlink-over": "os.remove('checkpoints'); os.symlink(HOME, 'checkpoints'); open('checkpoints/.profile', 'w')",
    "hard-link": "os.link('notes.txt', 'same.txt'); open('same.txt', 'a').write('x')",
    "chmod": "os.chmod('notes.txt', 0o600)",
    "chmod-folder": "os.chmod(DISK, 0o500)",
    "utime": "os.utime('notes.txt', (1, 1))",
    "mkdir": "os.makedirs(HOME + '/a/b')",
    "rmdir": "shutil.rmtree('.cache')",
    "copy-over": "shutil.copy('data.bin', 'notes.txt')",
    "move": "shutil.move('data.bin', HOME + '/data.bin')",
    "rename-folder": "os.rename('.cache', 'cache')",
    "sqlite": "c = sqlite3.connect('results.sqlite'); c.execute('delete from runs'); c.commit(); c.close()",
    "sqlite-uri": "c = sqlite3.connect('file:' + PROJECT + '/results.sqlite?mode=rw', uri=True); "
    "c.execute('drop table runs'); c.commit()",
    "sqlite-attach": "c = sqlite3.connect(':memory:'); c.execute(\"attach 'results.sqlite' as r\"); "
    "c.execute('delete from r.runs'); c.commit()",
    "memmap": "m = mmap.mmap(os.open('data.bin', os.O_RDWR), 0); m[:5] = b'xxxxx'; m.flush()",
    "numpy-memmap": "import numpy; m = numpy.memmap('data.bin', mode='r+'); m[:] = 0; m.flush()",
    "shell-rm": "subprocess.run('rm -rf */ notes.txt', shell=True)",
    "shell-append": "subprocess.run('echo x >> log.txt', shell=True)",
    "shell-cp": "subprocess.run(['cp', 'data.bin', 'notes.txt'])",
    "shell-truncate": "subprocess.run(['truncate', '-s', '0', 'data.bin'])",
    "shell-chmod": "subprocess.run(['chmod', '000', 'notes.txt'])",
    "shell-touch": "subprocess.run(['touch', '-d', '2001-01-01', 'notes.txt'])",
    "find-delete": "subprocess.run('find -L . -type f -delete', shell=True)",
    "python-child": "subprocess.run([sys.executable, '-c', \"open('notes.txt', 'w')\"])",
    "thread": "t = threading.Thread(target=lambda: os.remove('notes.txt')); t.start(); t.join()",
    "fork": "pid = os.fork()\nif pid == 0:\n    os.remove('notes.txt')\n    os._exit(0)\nos.waitpid(pid, 0)",
    "daemon": "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(0.3)\n"
    "        os.remove(PROJECT + '/notes.txt')\n    os._exit(0)\ntime.sleep(0.6)",
    "ctypes": "ctypes.CDLL(None).unlink(b'notes.txt')",
    "ctypes-open": "l = ctypes.CDLL(None); f = l.open(b'notes.txt', 1 | 512); l.write(f, b'x', 1)",
    "openat": "d = os.open('.', os.O_RDONLY); f = os.open('notes.txt', os.O_WRONLY | os.O_TRUNC, dir_fd=d)",
    "unlink-at": "d = os.open(DISK, os.O_RDONLY); os.unlink('best.pt', dir_fd=d)",
    "extended-attribute": "os.setxattr('notes.txt', 'user.x', b'1')",
    "at-exit": "import atexit; atexit.register(lambda: os.remove('notes.txt'))",
    "at-signal": "import signal; signal.signal(signal.SIGTERM, lambda *_: os.remove('notes.txt')); "
    "os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.1)",
    "temp": "open(tempfile.gettempdir() + '/left-by-a-rehearsal', 'w').write('x')",
    "shared-memory": "open('/dev/shm/left-by-a-rehearsal', 'w').write('x')",
    "proc-self-root": "open('/proc/self/root' + PROJECT + '/notes.txt', 'w').write('x')",
    "proc-self-cwd": "open('/proc/self/cwd/notes.txt', 'w').write('x')",
    "dot-dot": "os.chdir('/'); open('../../..' + PROJECT + '/notes.txt', 'w').write('x')",
    "chdir": "os.chdir(HOME); open('.profile', 'a').write('x')",
    "zip": "shutil.make_archive('log', 'zip', '.cache'); shutil.unpack_archive('log.zip', DISK)",
}
PROLOGUE = "import ctypes, glob, mmap, os, pathlib, shutil, sqlite3, subprocess, sys, tempfile, threading, time\n"
# Permissions and times, changed by other programs or by C code: Landlock has no rule for them, and the docs say so.
BEYOND_LANDLOCK = {"shell-chmod", "shell-touch"}


@pytest.fixture
def world(tmp_path: pathlib.Path) -> pathlib.Path:
    project, home, disk = tmp_path / "project", tmp_path / "home", tmp_path / "disk"
    for folder in (project / ".cache", project / "venv", home, disk):
        folder.mkdir(parents=True)
    (project / "notes.txt").write_text("notes\n")
    (project / "log.txt").write_text("one line\n")
    (project / "data.bin").write_bytes(bytes(range(256)) * 8192)
    (project / ".cache" / "features.bin").write_bytes(b"features")
    (project / "venv" / "pip.cfg").write_text("[global]\n")
    with contextlib.closing(sqlite3.connect(project / "results.sqlite")) as results:
        results.execute("create table runs (x)")
        results.execute("insert into runs values (1)")
        results.commit()
    (home / ".profile").write_text("export A=1\n")
    for name in ("checkpoint-1.pt", "checkpoint-2.pt", "checkpoint-3.pt", "best.pt"):
        (disk / name).write_bytes(name.encode() * 100)
    (project / "checkpoints").symlink_to(disk)
    return tmp_path


def fingerprint(folder: pathlib.Path) -> dict[str, str]:
    """Everything below: kind, permissions, time, content."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        if path.name == "script.py" or path.parent.name == "scratch":
            continue
        facts = path.lstat()
        content = b""
        if stat.S_ISLNK(facts.st_mode):
            content = os.readlink(path).encode()
        elif path.is_file():
            content = path.read_bytes()
        when = facts.st_mtime_ns if path.is_file() else 0
        attributes = os.listxattr(path, follow_symlinks=False)
        digest = hashlib.sha256(content).hexdigest()[:12]
        found[str(path)] = f"{oct(facts.st_mode)} {when} {attributes} {digest}"
    return found


def sandboxed(
    world: pathlib.Path,
    code: str,
    enter: str,
    *,
    user: int | None = None,
    looking_at: pathlib.Path | None = None,
    kill: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, which first enters the sandbox.

    Args:
        looking_at: A file that must not be written any more once all is over.
        kill: The process, as soon as that file is there.
    """
    project, scratch = world / "project", pathlib.Path(f"{world}-scratch")
    scratch.mkdir(exist_ok=True)
    names = f"PROJECT, HOME, DISK = {str(project)!r}, {str(world / 'home')!r}, {str(world / 'disk')!r}\n"
    start = textwrap.dedent(f"""
        import importlib.util, pathlib, sys
        spec = importlib.util.spec_from_file_location("sandbox", {str(SANDBOX)!r})
        sandbox = sys.modules["sandbox"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sandbox)
        scratch = pathlib.Path({str(scratch)!r})
        {enter}
    """)
    script = pathlib.Path(f"{world}-script.py")
    script.write_text(start + PROLOGUE + names + code)
    environment = {**os.environ, "HOME": str(world / "home"), "DISK": str(world / "disk")}
    command = [sys.executable, str(script)]
    if user is not None:
        setpriv = shutil.which("setpriv")
        assert setpriv is not None
        command = [setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups", "/usr/bin/python3", str(script)]
    try:
        process = subprocess.Popen(
            command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while kill and looking_at is not None and not looking_at.exists():
            time.sleep(0.01)
        if kill:
            process.kill()
        output, errors = process.communicate(timeout=60)
        if looking_at is not None:
            time.sleep(0.1)  # the kernel ends them, which is not at once
            last = looking_at.read_text()
            time.sleep(0.2)
            assert looking_at.read_text() == last
        return subprocess.CompletedProcess(command, process.returncode, output, errors)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        script.unlink()


OVERLAY = "sandbox.enter_overlay(scratch, scratch); sandbox.with_all_that_it_starts()"
LANDLOCK = "sandbox.enter_landlock([scratch]); sandbox.refuse_in_python([scratch])"
needs_overlay = pytest.mark.skipif(KIND != "overlay", reason="this system allows no mount namespace with an overlay")
needs_linux = pytest.mark.skipif(KIND == "none", reason="neither overlays nor Landlock here")


@needs_overlay
@pytest.mark.parametrize("name", ZOO)
def test_an_overlay_lets_the_script_do_as_it_likes_and_nothing_of_it_stays(world: pathlib.Path, name: str) -> None:
    before = fingerprint(world)
    done = sandboxed(world, ZOO[name], OVERLAY)
    assert fingerprint(world) == before
    assert not pathlib.Path("/dev/shm/left-by-a-rehearsal").exists()
    assert not pathlib.Path("/tmp/left-by-a-rehearsal").exists()
    assert done.returncode == 0, done.stderr  # and the script itself had no cause to complain


@needs_linux
@pytest.mark.parametrize("name", sorted(set(ZOO) - BEYOND_LANDLOCK - {"temp", "shared-memory"}))
def test_landlock_refuses_what_an_overlay_would_swallow(world: pathlib.Path, name: str) -> None:
    before = fingerprint(world)
    sandboxed(world, ZOO[name], LANDLOCK)
    assert fingerprint(world) == before


@needs_overlay
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="root alone can become somebody else")
@pytest.mark.parametrize(
    "name", ["overwrite", "rmtree", "best-atomically", "home", "rename-folder", "shell-rm", "sqlite"]
)
def test_somebody_who_is_not_root_is_held_by_a_user_namespace(world: pathlib.Path, name: str) -> None:
    if not pathlib.Path("/usr/bin/python3").exists():
        pytest.skip("no Python outside root's home")
    user = 4321
    top = world
    while top != pathlib.Path(top.anchor) and top.name.startswith(("pytest-", "test_", "popen-", world.name)):
        os.chmod(top, 0o755)
        top = top.parent
    subprocess.run(["chown", "-R", f"{user}:{user}", str(world)], check=True)
    reach = f"{world}-sandbox.py"
    shutil.copy(SANDBOX, reach)
    os.chmod(reach, 0o644)
    scratch = pathlib.Path(f"{world}-scratch")
    scratch.mkdir()
    os.chown(scratch, user, user)
    before = fingerprint(world)
    enter = f"sandbox.enter_overlay(scratch, scratch, places=[pathlib.Path({str(world)!r})])"
    done = sandboxed(
        world, ZOO[name].replace("os.rename(", "shutil.move("), f"{enter}; sandbox.with_all_that_it_starts()", user=user
    )
    os.unlink(reach)
    assert fingerprint(world) == before
    assert done.returncode == 0, done.stderr


@needs_overlay
def test_what_is_written_in_an_overlay_is_there_for_the_script_and_for_those_it_starts(world: pathlib.Path) -> None:
    code = """
    open('notes.txt', 'w').write('mine')
    assert open('notes.txt').read() == 'mine'
    assert subprocess.run(['cat', 'notes.txt'], capture_output=True, text=True).stdout == 'mine'
    os.rename('.cache', 'cache')
    assert os.listdir('cache') == ['features.bin']
    assert os.getcwd() == PROJECT
    assert open('../home/.profile').read() == 'export A=1\\n'
    (scratch / 'answer').write_text('kept')
    print((scratch / 'answer').read_text())
    """
    done = sandboxed(world, textwrap.dedent(code), OVERLAY)
    assert (done.returncode, done.stdout) == (0, "kept\n"), done.stderr


@needs_overlay
def test_what_is_left_in_the_shared_folder_reaches_the_machine(tmp_path: pathlib.Path) -> None:
    code = f"""
        import importlib.util, pathlib, sys
        spec = importlib.util.spec_from_file_location("sandbox", {str(SANDBOX)!r})
        sandbox = sys.modules["sandbox"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sandbox)
        sandbox.enter_overlay(*[pathlib.Path({str(tmp_path)!r})] * 2)
        pathlib.Path({str(tmp_path)!r}, "answer").write_text("42")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    assert (tmp_path / "answer").read_text() == "42"


NETWORK = """
import socket
outside = socket.socket()
outside.settimeout(2)
try:
    outside.connect(("192.0.2.1", 80))  # an address of no machine (RFC 5737)
    print("connected")
except OSError as error:
    print(type(error).__name__, error.errno)
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
inside = socket.create_connection(server.getsockname())
inside.send(b"x")
print(server.accept()[0].recv(1))
"""


@needs_overlay
def test_there_is_no_network_but_loopback(world: pathlib.Path) -> None:
    done = sandboxed(world, NETWORK, OVERLAY)
    assert done.stdout == f"OSError {errno.ENETUNREACH}\nb'x'\n", done.stderr


@needs_linux
def test_python_refuses_connections_where_landlock_holds_the_files(world: pathlib.Path) -> None:
    done = sandboxed(world, NETWORK, LANDLOCK)
    assert done.stdout == f"ConnectionRefusedError {errno.ECONNREFUSED}\nb'x'\n", done.stderr


def test_a_machine_without_either_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert available.__wrapped__() == "none"


def test_trying_leaves_no_process_and_no_folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    available.__wrapped__()
    assert list(tmp_path.iterdir()) == []
    with contextlib.suppress(ChildProcessError):
        assert os.waitpid(-1, os.WNOHANG) == (0, 0)


DAEMON = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            (scratch / "alive").write_text(str(time.monotonic()))
            time.sleep(0.02)
    os._exit(0)
while not (scratch / "alive").exists():
    time.sleep(0.01)
"""


@needs_overlay
@pytest.mark.parametrize(
    ("ending", "code"),
    [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -9), ("os.abort()", -6), ("raise ValueError", 1), ("pass", 0)],
)
def test_a_script_ends_as_it_does_and_takes_its_daemons_along(world: pathlib.Path, ending: str, code: int) -> None:
    alive = pathlib.Path(f"{world}-scratch") / "alive"
    done = sandboxed(world, f"{DAEMON}\n{ending}\n", OVERLAY, looking_at=alive)
    assert done.returncode == code, done.stderr


@needs_overlay
def test_a_script_sees_processes_of_its_own(world: pathlib.Path) -> None:
    code = "print(os.getpid(), os.readlink('/proc/self'), len([n for n in os.listdir('/proc') if n.isdigit()]))"
    assert sandboxed(world, code, OVERLAY).stdout == "2 2 2\n"


@needs_overlay
def test_killed_from_outside_nothing_goes_on(world: pathlib.Path) -> None:
    alive = pathlib.Path(f"{world}-scratch") / "alive"
    done = sandboxed(world, f"{DAEMON}\ntime.sleep(60)\n", OVERLAY, looking_at=alive, kill=True)
    assert done.returncode == -9
