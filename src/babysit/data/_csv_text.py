"""The text of a file, whatever its encoding."""

from __future__ import annotations

import codecs
import pathlib
import re

from babysit.data._found import physical_memory, unreadable
from babysit.data._wording import nearest
from babysit.record import DataError, Decision

# Bytes that begin files of other kinds, and what to do with those.
OTHER_KINDS = (
    (b"PK\x05\x06", "an empty zip", None),
    (b"\x93NUMPY", "a NumPy array", "name it NAME.npy"),
    (b"\x89PNG", "a PNG image", None),
    (b"\xff\xd8\xff", "a JPEG image", None),
    (b"GIF8", "a GIF image", None),
    (b"%PDF", "a PDF", None),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "save it as .xlsx or CSV first"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"\x89HDF", "an HDF5 file", "pandas.read_hdf(path).to_parquet('data.parquet')"),
    (b"<stata_dta>", "a Stata file", "pandas.read_stata(path).to_parquet('data.parquet')"),
    (b"$FL2", "an SPSS file", "pandas.read_spss(path).to_parquet('data.parquet')"),
    (b"RDX2\n", "an R workspace", "write.csv(frame, 'data.csv') in R"),
    (b"FEA1", "a Feather file of version 1", "pandas.read_feather(path).to_parquet('data.parquet')"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unzstd NAME"),
    (b"Obj\x01", "an Avro file", "polars.read_avro(path).write_parquet('data.parquet')"),
)
PICKLE = re.compile(rb"\x80[\x02-\x05]")
HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body|table)\b", re.IGNORECASE | re.DOTALL
)
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "a UTF-8 byte-order mark"),
    (codecs.BOM_UTF16_LE, "utf-16", "a UTF-16 byte-order mark"),
    (codecs.BOM_UTF16_BE, "utf-16", "a UTF-16 byte-order mark"),
)
# Signs that no text holds: everything below the blank but tab, line feed, vertical tab, form feed, carriage return
# and the substitute sign with which old systems ended a file.
CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")
SAMPLE = 1 << 20
SOUND_A_BAD_BYTE = 4
SHARE_OF_MEMORY = 0.25  # a text file takes three to four times its size while it is read


def read_bytes(path: pathlib.Path) -> bytes:
    """The bytes of a file.

    Raises:
        DataError: Empty, unreadable, or too large for the memory.
    """
    try:
        memory = physical_memory()
        most = int(SHARE_OF_MEMORY * memory)
        with path.open("rb") as file:
            # A pipe has no size, and may never end.
            size = path.stat().st_size
            content = file.read(most + 1) if size <= most else b""
        size = max(size, len(content))
        if size > most:
            raise DataError(
                f"{path} has {size / 2**30:.1f} GiB; this machine has {memory / 2**30:.1f} GiB of memory",
                legal=f"text files of up to {SHARE_OF_MEMORY:.0%} of the memory; Parquet files of any size",
                write=f"polars.scan_csv('{path}').sink_parquet('{path.with_suffix('.parquet')}')",
            )
    except OSError as error:
        raise unreadable(path, error) from None
    if not content.strip():
        raise DataError(
            f"{path} is empty", cause="the file was not written completely, or it is not the file you meant"
        )
    return content


def refuse_other_kinds(content: bytes, name: str) -> None:
    """Raises DataError for bytes that are not text."""
    if PICKLE.match(content):
        raise DataError(
            f"{name} is a pickle, whatever its name says; reading a pickle can run any program, so none is read",
            write="frame.to_parquet('data.parquet') where it was made",
        )
    if HTML.match(content[:4096]):
        raise DataError(
            f"{name} is a web page (HTML), whatever its name says",
            cause="the address of a page was saved instead of the file behind it, or a log-in was asked for",
            write="download the raw file; a table in a page: pandas.read_html(path)[0].to_csv('data.csv', index=False)",
        )
    for mark, kind, write in OTHER_KINDS:
        if content.startswith(mark):
            raise DataError(f"{name} is not a text file: by its first bytes it is {kind}", write=write)


def decode(content: bytes, name: str, stated: str | None) -> tuple[str, tuple[Decision, ...]]:
    """Text of bytes, and how its encoding was found.

    Args:
        content: Of the whole file.
        name: Of the file, for errors.
        stated: An encoding the user names.

    Raises:
        DataError: The bytes are not text of that encoding, or not text at all.
    """
    refuse_other_kinds(content, name)
    encoding, why = (stated, "the recipe says so") if stated else _find(content)
    try:
        text = content.decode(encoding, "strict" if stated else "replace")
    except LookupError:
        alike = nearest(encoding, ("utf-8", "utf-16", "latin-1", "cp1252"))
        raise DataError(
            f"there is no encoding '{encoding}'",
            legal="utf-8, utf-16, cp1252, latin-1 and Python's other text encodings",
            write=f"--set data.encoding={alike or 'utf-8'}",
        ) from None
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        line = content[:start].count(b"\n") + 1
        other = _find(content)[0]
        raise DataError(
            f"{name} is not {encoding}: line {line:,} holds bytes that are not legal in this encoding",
            cause=f"it looks like {other}" if other != encoding else "the file is damaged or was cut off",
            write=f"--set data.encoding={other}" if other != encoding else None,
        ) from None
    control = CONTROL.findall(text[:SAMPLE])
    if control and ("\x00" in control or len(control) > len(text[:SAMPLE]) / 1000):
        raise DataError(
            f"{name} is not a text file: it holds control characters such as {control[0]!r}",
            legal="CSV or another text table, Parquet (.parquet), NumPy (.npy, .npz), a folder of images",
        )
    text = text.lstrip("\ufeff")
    if stated or not why:
        return text, ()
    return text, (Decision(setting="data.encoding", value=encoding, why=why),)


def _find(content: bytes) -> tuple[str, str]:
    for mark, encoding, why in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return encoding, f"the file begins with {why}"
    head = content[:SAMPLE]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if even + odd > len(head) / 5 and min(even, odd) < max(even, odd) / 10:
        return ("utf-16-le" if odd > even else "utf-16-be"), "every second byte is zero"
    try:
        content.decode("utf-8")
        return "utf-8", ""
    except UnicodeDecodeError as error:
        letter = content[error.start : error.start + 1]
        line = content[: error.start].count(b"\n") + 1
    replaced = content.decode("utf-8", "replace")
    bad = replaced.count("\ufffd") - content.count(b"\xef\xbf\xbd")
    sound = len(re.findall(r"[^\x00-\x7f\ufffd]", replaced))
    if sound > SOUND_A_BAD_BYTE * bad:  # in another encoding, hardly any of its letters would be legal UTF-8
        why = f"all but {bad:,} of its {bad + sound:,} letters beyond ASCII are UTF-8; line {line:,} holds the byte "
        return "utf-8", f"{why}{letter.hex()}, which is not, and is shown as \ufffd"
    try:
        content.decode("cp1252")
        found = "cp1252"
    except UnicodeDecodeError:
        found = "latin-1"
    return (
        found,
        f"line {line:,} holds the byte {letter.hex()}, which is not UTF-8; it is read as '{letter.decode(found)}'",
    )
