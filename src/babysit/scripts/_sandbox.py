"""A sandbox for rehearsals: whatever a script writes, deletes or renames, the user's files stay as they are.

On Linux the kernel does it, by one of two ways. Both hold for everything in the process, native code and the programs
that the script starts included:

    overlay     The process gets a view of the file system of its own (a mount namespace). Every folder in it is an
                overlay: files are read from the machine, and what is written goes to a scratch folder that is thrown
                away. Writes seem to succeed, paths are the user's own. Root may do this; others may where the
                system allows user namespaces to everybody.
    landlock    Writing outside the scratch folder is refused by the kernel ("Permission denied"). The script runs in a
                copy of its folder. Permissions and times of files are guarded within Python only: Landlock has no rule
                for them.

The network is a namespace of its own in the first way, with nothing in it but loopback. In the second, connections
are refused by Python's audit events alone, so that programs which the script starts are not held.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import pathlib
import platform
import resource
import shutil
import signal
import socket
import stat
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn

Kind = Literal["overlay", "landlock", "none"]

# <linux/sched.h> and <sys/mount.h>; Python names them from 3.12 on.
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
MNT_DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
# What is not a place to keep files: these are shown as they are.
PSEUDO = frozenset(
    "proc sysfs devtmpfs devpts cgroup cgroup2 mqueue debugfs tracefs securityfs bpf pstore configfs fusectl "
    "binfmt_misc hugetlbfs efivarfs nsfs autofs rpc_pipefs selinuxfs".split()
)
SHOWN_AS_THEY_ARE = ("/proc", "/sys", "/dev")
HARMLESS = "/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/shm /dev/pts /proc/self".split()
# Landlock's write accesses by the version of its interface that brought them (linux/landlock.h); reading stays free.
LANDLOCK_WRITES = {1: sum(1 << bit for bit in (1, 4, 5, 6, 7, 8, 9, 10, 11, 12)), 2: 1 << 13, 3: 1 << 14}
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # numbers of the system calls on every machine
# Services that log or load over the network, told by their own variables that there is none.
OFFLINE = {
    "COMET_MODE": "disabled",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "NEPTUNE_MODE": "offline",
    "TRANSFORMERS_OFFLINE": "1",
    "WANDB_MODE": "offline",
}
NO_PROTECTION = (
    "this system cannot keep a script's rehearsals away from your files: it has neither mount namespaces with overlays"
    " nor Landlock"
)
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


@dataclass(frozen=True)
class Protection:
    """What holds a rehearsal.

    Attributes:
        kind: How.
        readonly: Folders that could not be overlaid, and are read-only instead.
        network: Whether it reaches anything beyond loopback.
    """

    kind: Kind
    readonly: tuple[str, ...] = ()
    network: bool = False


class _Mount(NamedTuple):
    path: str
    type: str
    options: frozenset[str]


def enter_overlay(
    folder: str | pathlib.Path,
    shared: str | pathlib.Path,
    *,
    places: Sequence[pathlib.Path] = (),
    network: bool = False,
) -> Protection:
    """Give this process, and all that it starts, a view of the file system that can be written without harm.

    Args:
        folder: An existing folder, best on a disk, for what is written. It is of no use afterwards.
        shared: The one folder that stays what it is on both sides, to leave answers in. It may hold `folder`.
        places: Folders that the script may want to write to. Only root needs them to be named: in a user namespace a
            file can be changed only if it and all folders from the overlay down to it belong to the user, so that each
            of these gets an overlay of its own, as far up as the user owns the folders. Anywhere else writing fails.
        network: Leave the network as it is.

    Returns:
        What holds now. The process cannot go back.

    Raises:
        OSError: The system does not allow it. The process has to end or to go on with less: parts may be done.
    """
    uid, gid, where = os.geteuid(), os.getegid(), os.getcwd()
    layers, shared = pathlib.Path(os.path.realpath(folder)), os.path.realpath(shared)
    root = layers / "root"
    root.mkdir()
    flags = CLONE_NEWNS | CLONE_NEWPID | (0 if network else CLONE_NEWNET)
    owner = _unshared(flags, uid, gid)
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _mount("babysit", str(root), "tmpfs", 0, "mode=755")
    named = () if owner else sorted({_owned(os.path.realpath(one), uid, gid) for one in places} - {""})
    readonly = tuple(_overlay_everything(layers, root, "" if owner else ",userxattr", named))
    _bind(shared, f"{root}{shared}")
    _pivot(root)
    try:
        os.chdir(where)
    except OSError:
        os.chdir("/")
    if not network:
        _loopback_up()
    return Protection("overlay", readonly, network)


def with_all_that_it_starts() -> None:
    """Go on in a new process; when it ends, all that it has started ends, too, daemons included.

    To be called once, behind `enter_overlay`. This process only waits, ends as the new one does, and takes all of them
    along when it is killed itself, or its parent ends.
    """
    told, tells = os.pipe()
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    first = os.fork()
    if first != 0:
        os.close(tells)
        with open(told, "rb") as answer:
            status = answer.read()
        os.waitpid(first, 0)
        _end_as(int(status or str(int(signal.SIGKILL))))
    # The first process of a namespace of processes: the kernel ends all others in it when this one ends.
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.close(told)
    with contextlib.suppress(OSError):  # where parts of /proc are hidden the machine's own is what there is
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    script = os.fork()
    if script == 0:
        os.close(tells)
        return
    ended = 0
    while ended != script:
        ended, code = os.wait()
    os.write(tells, str(code).encode())
    os._exit(0)


def _end_as(status: int) -> NoReturn:
    """End as a child did whose status `wait` told."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), number)
        time.sleep(1.0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _unshared(flags: int, uid: int, gid: int) -> bool:
    """Leave the namespaces of the machine. Returns whether this is done with root's own rights."""
    if uid == 0:
        try:
            _call("unshare", flags)
            return True
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
    _call("unshare", flags | CLONE_NEWUSER)
    # Everybody keeps the number that they have, so that a script sees the owner that it knows.
    pathlib.Path("/proc/self/setgroups").write_text("deny")
    pathlib.Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    pathlib.Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    return False


def _owned(path: str, uid: int, gid: int) -> str:
    """The highest folder above a path from which on everything belongs to one user and group; "" where not even it."""
    found = ""
    while path != os.sep:
        with contextlib.suppress(FileNotFoundError):
            facts = os.stat(path)
            if (facts.st_uid, facts.st_gid) != (uid, gid):
                break
            found = path if stat.S_ISDIR(facts.st_mode) else found
        path = os.path.dirname(path)
    return found


def _overlay_everything(folder: pathlib.Path, root: pathlib.Path, options: str, named: Sequence[str]) -> Iterator[str]:
    """Fill the new root; yields the folders that are read-only in it."""
    mounts = [one for one in _mounts() if not _within(one.path, (*SHOWN_AS_THEY_ARE, str(folder)))]
    places = []
    for entry in sorted(os.scandir("/"), key=lambda one: one.name):
        goal = root / entry.name
        if entry.is_symlink():
            goal.symlink_to(os.readlink(entry.path))
        elif not entry.is_dir():
            goal.touch()
            _bind(entry.path, str(goal), readonly=True)
        else:
            goal.mkdir(mode=stat.S_IMODE(entry.stat().st_mode))
            if entry.path in SHOWN_AS_THEY_ARE:
                _bind(entry.path, str(goal))
            else:
                places.append(_Mount(entry.path, "", frozenset()))
    whole = {one.path for one in places}
    places += [one for one in mounts if one.path != "/" and one.path not in whole]
    places += [_Mount(path, "", frozenset()) for path in named if path not in {one.path for one in places}]
    for number, place in enumerate(sorted(places, key=lambda one: one.path.count("/"))):
        goal = pathlib.Path(f"{root}{place.path}")
        if place.type in PSEUDO:
            with contextlib.suppress(OSError):
                _bind(place.path, str(goal))
        elif goal.is_dir():
            if not _overlaid(place.path, goal, folder, number, options):
                _bind(place.path, str(goal), readonly=True)
                yield place.path
        elif goal.exists():
            _bind(place.path, str(goal), readonly=True)
    _mount("babysit", f"{root}/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")


def _overlaid(path: str, goal: pathlib.Path, folder: pathlib.Path, number: int, options: str) -> bool:
    """Lay an overlay over a folder: what is written goes to the disk where that can be, else to memory.

    A folder cannot take in what is written over itself or over a folder that holds it.
    """
    redirects = ",redirect_dir=on" if not options else ""  # folders can be renamed; root's overlays alone may
    for memory in [True] if _within(str(folder), (path,)) else [False, True]:
        layers = folder / ("memory" if memory else "disk") / str(number)
        with contextlib.suppress(OSError):
            if memory and not os.path.ismount(layers.parent):
                layers.parent.mkdir(exist_ok=True)
                _mount("babysit", str(layers.parent), "tmpfs", 0, "mode=755")
            (layers / "upper").mkdir(parents=True, exist_ok=True)
            (layers / "work").mkdir(exist_ok=True)
            shutil.copystat(path, layers / "upper")
            shown = f"lowerdir={_escaped(path)},upperdir={layers}/upper,workdir={layers}/work"
            for more in dict.fromkeys((redirects, "")):
                with contextlib.suppress(OSError):
                    _mount("overlay", str(goal), "overlay", 0, f"{shown}{options}{more}")
                    return True
    return False


def _pivot(root: pathlib.Path) -> None:
    """Make `root` this process's root, and take the old one out of sight."""
    old = root / ".babysit"
    old.mkdir()
    number = PIVOT_ROOT.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"pivot_root has no known number on {platform.machine()}")
    _call("syscall", number, os.fsencode(root), os.fsencode(old))
    os.chdir("/")
    _call("umount2", b"/.babysit", MNT_DETACH)
    os.rmdir("/.babysit")


