"""Hostile inputs for every reader: real ones mutated, from a seed; and processes with limits in which they are read.

Every outcome has to be a value or one `BabysitError`, within ten seconds of computing and a gigabyte of memory.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from babysit.api import diagnose, fit, resume, tune
from babysit.data import prepare
from babysit.record import (
    BabysitError,
    DataSection,
    Recipe,
    Remedy,
    Run,
    Study,
    load_recipe,
    recipe_to_toml,
    with_settings,
)
from babysit.rehearsal import KINDS
from babysit.remedies import applied_to_script
from babysit.reports import render_page, render_study_page
from babysit.search import Space, space_for
from babysit.training import decide, load

SECONDS, MEMORY = 10.0, 1 << 30  # of computing, and beyond what a process holds at its beginning, for one input
TOKENS = [
    "nan", "inf", "-inf", "1e999", "-1", "0", "1e-400", "9" * 400, "9" * 5000, "\x00", "\x1b[31m", "\x1b]0;t\x07",
    "\u202e", "<script>alert(1)</script>", "é", "\ud7ff", "\U0001f600", "[" * 3000, "{" * 3000, "(" * 200, '"', "'",
    "\\", "\n", "\r", "=", "==", ":", ",", ";", "\t", "#", "..", "true", "null", "[]", "{}", "a" * 3000, "1:2",
    "lr=1:2" * 400, ":log", " if ", "${HOME}", "../../etc/passwd", "%s%n", "1970-01-01", "0x10", "1_000",
    "\u0661\u0662", "1,5", "+", "e", "-" * 2000, " " * 3000,
]  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """One kind of input.

    Attributes:
        files: Real ones, by name.
        read: Reads one that lies in a folder.
        text: Whether it is text, so that words are put into it.
    """

    files: dict[str, bytes]
    read: Callable[[pathlib.Path], object]
    text: bool = False


def mutated(content: bytes, other: bytes, draw: random.Random) -> bytes:
    """A real file, changed in some places."""
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 8])):
        place = draw.randrange(len(changed) + 1)
        length = draw.choice([1, 1, 2, 4, 8, 64, 1024])
        match draw.randrange(9):
            case 0 if changed:
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            case 1 if changed:
                changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
            case 2:
                del changed[place : place + length]
            case 3:
                changed[place:place] = changed[place : place + length] * draw.choice([1, 2, 50])
            case 4:
                del changed[place:]
            case 5:
                start = draw.randrange(len(other) + 1)
                changed[place : place + length] = other[start : start + length]
            case 6:
                changed[place : place + length] = draw.choice([b"\xff", b"\x00", b"\x7f", b"\x80"]) * length
            case 7:
                extreme = draw.choice([0, 1, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 10**9])
                size = 8 if abs(extreme) > 2**31 else draw.choice([4, 8])
                changed[place : place + size] = extreme.to_bytes(size, draw.choice(["little", "big"]), signed=True)
            case _:
                changed[place:place] = draw.choice(TOKENS).encode("utf-8", "surrogatepass")
    return bytes(changed)


def reworded(content: bytes, draw: random.Random) -> bytes:
    """A real text with one of its words replaced, left out or said twice; mostly it stays what it is."""
    between = draw.choice([" ", "\n", ",", "=", ":", '"'])
    words = content.decode("utf-8", "replace").split(between)
    place = draw.randrange(len(words))
    new = [draw.choice(TOKENS)]
    words[place : place + 1] = draw.choice([[], [words[place]] * 2, [draw.choice(words)], new, new, new])
    return between.join(words).encode("utf-8", "replace")


def table() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "size": np.arange(40) * 1.5,
            "when": ["2024-01-02", "2024-02-29"] * 20,
            "kind": ["a", "b"] * 20,
            "y": [0, 1] * 20,
        }
    )


def in_memory(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def picture(form: str, mode: str = "RGB") -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    return in_memory(lambda file: Image.fromarray(pixels).convert(mode).save(file, form))


def from_data(path: pathlib.Path) -> object:
    return prepare(Recipe(data=DataSection(source=str(path))))


def from_image(path: pathlib.Path) -> object:
    folder = path.parent / "photos"
    for number in range(12):
        file = folder / ("cat" if number % 2 else "dog") / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_bytes(picture("PNG"))
    hostile = folder / "cat" / path.name
    path.rename(hostile)
    try:
        return from_data(folder)
    finally:
        hostile.unlink()


@functools.cache
def iris() -> tuple[Any, Any]:
    recipe = Recipe()
    prepared = prepare(recipe, "iris")
    return prepared, decide(recipe, prepared)[0]


def from_recipe(path: pathlib.Path) -> object:
    recipe = load_recipe(path)
    assert load_recipe_again(recipe) == recipe
    return decide(recipe, iris()[0])


def load_recipe_again(recipe: Recipe) -> Recipe:
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
        file.write(recipe_to_toml(recipe))
        file.flush()
        return load_recipe(file.name)


def lines(path: pathlib.Path) -> list[str]:
    return path.read_bytes().decode("utf-8", "surrogateescape").split("\n")


def from_settings(path: pathlib.Path) -> object:
    return decide(with_settings(Recipe(), lines(path)), iris()[0])


def from_space(path: pathlib.Path) -> object:
    prepared, filled = iris()
    space = space_for(Recipe(), filled, Space.parse(lines(path)), structure=False, widen=True)
    for unit in (0.0, 0.3, 1.0):
        point = space.point([unit] * len(space))
        with contextlib.suppress(BabysitError):
            decide(space.apply(Recipe(), point), prepared)
    return [parameter.text() for parameter in space]


def from_space_file(path: pathlib.Path) -> object:
    return Space.parse([str(path)])


def from_remedies(path: pathlib.Path) -> object:
    return applied_to_script([Remedy.parse(line) for line in lines(path)], kinds=KINDS)


def from_trace(path: pathlib.Path) -> object:
    return diagnose(path).to_json()


def from_run(path: pathlib.Path) -> object:
    """Everything that is read of a Run, one of whose files is hostile."""
    folder = path.parent / "whole"
    shutil.copytree(kept() / "run", folder)
    try:
        path.rename(folder / path.name)
        answers: list[object] = []
        for read in (
            lambda: render_page(Run(folder)),
            lambda: load(folder),
            lambda: [Run(folder).split, Run(folder).model, Run(folder).recipe],
            lambda: diagnose(folder).to_json(),
            lambda: resume(folder),
        ):
            with contextlib.suppress(BabysitError):
                answers.append(read())
        return answers
    finally:
        shutil.rmtree(folder)


def from_study(path: pathlib.Path) -> object:
    """Everything that is read of a Study, one of whose files is hostile."""
    folder = path.parent / "whole"
    shutil.copytree(kept() / "study", folder)
    try:
        path.rename(folder / path.name)
        answers: list[object] = []
        for read in (
            lambda: render_study_page(Study(folder)),
            lambda: [Study(folder).trials(), Study(folder).scores(), Study(folder).rungs(), Study(folder).state()],
            lambda: load(folder),
            lambda: resume(folder),
        ):
            with contextlib.suppress(BabysitError):
                answers.append(read())
        return answers
    finally:
        shutil.rmtree(folder)


@functools.cache
def kept() -> pathlib.Path:
    """A Run and a Study, made once."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hostile-"))
    fit("iris", settings=["epochs=1"], seconds=0, out=folder / "run")
    space = {"lr": "1e-3:1e-1:log"}
    tune(
        "iris", space=space, trials=2, winners=1, repeats=1, generations=0, settings=["epochs=1"], out=folder / "study"
    )
    for name in ("run", "study"):
        for litter in ("lock", "report.html"):
            (folder / name / litter).unlink(missing_ok=True)
        for database in (folder / name).glob("*.sqlite"):
            with contextlib.closing(sqlite3.connect(database)) as opened:
                opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                opened.execute("PRAGMA journal_mode = DELETE")
    return folder


