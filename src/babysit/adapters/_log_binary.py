"""TensorBoard's event files and offline runs of Weights & Biases: protocol buffers, one after another.

Both formats are public and have stood for years. Of each only names, steps and scalars are read, which takes a page of
code and no library: W&B's own reader went with version 0.31, and TensorBoard's brings a web server.

    event file     length (8 bytes), its checksum (4), an event, its checksum (4), and so on
    W&B            7 bytes, then LevelDB's log: blocks of 32 KiB with parts of records, each after a head of 7 bytes
"""

from __future__ import annotations

import json
import pathlib
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

LARGEST = 64 << 20  # bytes of one record
BLOCK, HEAD = 32768, 7
MAGIC = b":W&B"
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4  # parts of a record in LevelDB's log


class Field(NamedTuple):
    """One field of a message: its number, and a whole number or bytes."""

    number: int
    value: int | bytes


def fields(message: bytes) -> Iterator[Field]:
    """The fields of a protocol buffer's message, in order.

    Raises:
        ValueError: It is none.

    Example:
        >>> list(fields(bytes([0x08, 0x96, 0x01, 0x12, 0x02, 0x68, 0x69])))
        [Field(number=1, value=150), Field(number=2, value=b'hi')]
    """
    at = 0
    while at < len(message):
        key, at = _whole_number(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _whole_number(message, at)
            yield Field(key >> 3, value)
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"a field of kind {kind}")
        length = {1: 8, 5: 4}.get(kind, 0)
        if kind == 2:
            length, at = _whole_number(message, at)
        if at + length > len(message):
            raise ValueError("a field that ends after its message")
        yield Field(key >> 3, message[at : at + length])
        at += length


def _whole_number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("a number without an end")
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def tensorboard_records(path: pathlib.Path) -> list[dict[str, Any]]:
    """The scalars of an event file, a record a step; what was cut off or is damaged ends it."""
    by_step: dict[int, dict[str, float]] = {}
    with path.open("rb") as file:
        while len(head := file.read(12)) == 12:
            (length,) = struct.unpack("<Q", head[:8])
            if length > LARGEST or len(data := file.read(length)) < length:
                break
            file.read(4)
            try:
                _read_event(data, by_step)
            except ValueError:
                break
    return [{"step": step, **values} for step, values in sorted(by_step.items())]


def _read_event(data: bytes, by_step: dict[int, dict[str, float]]) -> None:
    """Event: step 2, summary 5. Summary: values 1. Value: tag 1, number 2, tensor 8."""
    event = list(fields(data))
    step = next((value for number, value in event if number == 2 and isinstance(value, int)), 0)
    for number, summary in event:
        if number != 5 or not isinstance(summary, bytes):
            continue
        for at, one in fields(summary):
            if at != 1 or not isinstance(one, bytes):
                continue
            parts = dict(fields(one))
            tag, scalar = parts.get(1), _scalar(parts)
            if isinstance(tag, bytes) and scalar is not None:
                by_step.setdefault(step, {})[tag.decode(errors="replace")] = scalar


def _scalar(value: dict[int, int | bytes]) -> float | None:
    """A number as PyTorch's writer has it, or a tensor of one number as TensorFlow and Keras have it."""
    plain, tensor = value.get(2), value.get(8)
    if isinstance(plain, bytes) and len(plain) == 4:
        return float(struct.unpack("<f", plain)[0])
    if not isinstance(tensor, bytes):
        return None
    parts = dict(fields(tensor))  # type 1, content 4, floats 5, doubles 6
    for number in (4, 5, 6):
        content = parts.get(number)
        if isinstance(content, bytes) and len(content) in (4, 8):
            return float(struct.unpack("<f" if len(content) == 4 else "<d", content)[0])
    return None


def wandb_records(path: pathlib.Path) -> list[dict[str, Any]]:
    """The history of an offline run, a record a step; what was cut off or is damaged ends it."""
    found: list[dict[str, Any]] = []
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        return found
    try:
        for record in _records_of_leveldb(data):
            for number, history in fields(record):  # Record: history 2. History: items 1.
                if number == 2 and isinstance(history, bytes):
                    found.append(dict(_items(history)))
    except ValueError:
        pass
    return found


def _items(history: bytes) -> Iterator[tuple[str, Any]]:
    """Item: key 1, the parts of a longer key 2, its value as JSON 16."""
    for number, item in fields(history):
        if number != 1 or not isinstance(item, bytes):
            continue
        parts = [(at, value.decode(errors="replace")) for at, value in fields(item) if isinstance(value, bytes)]
        name = "/".join(value for at, value in parts if at in (1, 2))
        yield name, json.loads(next((value for at, value in parts if at == 16), "null"))


def _records_of_leveldb(data: bytes) -> Iterator[bytes]:
    at, begun = HEAD, b""
    while at + HEAD <= len(data):
        if BLOCK - at % BLOCK < HEAD:  # what is left of a block holds no head
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEAD])
        part = data[at + HEAD : at + HEAD + length]
        at += HEAD + length
        if len(part) < length or kind not in (WHOLE, FIRST, MIDDLE, LAST):
            return
        begun = part if kind in (WHOLE, FIRST) else begun + part
        if kind in (WHOLE, LAST):
            yield begun
