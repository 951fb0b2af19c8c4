"""Small static pictures as SVG, for notebooks: they need no script, so that they survive nbconvert and mistrust."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, BELOW = 460, 150, 56, 22
COLOURS = ("#1f6fb4", "#c2571a", "#3a8f3a", "#7b4ba0")  # told apart on white and on black
MOST_POINTS = 300  # more cannot be seen


def svg_lines(curves: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> str:
    """Curves over steps; gaps where a value is not finite.

    Args:
        curves: Of each its name, steps and values.

    Example:
        >>> picture = svg_lines([("loss", [0, 1, 2], [2.3, float("nan"), 1.1])])
        >>> picture.startswith("<svg"), picture.count("<path")
        (True, 1)
    """
    known = [(name, *_thinned(steps, values)) for name, steps, values in curves]
    points = [(x, y) for _, xs, ys in known for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
    if not points:
        return ""
    low, high = (function(y for _, y in points) for function in (min, max))
    first, last = (function(x for x, _ in points) for function in (min, max))
    parts = [
        _axis(low, high),
        _text(LEFT, HEIGHT - 6, f"step {first:,.0f}"),
        _text(WIDTH - 4, HEIGHT - 6, f"{last:,.0f}", "end"),
    ]
    for place, (name, xs, ys) in enumerate(known):
        colour, path, pen = COLOURS[place % len(COLOURS)], list[str](), "M"
        for x, y in zip(xs, ys, strict=True):
            if not math.isfinite(y):
                pen = "M"
                continue
            path.append(f"{pen}{_across(x, first, last):.1f},{_up(y, low, high):.1f}")
            pen = "L"
        if path:
            parts.append(f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(_text(WIDTH - 4, 12 + 13 * place, name, "end", colour))
    return _picture(parts, ", ".join(name for name, _, _ in known))


def svg_bars(bars: Sequence[tuple[str, float]]) -> str:
    """Bars from left to right, around 0.

    Args:
        bars: Of each its name and its value.

    Example:
        >>> svg_bars([("lr=0.1", 0.9), ("shuffle", -0.2)]).count("<rect")
        2
    """
    shown = [(name, value) for name, value in bars if math.isfinite(value)][:8]
    if not shown:
        return ""
    far = max(abs(value) for _, value in shown) or 1.0
    middle, half = 0.62 * WIDTH, 0.3 * WIDTH
    parts = []
    for place, (name, value) in enumerate(shown):
        top, long = 4 + 18 * place, half * abs(value) / far
        left = middle if value >= 0 else middle - long
        colour = COLOURS[2 if value > 0 else 1]
        parts.append(f'<rect x="{left:.1f}" y="{top}" width="{max(1.0, long):.1f}" height="12" fill="{colour}"/>')
        parts += [_text(4, top + 10, name[:34]), _text(WIDTH - 4, top + 10, f"{value:+.0%}", "end")]
    return _picture(parts, ", ".join(f"{name} {value:+.0%}" for name, value in shown), 8 + 18 * len(shown))


def as_image(svg: str) -> str:
    """An SVG as an image of HTML: a picture within an address is kept where tags of SVG are taken out.

    Example:
        >>> as_image(""), as_image("<svg/>")[:32]
        ('', '<img alt="" src="data:image/svg+')
    """
    if not svg:
        return ""
    told = html.escape(html.unescape(svg.partition("<title>")[2].partition("</title>")[0]), quote=True)
    return f'<img alt="{told}" src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"/>'


def _thinned(steps: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    every = max(1, math.ceil(len(values) / MOST_POINTS))
    return [*steps[::every]], [*values[::every]]


def _across(x: float, first: float, last: float) -> float:
    return LEFT + (x - first) / ((last - first) or 1) * (WIDTH - LEFT - 8)


def _up(y: float, low: float, high: float) -> float:
    return HEIGHT - BELOW - (y / (high - low) - low / (high - low) if high > low else 0.5) * (HEIGHT - BELOW - 8)


def _axis(low: float, high: float) -> str:
    lines = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y}" y2="{y}" stroke="#999" stroke-width="0.5"/>'
        for y in (8, HEIGHT - BELOW)
    )
    return lines + _text(LEFT - 4, 12, f"{high:.4g}", "end") + _text(LEFT - 4, HEIGHT - BELOW, f"{low:.4g}", "end")


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#777") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{html.escape(text)}</text>'


def _picture(parts: Sequence[str], told: str, height: int = HEIGHT) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' font-family="sans-serif" font-size="11"><title>{html.escape(told)}</title>{"".join(parts)}</svg>'
    )
