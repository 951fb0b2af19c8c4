"""Plotly's script as a page carries it: only what its figures need, compressed, and unpacked by the browser.

The whole script has 4.8 MB, most of it maps and bodies in space. It is one file of modules, `NAME=W((e,t)=>{...})`,
each of which runs when `NAME()` is first called. What the wanted kinds of traces do not reach is left out. That is done
for the versions in TESTED alone, whose pages were opened in a browser; of any other version the whole script is taken.
"""

from __future__ import annotations

import base64
import functools
import re
import zlib
from collections.abc import Callable, Collection

import plotly.offline

TESTED = ("4.1.1",)  # versions of plotly.js
_VERSION = re.compile(r"plotly\.js v([\d.]+)")
_MODULE = re.compile(r"(?<=[;,} ])([\w$]+)=(W|Ea)\((?=\(|[\w$]+=>)")
_CALL = re.compile(r"(?<![\w$.])([\w$]+)\(\)")
_WORD = re.compile(r"(?<![\w$.])[\w$]{2,}")
_DECLARED = re.compile(r"(?<![\w$.])(?:function\*? |class )([\w$]+)|(?<=[ ,;])([\w$]+)(?==[^=]|[,;])")
_REGISTERED = re.compile(r"([\w$]+)\.register\(\[((?:[\w$]+\(\),?)+)\]\)")
_TRACE = re.compile(r'moduleType:"trace",name:"(\w+)"')
SHORT = 500  # characters: a module that only hands another one on is shorter


def packed_script(kinds: Collection[str]) -> str:
    """The script, compressed (zlib) and in base64.

    Args:
        kinds: Kinds of traces that are drawn, such as `bar`; `scatter` is always there.
    """
    return _packed(frozenset(kinds) - {"scatter"})


def packed_text(text: str) -> str:
    """A text, compressed (zlib) and in base64: no sign in it can end the element of a page in which it stands."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


@functools.lru_cache(maxsize=8)
def _packed(kinds: frozenset[str]) -> str:
    script = plotly.offline.get_plotlyjs()
    version = _VERSION.search(script)
    if version is not None and version[1] in TESTED:
        script = with_kinds(script, kinds)
    return packed_text(script)


def with_kinds(script: str, kinds: Collection[str]) -> str:
    """The script with what these kinds of traces need; the whole of it where it is not made as expected."""
    found = [*_MODULE.finditer(script)]
    listed = [*_REGISTERED.finditer(script)]
    if not found or not listed:
        return script
    starts = [one.start() for one in found]
    pieces = [script[begin:end] for begin, end in zip(starts, [*starts[1:], len(script)], strict=True)]
    place = {one[1]: number for number, one in enumerate(found)}
    lazy = [one[2] == "W" for one in found]
    last = listed[-1]  # the first ones are of the core
    root = next(number for number, piece in enumerate(pieces) if last[0] in piece)

    def calls(number: int) -> list[int]:
        return [place[name] for name in dict.fromkeys(_CALL.findall(pieces[number])) if name in place]

    def kind(number: int, further: int = 4) -> str:
        named = _TRACE.search(pieces[number])
        if named is not None:
            return named[1]
        if not further or len(pieces[number]) > SHORT:
            return ""
        return next(filter(None, (kind(one, further - 1) for one in calls(number))), "")

    known = {kind(place[name]): name for name in _CALL.findall(last[2])}
    if not set(kinds) <= known.keys():
        return script
    wanted = ",".join(f"{known[name]}()" for name in sorted(kinds))
    pieces[root] = pieces[root].replace(last[0], f"{last[1]}.register([{wanted}])")
    alive = _reached(root, pieces, lazy, calls)
    kept = [piece for number, piece in enumerate(pieces) if number in alive or not piece.endswith((";var ", ","))]
    return script[: starts[0]] + "".join(kept)


def _reached(root: int, pieces: list[str], lazy: list[bool], calls: Callable[[int], list[int]]) -> set[int]:
    # Before a module of the newer kind stand functions and variables that others use by their names alone.
    owners: dict[str, set[int]] = {}
    for number, piece in enumerate(pieces[:-1]):
        if not lazy[number + 1]:
            for names in _DECLARED.findall(piece):
                owners.setdefault(names[0] or names[1], set()).add(number)
    alive: set[int] = set()
    waiting = [root]
    while waiting:
        number = waiting.pop()
        if number not in alive:
            alive.add(number)
            waiting += calls(number)
            for word in set(_WORD.findall(pieces[number])):
                waiting += owners.get(word, ())
    return alive
