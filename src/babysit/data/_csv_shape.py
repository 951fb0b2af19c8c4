"""How a text table is laid out: delimiter, quotes, header, width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from babysit.data._csv_dialect import BLANKS, RECORDS, find_delimiter, find_quote, parse
from babysit.data._csv_header import find_header, unique_names
from babysit.data._wording import counted, several
from babysit.record import DataError, DataSection, Decision

NAMES = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma", BLANKS: "blanks"}
SAMPLE = 4 << 20


@dataclass(frozen=True)
class Shape:
    """How a text table is laid out.

    Attributes:
        delimiter: Between cells; a blank stands for any run of blanks.
        quote: Around cells that hold delimiters.
        width: Cells a row.
        header: Records before the first row.
        names: Of the columns.
        named: Whether the file says them.
        decisions: What was found in the file and not stated by the user.
        short: Whether rows may have fewer cells, as their last ones are left out where they are empty.
    """

    delimiter: str
    quote: str
    width: int
    header: int
    names: tuple[str, ...]
    named: bool
    decisions: tuple[Decision, ...]
    short: bool = False


def find_shape(text: str, name: str, data: DataSection) -> Shape:
    """The layout of a text table, from its first 200 records.

    Args:
        text: Of the whole file, as `plain_text` makes it.
        name: Of the file, for errors.
        data: What the user states.

    Raises:
        DataError: No rows, a header that does not fit the rows, a stated delimiter that is not one character.
    """
    sample = text[:SAMPLE]
    quote = find_quote(sample[:65536])
    decisions = []
    if data.delimiter is not None:
        delimiter = {"tab": "\t", "\\t": "\t"}.get(data.delimiter, data.delimiter)
        if len(delimiter) != 1 or delimiter in "\n\r" + quote or not delimiter.isascii():
            raise DataError(
                f"a delimiter is one character, not {data.delimiter!r}",
                legal="one character, for example , ; | or a tab",
                write=",",
            )
    else:
        delimiter = find_delimiter(sample, quote, name)
        if delimiter != ",":
            why = f"the first {RECORDS} rows have the same number of cells with it"
            decisions.append(Decision(setting="data.delimiter", value=NAMES.get(delimiter, repr(delimiter)), why=why))
    records = [
        [cell.strip() for cell in record] for record in parse(sample, delimiter, quote, name) if not is_blank(record)
    ]
    if not records:
        raise DataError(
            f"{name} is empty", cause="the file was not written completely, or it is not the file you meant"
        )
    widths = Counter(len(record) for record in records[1:] or records)
    width = max(widths, key=lambda width: (widths[width], width))
    found = find_header(records, width, name, data)
    names, short = found.names, False
    if len(names) > width and found.header:
        width, short = len(names), True
    decisions += found.decisions
    if len(names) != width:
        raise DataError(
            f"{name}: line {found.header} names {counted(len(names), 'column')}, and the rows below it have {width}",
            legal="one name for each column",
            cause="a delimiter inside a name or a cell that has no quotes around it",
        )
    names, renamed = unique_names(names)
    if renamed:
        pairs = several(renamed)
        why = "a name can stand for one column only"
        decisions.append(Decision(setting="names of columns", value=f"renamed: {pairs}", why=why))
    return Shape(delimiter, quote, width, found.header, tuple(names), found.named, tuple(decisions), short)


def is_blank(record: Sequence[str]) -> bool:
    """Whether a record is a line with nothing in it, which does not count."""
    return not record or (len(record) == 1 and not record[0].strip())