def of_folder(name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((kept() / name).iterdir()) if path.is_file()}


SETTINGS = """lr=0.1
model.widths=[64, 64]
optimizer.name=sgd
data.types={a = "number"}
budget.epochs=3
split.method=random
regularisation.dropout=0.5
seed=3
lr=unset"""
SPACES = """lr=1e-5:1:log
dropout=0:0.5
activation=relu,tanh
depth=1:4:integer
widths=[64],[128,128]
momentum=0.5:0.99 if optimizer.name=sgd
batch_size=8:512:log-integer"""
REMEDIES = """lr=0.1
clip-norm=1
standardise-inputs
activation=relu
epochs=3
batch-size=32
optimizer=adam
dropout=0.2
weight-decay=0.01"""


def each(texts: str) -> dict[str, bytes]:
    return {f"{place}.txt": text.encode() for place, text in enumerate(texts.splitlines())}


@functools.cache
def reader(name: str) -> Reader:
    """The reader of that name, with its real files."""
    frame = table()
    arrays = {"x": np.arange(80.0).reshape(20, 4), "y": np.arange(20) % 2}
    file = '[space]\nlr = "1e-6:1e-1:log"\ndropout = {low = 0, high = 0.5}\nactivation = {options = ["relu", "tanh"]}\n'
    match name:
        case "csv":
            files = {"a.csv": frame.write_csv().encode(), "b.csv": frame.write_csv(separator=";").encode()}
            files["c.csv"] = frame.write_csv(quote_style="always", include_header=False).encode("utf-16")
            files["d.csv"] = b"  1  2.5 x\n 3   4 y\n" * 15
            return Reader(files, from_data, text=True)
        case "parquet":
            plain = in_memory(lambda file: frame.write_parquet(file))
            zipped = in_memory(lambda file: frame.write_parquet(file, compression="uncompressed"))
            return Reader({"a.parquet": plain, "b.parquet": zipped}, from_data)
        case "npz":
            plain = in_memory(lambda file: np.savez(file, allow_pickle=False, **arrays))
            zipped = in_memory(lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
            return Reader({"a.npz": plain, "b.npz": zipped}, from_data)
        case "npy":
            return Reader({"a.npy": in_memory(lambda file: np.save(file, np.c_[arrays["x"], arrays["y"]]))}, from_data)
        case "images":
            forms = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "webp": "WEBP"}
            return Reader({f"a.{ending}": picture(form) for ending, form in forms.items()}, from_image)
        case "recipe":
            whole = recipe_to_toml(iris()[1]).encode()
            return Reader({"a.toml": whole, "b.toml": recipe_to_toml(Recipe()).encode()}, from_recipe, text=True)
        case "settings":
            return Reader(each(SETTINGS), from_settings, text=True)
        case "space":
            return Reader(each(SPACES), from_space, text=True)
        case "space file":
            return Reader({"space.toml": file.encode()}, from_space_file, text=True)
        case "remedies":
            return Reader(each(REMEDIES), from_remedies, text=True)
        case "trace":
            return Reader({"trace.sqlite": of_folder("run")["trace.sqlite"]}, from_trace)
        case "run":
            return Reader(of_folder("run"), from_run)
        case "study":
            return Reader(of_folder("study"), from_study)
    raise KeyError(name)


