"""Whatever is read, the outcome is a value or one error of ours; bombs and lies are refused before they unpack."""

import ast
import contextlib
import io
import itertools
import json
import os
import pathlib
import re
import sqlite3
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from babysit.data import prepare
from babysit.record import (
    BabysitError,
    DataError,
    DataSection,
    Recipe,
    Row,
    Run,
    RunFolderError,
    Study,
    StudyResult,
    TraceStore,
    from_json,
    parse_recipe,
    printable,
    read_trace,
    with_settings,
)
from babysit.reports import render_page, render_study_page
from babysit.search import Space
from babysit.training import load
from tests.fire import hostile

ROOT = pathlib.Path(__file__).parents[2]
MANY = int(os.environ.get("BABYSIT_HOSTILE_INPUTS", "10000"))  # of each reader in the slow test
FEW = {"run": 4, "study": 4, "csv": 20, "images": 8, "parquet": 15, "trace": 15}  # in the gate; 60 of all others
SAMPLES = {
    "remedies": ["clip-norm=\x1b[31m"],
    "settings": ["optimizer.images" + "9" * 5000 + "\noverheadadam\nschedule.schema", "schedule.warm_up=" + "9" * 4400],
    "space": ["lr=1:2" * 1000, "l2=0:1 \n" + "lr=1:2" * 1000, "depth=0:99999999999999999999:integer", "depth=relu,tanh",
              "depth=1000000000,2", "lr=" + "[" * 5000],
    "recipe": ["seed = " + "9" * 5000, "x = " + "[" * 100_000, "[" * 5000, "a" + ".a" * 20_000 + " = 1"],
    "csv": ["1970-01-01T00:00:00Z|\x1b[31m|'2020-01-01'|1 %|a\x00|" + "1" * 5000, '"' * 5001, "a,b\n" + "," * 50_000],
}  # fmt: skip


@pytest.mark.parametrize("name", hostile.READERS)
def test_mutations_of_real_files(name: str, tmp_path: pathlib.Path) -> None:
    for seed in range(FEW.get(name, 60)):
        kind, fault = hostile.outcome_of(name, *hostile.input_of(name, seed), tmp_path)
        assert kind in ("value", "error"), f"seed {seed}: {fault}"


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name in SAMPLES for text in SAMPLES[name]], ids=itertools.count()
)
def test_samples(name: str, text: str, tmp_path: pathlib.Path) -> None:
    file = "a.toml" if name == "recipe" else "a.csv"
    kind, fault = hostile.outcome_of(name, file, text.encode(), tmp_path)
    assert kind == "error" or name == "csv", fault
    assert not fault


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("name", hostile.READERS)
def test_ten_thousand_mutations(name: str) -> None:
    command = [sys.executable, "-m", "tests.fire.hostile", name, "0", str(MANY)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    print(told)
    assert told["faults"] == 0, told["kinds"]


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.one_of(st.sampled_from(hostile.TOKENS), st.text(max_size=8))
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)


SECTIONS = ["seed", "data", "model", "optimizer", "split", "x"]


def quiet(read: Callable[[], object]) -> None:
    """A value, or an error of ours that a terminal can be given."""
    try:
        read()
    except BabysitError as error:
        said = str(error)
    else:
        return
    assert printable(said) == said


@QUICK
@given(content=st.dictionaries(st.sampled_from(SECTIONS), PLAIN, max_size=4))
def test_recipes_of_any_shape(content: dict[str, Any]) -> None:
    quiet(lambda: parse_recipe(json.dumps(content)))
    with contextlib.suppress(TypeError, AttributeError, ValueError):  # TOML has no word for None
        text = tomli_w.dumps(content)
        quiet(lambda: parse_recipe(text))


@QUICK
@given(names=st.lists(st.sampled_from(["lr", "dropout", "depth", "model.widths", "é"])), words=st.data())
def test_spaces_and_settings_of_any_shape(names: list[str], words: st.DataObject) -> None:
    texts = [f"{name}={words.draw(WORDS)}" for name in names]
    quiet(lambda: Space.parse(texts))
    quiet(lambda: with_settings(Recipe(), texts))


@QUICK
@given(content=PLAIN)
def test_results_of_any_shape(content: Any) -> None:
    with contextlib.suppress(ValueError, RecursionError):
        from_json(StudyResult, content)


def source(path: pathlib.Path) -> Any:
    return prepare(Recipe(data=DataSection(source=str(path))))


