"""Plots in characters: lines on a grid of marks, a curve in one line, histograms as bars, pictures in half blocks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from babysit.reports._lesson import GreyImage, LinesFigure, Panel

MARKS = "●+x*o#@%&=~$"
COLOURS = ("blue", "red", "green", "magenta", "cyan", "yellow")
BARS = " ▁▂▃▄▅▆▇█"
HEIGHT = 14  # rows of a plot
AXIS = 9  # columns of the labels on its left
FINEST = 6  # points between two given ones, so that a line is a line
BLOCKS = "▁▂▃▄▅▆▇█"
BAD = "×"  # noqa: RUF001  a cross, where a value was NaN or infinite
DECADES = 1.5  # a curve that spans more is drawn by its logarithm


def plot(figure: LinesFigure, width: int, height: int = HEIGHT) -> list[Text]:
    """Series over one pair of axes, each in its own mark and colour.

    Args:
        figure: Numbers that are not finite leave gaps; on a logarithmic axis, so do those that are not positive.
        width: Columns, axis labels included.
        height: Rows of the plot itself.

    Returns:
        Lines of `width` columns at most: the plot, its axes, and a legend.
    """
    columns = max(10, width - AXIS - 1)
    points = [
        [(_scaled(x, figure.log_x), _scaled(y, figure.log_y)) for x, y in zip(line.x, line.y, strict=True)]
        for line in figure.lines
    ]
    known = [(x, y) for line in points for x, y in line if x is not None and y is not None]
    if not known:
        return [Text("(nothing to draw)", style="dim")]
    left, right = _range([x for x, _ in known])
    low, high = _range([y for _, y in known])
    grid: list[list[int | None]] = [[None] * columns for _ in range(height)]
    for number, line in enumerate(points):
        for x, y in _walk(line, figure.mode != "points", left, right, columns):
            column = round((x - left) / (right - left) * (columns - 1))
            row = round((high - y) / (high - low) * (height - 1))
            if 0 <= column < columns and 0 <= row < height:
                grid[row][column] = number
    lines = []
    for place, row_cells in enumerate(grid):
        label = ""
        if place in (0, height // 2, height - 1):
            label = number_text(_unscaled(high - (high - low) * place / (height - 1), figure.log_y))
        text = Text(f"{label:>{AXIS - 1}} │")
        for cell in row_cells:
            text.append(" " if cell is None else mark(cell), None if cell is None else style(cell))
        lines.append(text)
    lines.append(Text(" " * (AXIS - 1) + " └" + "─" * columns))
    ends = [number_text(_unscaled(left + (right - left) * share, figure.log_x)) for share in (0, 0.5, 1)]
    middle = ends[1].center(max(0, columns - len(ends[0]) - len(ends[2])))
    lines.append(Text(" " * (AXIS + 1) + ends[0] + middle + ends[2]))
    lines.append(Text(_cut(f"across: {figure.x_label}; up: {figure.y_label}", width), style="dim"))
    if len(figure.lines) > 1:
        lines += legend([line.name for line in figure.lines], width)
    return lines


def legend(names: Sequence[str], width: int) -> list[Text]:
    """Marks and names, as many on a line as fit."""
    lines, line = [], Text()
    for number, name in enumerate(names):
        part = Text.assemble((mark(number), style(number)), f" {_cut(name, width - 4)}   ")
        if len(line) + len(part) > width and len(line):
            lines.append(line)
            line = Text()
        line.append_text(part)
    return [*lines, line]


def histogram(panel: Panel, width: int) -> Text:
    """Counts as a line of bars, `width` columns wide, the highest one full.

    Example:
        >>> histogram(Panel("", (0.0, 1.0, 2.0, 3.0, 4.0), (0, 1, 4, 2)), 4).plain
        ' ▂█▄'
    """
    counts = panel.counts
    if not counts or not max(counts):
        return Text(" " * width)
    sums = []
    for column in range(width):
        first, last = column * len(counts) // width, max((column + 1) * len(counts) // width, 1)
        sums.append(max(counts[first : max(last, first + 1)]))
    highest = max(sums)
    return Text("".join(BARS[math.ceil(count / highest * (len(BARS) - 1))] for count in sums))


def picture(image: GreyImage) -> list[Text]:
    """Two rows of pixels in one row of characters: the upper half of each is one pixel, its background the other."""
    values = [value for row in image.pixels for value in row if math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    rows = list(image.pixels)
    lines = []
    for upper, lower in zip(rows[::2], [*rows[1::2], *([rows[-1]] if len(rows) % 2 else [])], strict=False):
        text = Text()
        for above, below in zip(upper, lower, strict=True):
            grey = [
                round(255 * (value - low) / (high - low or 1)) if math.isfinite(value) else 0
                for value in (above, below)
            ]
            colours = [f"rgb({one},{one},{one})" for one in grey]
            text.append("▀", Style(color=colours[0], bgcolor=colours[1]))
        lines.append(text)
    return lines


def shades(image: GreyImage) -> list[Text]:
    """The same where there are no colours: five shades, a character a pixel."""
    values = [value for row in image.pixels for value in row if math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    scale = " ░▒▓█"

    def shade(value: float) -> str:
        return scale[min(4, int(5 * (value - low) / (high - low or 1)))] if math.isfinite(value) else "?"

    return [Text("".join(map(shade, row))) for row in image.pixels]


def sparkline(values: Sequence[float], width: int) -> str:
    """Values as blocks of eight heights, at most `width` of them; logarithmic where they span decades.

    Neighbours that share a block are averaged; one of them that is not finite marks it.

    Example:
        >>> sparkline([1.0, 2.0, 3.0, 4.0], 10)
        '▁▃▆█'
        >>> sparkline([1.0, float("nan"), 1.0], 10)
        '▄×▄'
    """
    if not values or width < 1:
        return ""
    groups = _groups(values, width)
    finite = [value for group in groups for value in group if math.isfinite(value)]
    if not finite:
        return BAD * len(groups)
    log = min(finite) > 0 and math.log10(max(finite)) - math.log10(min(finite)) > DECADES
    largest = max(map(abs, finite)) or 1.0  # sums of the largest floating numbers would overflow
    means = [_mean(group, largest, log=log) for group in groups]
    known = [value for value in means if value is not None]
    if not known:
        return BAD * len(groups)
    low, high = min(known), max(known)
    return "".join(BAD if value is None else _block(value, low, high) for value in means)


def mark(number: int) -> str:
    """The mark of a series."""
    return MARKS[number % len(MARKS)]


def style(number: int) -> str:
    """The colour of a series."""
    return COLOURS[number % len(COLOURS)]


def number_text(value: float) -> str:
    """A number in few characters.

    Example:
        >>> number_text(0.5), number_text(1e-7), number_text(12345.0)
        ('0.5', '1e-07', '1.23e+04')
    """
    return f"{0.0 if abs(value) < 1e-12 else value:.3g}"


def _walk(
    line: Sequence[tuple[float | None, float | None]], joined: bool, left: float, right: float, columns: int
) -> list[tuple[float, float]]:
    """The points of a line, with those between two of them that lie columns apart."""
    found: list[tuple[float, float]] = []
    before: tuple[float, float] | None = None
    for x, y in line:
        if x is None or y is None:
            before = None
            continue
        if joined and before is not None:
            apart = abs(x - before[0]) / (right - left) * columns
            between = min(columns, max(FINEST, math.ceil(apart)))
            for part in range(1, between):
                share = part / between
                found.append((before[0] + share * (x - before[0]), before[1] + share * (y - before[1])))
        found.append((x, y))
        before = (x, y)
    return found


def _scaled(value: float, log: bool) -> float | None:
    if not math.isfinite(value) or (log and value <= 0):
        return None
    return math.log10(value) if log else value


def _unscaled(value: float, log: bool) -> float:
    return 10**value if log else value


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(1, width - 1)]}…"


def _groups(values: Sequence[float], width: int) -> list[Sequence[float]]:
    count = min(width, len(values))
    edges = [round(place * len(values) / count) for place in range(count + 1)]
    return [values[start:end] for start, end in itertools.pairwise(edges)]


def _mean(group: Sequence[float], largest: float, *, log: bool) -> float | None:
    if not all(math.isfinite(value) for value in group):
        return None
    return sum(math.log10(value) if log else value / largest for value in group) / len(group)


def _block(value: float, low: float, high: float) -> str:
    if high - low <= 1e-9 * max(abs(high), abs(low), 1e-30):
        return BLOCKS[3]
    return BLOCKS[min(len(BLOCKS) - 1, int((value - low) / (high - low) * len(BLOCKS)))]