READERS = ("csv", "parquet", "npz", "npy", "images", "recipe", "settings", "space", "space file", "remedies", "trace",
           "run", "study")  # fmt: skip


class TooLongError(BaseException):
    """An input took more than it may; no `except Exception` stops it."""


@contextlib.contextmanager
def limited_time() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise TooLongError("".join(traceback.format_stack(frame)[-6:]))

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def input_of(name: str, seed: int) -> tuple[str, bytes]:
    """A file's name and its hostile content."""
    draw = random.Random(f"{name} {seed}")
    known = reader(name)
    file = draw.choice(sorted(known.files))
    text = known.text or file.endswith((".json", ".toml"))
    content, other = known.files[file], known.files[draw.choice(sorted(known.files))]
    return file, reworded(content, draw) if text and draw.random() < 0.7 else mutated(content, other, draw)


def outcome_of(name: str, file: str, content: bytes, folder: pathlib.Path) -> tuple[str, str]:
    """`value`, `error` for an error of ours, or `fault` with what went wrong."""
    path = folder / file
    path.write_bytes(content)
    try:
        with limited_time():
            reader(name).read(path)
    except BabysitError as error:
        if any(ord(sign) < 32 and sign not in "\n\t" for sign in str(error)):
            return "fault", f"a control character in: {error!s}"
        return "error", ""
    except TooLongError as error:
        return "fault", f"more than {SECONDS:g} seconds\n{error}"
    except BaseException:
        return "fault", traceback.format_exc()
    finally:
        path.unlink(missing_ok=True)
    return "value", ""


def read_many(name: str, seeds: Sequence[int], told: pathlib.Path) -> None:
    """In a process of its own: read inputs under limits; what each did is a line of JSON in a file."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages + MEMORY, pages + MEMORY))
    with told.open("a", encoding="utf-8") as out, tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            out.write(json.dumps({"begun": seed}) + "\n")
            out.flush()
            began = time.process_time()
            kind, fault = outcome_of(name, *input_of(name, seed), pathlib.Path(folder))
            taken = time.process_time() - began
            out.write(json.dumps({"seed": seed, "kind": kind, "fault": fault, "seconds": taken}) + "\n")


def told_shortly(fault: str) -> str:
    """The last line of a traceback, and where in babysit it came from."""
    places = [line.strip() for line in fault.splitlines() if "/babysit/" in line]
    return f"{fault.strip().splitlines()[-1][:200]} {places[-1][-90:] if places else ''}"


def main() -> None:
    """`python -m tests.fire.hostile READER FIRST COUNT`: reads many, restarts after a crash, and prints the faults."""
    name, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    waiting = list(range(first, first + count))
    faults, slowest, began, values = [], 0.0, time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        while waiting:
            told = pathlib.Path(folder, "told")
            told.write_text("")
            child = os.fork()
            if not child:
                quiet = os.open(os.devnull, os.O_WRONLY)
                os.dup2(quiet, 1)
                os.dup2(quiet, 2)
                try:
                    read_many(name, waiting, told)
                    os._exit(0)
                finally:
                    os._exit(1)
            _, status = os.waitpid(child, 0)
            done = [json.loads(line) for line in told.read_text().splitlines()]
            ended = [one for one in done if "seed" in one]
            faults += [one for one in ended if one["fault"]]
            values += sum(one["kind"] == "value" for one in ended)
            slowest = max([slowest, *(one["seconds"] for one in ended)])
            waiting = waiting[len(ended) :]
            if waiting:
                code = os.waitstatus_to_exitcode(status)
                faults.append({"seed": waiting.pop(0), "fault": f"the process ended with code {code}"})
    kinds: dict[str, list[int]] = {}
    for one in faults:
        kinds.setdefault(told_shortly(one["fault"]), []).append(one["seed"])
    told_last = {"reader": name, "inputs": count, "values": values, "faults": len(faults), "kinds": kinds}
    seconds = round(time.monotonic() - began)
    print(json.dumps({**told_last, "slowest": round(slowest, 2), "seconds": seconds}))


if __name__ == "__main__":
    main()