def npz_of(path: pathlib.Path, size: int) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (size // 8,)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x.npy", "y.npy"):
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(header.getvalue())
                for _ in range(size >> 22):
                    file.write(bytes(1 << 22))


def test_a_zip_bomb(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.data._npy.physical_memory", lambda: 1 << 27)
    npz_of(tmp_path / "bomb.npz", 1 << 26)
    assert (tmp_path / "bomb.npz").stat().st_size < 1 << 18
    with pytest.raises(DataError, match="half of this machine's memory"):
        source(tmp_path / "bomb.npz")


def test_a_zip_within_a_run(tmp_path: pathlib.Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name, content in hostile.of_folder("run").items():
        (run / name).write_bytes(content)
    npz_of(run / "split.npz", 1 << 26)
    with pytest.raises(RunFolderError, match="larger than it is"):
        Run(run).split  # noqa: B018, reading is what is tested


def png(width: int, height: int) -> bytes:
    """A picture whose header says a size, and whose few bytes unpack to nothing of the kind."""

    def part(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(bytes(1 << 20))) + part(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (20_000, 6_000), (0, 5)])
def test_an_image_bomb(size: tuple[int, int], tmp_path: pathlib.Path) -> None:
    for number in range(24):
        file = tmp_path / ("cat" if number % 2 else "dog") / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(hostile.picture("PNG"))
    (tmp_path / "cat" / "bomb.png").write_bytes(png(*size))
    prepared = source(tmp_path)
    assert len(prepared.inputs) == 24
    assert any("bomb.png" in note for note in prepared.summary.notes)


def lying(path: pathlib.Path, header: dict[str, Any], tail: bytes = bytes(64)) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + tail)


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 64]}},
        {"a": {"dtype": "F32", "shape": [16], "data_offsets": [0, 10**15]}},
        {"a": {"dtype": "F99", "shape": [16], "data_offsets": [0, 64]}},
        {"network.0.weight": {"dtype": "F64", "shape": [8], "data_offsets": [0, 64]}},
        {"__metadata__": {"schema": "1", "position": "[" * 5000, "optimizer": "{}"}},
        {"__metadata__": {"schema": "1", "position": "{}", "optimizer": "{}"}},
    ],
)
@pytest.mark.parametrize("name", ["weights.safetensors", "checkpoint.safetensors"])
def test_weights_whose_header_lies(name: str, header: dict[str, Any], tmp_path: pathlib.Path) -> None:
    lying(tmp_path / "made", header)
    kind, fault = hostile.outcome_of("run", name, (tmp_path / "made").read_bytes(), tmp_path)
    assert kind in ("value", "error"), fault


RUN_IS_READ: list[Callable[[pathlib.Path], object]] = [
    lambda folder: render_page(Run(folder)),
    lambda folder: Run(folder).split,
    load,
]
STUDY_IS_READ: list[Callable[[pathlib.Path], object]] = [
    lambda folder: render_study_page(Study(folder)),
    lambda folder: Study(folder).state(),
]


@pytest.mark.parametrize("name", ["run", "study"])
def test_something_else_in_the_place_of_each_file(name: str, tmp_path: pathlib.Path) -> None:
    kinds = itertools.cycle(["folder", "empty", "fifo", "loop", "device"])
    for file, kind in zip(hostile.of_folder(name), kinds, strict=False):
        folder = tmp_path / f"{file}-{kind}"
        folder.mkdir()
        for other, content in hostile.of_folder(name).items():
            (folder / other).write_bytes(content)
        path = folder / file
        path.unlink()
        match kind:
            case "folder":
                path.mkdir()
            case "empty":
                path.write_bytes(b"")
            case "fifo":
                os.mkfifo(path)
            case "loop":
                path.symlink_to(path)
            case _:
                path.symlink_to("/dev/zero")
        for read in RUN_IS_READ if name == "run" else STUDY_IS_READ:
            with hostile.limited_time(), contextlib.suppress(BabysitError):
                read(folder)


def test_a_database_of_another_program_is_left_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "app.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE customers (name TEXT)")
        database.execute("INSERT INTO customers VALUES ('Ada')")
        database.commit()
    before = path.read_bytes()
    with pytest.raises(RunFolderError, match="another program"):
        TraceStore(path)
    assert path.read_bytes() == before


def test_a_trace_that_was_edited(tmp_path: pathlib.Path) -> None:
    for statement in (
        "INSERT INTO points VALUES (1, 'first', 0.5)",
        "INSERT INTO points VALUES (1, 3, 'much')",
        "INSERT INTO histograms VALUES (1, 3, '[', '[]')",
        "INSERT INTO histograms VALUES (1, 3, '" + "[" * 20_000 + "', '[]')",
        """INSERT INTO layers VALUES (9, '["fc", 3]')""",
        "INSERT INTO events VALUES ('x', 'y', 'z', '')",
        "DROP TABLE points",
    ):
        path = tmp_path / f"{abs(hash(statement))}.sqlite"
        with TraceStore(path) as store:
            store.add([Row(0, "train", "", "loss", 1.0)])
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute(statement)
            database.commit()
        with pytest.raises(RunFolderError, match="damaged"):
            read_trace(path)


CALLED = ("compile", "match", "search", "sub", "fullmatch", "findall", "finditer", "split")
ATTACKS = "0|1,|9.| |\t|a|-|_|'|\"|,'|a-|unnamed|\r|=|1e|Conv|Backward|{a|0 |''".split("|")


def patterns() -> dict[str, str]:
    """Every regular expression that is written out in the code, by file; what is put into one stands as x."""
    found = {}
    for path in sorted((ROOT / "src/babysit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if node.func.attr in CALLED and isinstance(node.func.value, ast.Name) and node.func.value.id == "re":
                parts = node.args[0].values if isinstance(node.args[0], ast.JoinedStr) else [node.args[0]]
                texts = [part.value if isinstance(part, ast.Constant) else "x" for part in parts]
                if all(isinstance(text, str) for text in texts):
                    found[f"{path.parent.name}/{path.name}:{node.lineno}"] = "".join(map(str, texts))
    return found


@pytest.mark.parametrize(("place", "pattern"), patterns().items())
def test_no_regular_expression_takes_quadratic_time(place: str, pattern: str) -> None:
    """20,000 signs of a file of the user's are read within the seconds that an input may take.

    In quadratic time they take longer. Elsewhere, where names of layers and of operations are read, 3,000 are enough.
    """
    compiled = re.compile(pattern)
    signs = 20_000 if place.partition("/")[0] in ("data", "adapters") else 3_000
    for attack, tail in itertools.product(ATTACKS, ("", "!")):
        text = attack * (signs // len(attack)) + tail
        with hostile.limited_time():
            sum(1 for _ in compiled.finditer(text))
            compiled.fullmatch(text)


def test_all_patterns_are_found() -> None:
    assert len(patterns()) > 15