def _loopback_up() -> None:
    """Bring the loopback interface of a new network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        up_and_running = 0x1 | 0x40
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", up_and_running))  # SIOCSIFFLAGS


def _mounts() -> list[_Mount]:
    """What is mounted, each place once: what was mounted there last hides the others (proc(5))."""
    found: dict[str, _Mount] = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        path = fields[4].encode("latin-1", "surrogateescape").decode("unicode_escape", "surrogateescape")
        path = os.fsdecode(path.encode("latin-1", "surrogateescape"))
        found[path] = _Mount(path, after.split(" ")[0], frozenset(fields[5].split(",")))
    return list(found.values())


def _bind(source: str, goal: str, *, readonly: bool = False) -> None:
    _mount(source, goal, None, MS_BIND | MS_REC)  # what is mounted below must come along in a user namespace
    if readonly:
        held = {"nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC}
        mine = max((one for one in _mounts() if _within(source, (one.path,))), key=lambda one: len(one.path))
        kept = sum(flag for name, flag in held.items() if name in mine.options)
        _mount(None, goal, None, MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def protection_line(kind: Kind, *, network: bool) -> str:
    """How rehearsals are held, in a line for the reader.

    Example:
        >>> protection_line("none", network=False)
        'protection: none, as --unprotected asks: what the runs wrote outside a copy of the folder stays'
    """
    reach = "the network as it is" if network else "no network beyond loopback"
    if kind == "overlay":
        return f"protection: an overlay of the file system: all that the runs wrote is gone; {reach}"
    if kind == "landlock":
        return (
            "protection: Landlock: writing outside a scratch folder was refused; permissions, times and the network are"
            f" guarded within Python alone ({reach})"
        )
    return "protection: none, as --unprotected asks: what the runs wrote outside a copy of the folder stays"


def enter_copy(scratch: pathlib.Path, kept: pathlib.Path, *, network: bool) -> None:
    """Let this process, and all that it starts, write below `kept` alone, temporary files included."""
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch / "tmp")
    os.mkdir(tempfile.tempdir)
    enter_landlock([kept])
    refuse_in_python([kept], network=network)


def enter_landlock(writable: Sequence[pathlib.Path]) -> Protection:
    """Let this process, and all that it starts, write below some folders alone.

    Args:
        writable: Existing folders or files; devices that harm nobody are writable, too.

    Raises:
        OSError: The kernel has no Landlock (Linux 5.13), or it is switched off.
    """
    version = _call("syscall", LANDLOCK_CREATE, None, 0, 1)
    accesses = sum(bits for since, bits in LANDLOCK_WRITES.items() if since <= version)
    handled = struct.pack("Q", accesses)
    rules = _call("syscall", LANDLOCK_CREATE, handled, ctypes.c_size_t(len(handled)), 0)
    devices = [
        pathlib.Path("/dev") / name for name in ("null", "zero", "full", "random", "urandom", "tty", "shm", "pts")
    ]
    for path in [*writable, *devices, pathlib.Path("/proc/self")]:
        with contextlib.suppress(FileNotFoundError):
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                of_files = 1 << 1 | 1 << 14  # write, truncate: all that a rule on a file may allow
                allowed = accesses if path.is_dir() else accesses & of_files
                rule = struct.pack("=Qi", allowed, opened)
                _call("syscall", LANDLOCK_ADD, rules, 1, rule, 0)
            finally:
                os.close(opened)
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("syscall", LANDLOCK_RESTRICT, rules, 0)
    os.close(rules)
    return Protection("landlock")


def refuse_in_python(writable: Sequence[pathlib.Path], *, network: bool = False) -> None:
    """Refuse, in this process and by Python's audit events, what Landlock has no rule for. It stays until the end.

    Args:
        writable: Folders whose files' permissions, owners and times may be changed.
        network: Let connections go anywhere.
    """
    allowed = tuple(os.path.realpath(one) for one in writable)

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.chmod", "os.chown", "os.utime", "os.setxattr", "os.removexattr", "os.chflags"):
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                real = os.path.realpath(os.fsdecode(path))
                if not _within(real, (*allowed, "/dev", "/proc")):
                    raise PermissionError(errno.EACCES, "a rehearsal may not change files outside its folder", real)
        elif event == "socket.connect" and not network:
            address = arguments[1]
            if isinstance(address, tuple) and not _is_loopback(str(address[0])):
                raise ConnectionRefusedError(errno.ECONNREFUSED, "a rehearsal has no network; --network gives it one")

    sys.addaudithook(look)


@functools.cache
def available() -> Kind:
    """How rehearsals can be held on this machine, found by trying it in a process that ends at once."""
    if not hasattr(os, "fork") or not sys.platform.startswith("linux"):
        return "none"
    with tempfile.TemporaryDirectory(prefix="babysit-", ignore_cleanup_errors=True) as folder:
        if _works(lambda: enter_overlay(pathlib.Path(folder), pathlib.Path(folder))):
            return "overlay"
    return "landlock" if _works(lambda: enter_landlock([])) else "none"


def _works(attempt: Callable[[], object]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            attempt()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def places_of(folder: str) -> list[pathlib.Path]:
    """Where a script may want to write: its folder, behind links in it, at home, among temporary files."""
    found = [folder, os.path.expanduser("~"), tempfile.gettempdir()]
    with contextlib.suppress(OSError):
        found += [entry.path for entry in os.scandir(folder) if entry.is_symlink() and entry.is_dir()]
    return [pathlib.Path(one) for one in found]


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1", "") or host.startswith("127.")


def _within(path: str, folders: Sequence[str]) -> bool:
    return any(path == one or path.startswith(one.rstrip("/") + "/") for one in folders)


def _escaped(path: str) -> str:
    """A path as overlay's options take it: a colon parts folders there, a comma options."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _mount(source: str | None, goal: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [None if one is None else os.fsencode(one) for one in (source, goal, kind, options)]
    _call("mount", encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])


def _call(name: str, *arguments: Any) -> int:
    """Call the C library.

    Raises:
        OSError: As errno says.
    """
    library = ctypes.CDLL(None, use_errno=True)
    result = int(getattr(library, name)(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
