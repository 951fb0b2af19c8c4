"""No byte of a script changes but where a patch changes it: over programs that are found on this machine."""

from __future__ import annotations

import itertools
import pathlib
import re
import sysconfig
from collections.abc import Iterator

import libcst as cst
import pytest

from babysit.record import Remedy
from babysit.remedies.source import Code, Edits, as_python
from babysit.scripts import Script
from babysit.scripts.patches import write_patched
from tests.scripts.conftest import PATIENTS

HOMES = [pathlib.Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")]
PUT_IN, NUMBER = "babysit_was_here()", "918273645091827"
AROUND = re.compile(rb"[ \t\f]*babysit_was_here\(\)(?:\r\n|\r|\n)|babysit_was_here\(\); |; babysit_was_here\(\)")


def programs(most: int, largest: int) -> Iterator[bytes]:
    """Files of Python, so many of them, from all over what is installed; the patients first."""
    found = sorted({path.resolve() for home in HOMES for path in home.rglob("*.py")})
    taken = [*sorted(PATIENTS.rglob("*.py")), *found[:: max(1, len(found) // (2 * most))]]
    for path in taken:
        content = path.read_bytes() if path.stat().st_size <= largest else b""
        try:
            as_python(content)
        except (SyntaxError, ValueError):
            continue
        if content:
            yield content


def goes_around(content: bytes) -> bool:
    """Read and write a program, unchanged and with edits that are then taken out again. Whether it had a number."""
    code = Code(content)
    assert code.content == content
    numbers = code.every(cst.Integer)
    simple = [*code.every(cst.Expr), *code.every(cst.Assign), *code.every(cst.Return), *code.every(cst.Pass)]
    edits = Edits(code)
    if numbers:
        edits.put(numbers[len(numbers) // 2], NUMBER)
    if simple:
        edits.before(simple[len(simple) // 3], PUT_IN)
        edits.after(simple[len(simple) // 2], PUT_IN)
    if not edits:
        return False
    changed = edits.made().code.content
    assert changed != content
    left = AROUND.sub(b"", changed)
    if numbers:
        left = left.replace(NUMBER.encode(), numbers[len(numbers) // 2].value.encode())
    assert left == content
    return bool(numbers)


def test_programs_of_this_machine() -> None:
    done = [goes_around(content) for content in itertools.islice(programs(240, 8_000), 240)]
    assert len(done) == 240
    assert sum(done) > 100


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_more_programs_of_this_machine() -> None:
    done = [goes_around(content) for content in itertools.islice(programs(2_000, 200_000), 2_000)]
    assert len(done) == 2_000


# What is unusual in a text, byte by byte. {} is the place of the training.
TRAINING = (
    "import torch\nnet = torch.nn.Linear(2, 1)\nopt = torch.optim.SGD(net.parameters(), lr=0.1)  # fast\n"
    "for x in data:\n    net(x).sum().backward()\n    opt.step()\n"
)
WINDOWS = TRAINING.replace("\n", "\r\n")
ODD: dict[str, bytes] = {
    "line ends of Windows": WINDOWS.encode(),
    "line ends of old Macs": TRAINING.replace("\n", "\r").encode(),
    "line ends of both kinds": WINDOWS.encode() + b"# one\n# two\r\n",
    "a byte order mark": b"\xef\xbb\xbf" + TRAINING.encode(),
    "both of Windows": b"\xef\xbb\xbf# n\xc3\xa4mlich\r\n" + WINDOWS.encode(),
    "a declared encoding": b"# -*- coding: latin-1 -*-\nname = 'gr\xf6\xdfer'\n" + TRAINING.encode(),
    "a declared encoding behind a shebang": b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = '\x80'\n"
    + TRAINING.encode(),
    "form feeds": b"x = 1\n\x0c\n" + TRAINING.encode() + b"\x0c\n# end\n",
    "tabs": TRAINING.replace("    ", "\t").encode(),
    "no end of the last line": TRAINING.rstrip("\n").encode(),
    "a comment without an end": TRAINING.encode() + b"# bye",
    "white space at the end": TRAINING.encode() + b"\n   \n\n    # deep\n  \t\n  ",
    "white space at line ends": TRAINING.replace(":\n", ":  \n").replace("1\n", "1 \t\n").encode(),
    "lines that go on": b"x = 1 + \\\n    2 ; y = [\n  3, # three\n\n  4\n  ]\n" + TRAINING.encode(),
    "old strings": b"a = u'x' r\"\\q\" '''\n\t'''\n" + TRAINING.encode(),
    "blanks that libcst loses": b"try:\n    x = 1\nexcept (ValueError, TypeError) :\n    pass\n"
    + b"try:\n    y = 1\nexcept(OSError) :\n    raise\n"
    + TRAINING.encode()
    + b"try:\n    pass\nexcept* (KeyError, OSError) :\n    pass\n\x0cx = 2\n",
    "odd spaces": b"x=1;y  =  2 ;\nf( x , * y )if(x)else[ 1 ,]\n" + TRAINING.encode(),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_texts(name: str, tmp_path: pathlib.Path) -> None:
    content = ODD[name]
    path, copy = tmp_path / "train.py", tmp_path / "copied.py"
    path.write_bytes(content)
    assert Code(content).content == content
    done = write_patched(Script(str(path)), [Remedy("lr", "0.025"), Remedy("clear-gradients")], copy)
    assert not done.applied
    written = copy.read_bytes()
    as_python(written)
    # Without the one value, the one line, and the mark at the end, it is the script.
    left = re.sub(rb"(?<=[\r\n])[ \t]*opt\.zero_grad\(\)(\r\n|\r|\n)", b"", written.replace(b"lr=0.025", b"lr=0.1"))
    left = left[: left.rindex(b"# babysit:")]
    assert left in (content, content + b"\n", content + b"\r\n")
    assert path.read_bytes() == content
