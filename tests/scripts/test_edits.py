"""Edits of a script's tree: what is inserted and removed, with the commas, comments and lines around it."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst
import pytest

from babysit.remedies.source import Code, Edits

Edit = Callable[[Edits], None]


def first(edits: Edits) -> cst.Call:
    return edits.code.calls()[0]


def remove(*places: int) -> Edit:
    def edit(edits: Edits) -> None:
        for place in places:
            edits.remove_argument(first(edits).args[place])

    return edit


def add(place: int) -> Edit:
    return lambda edits: edits.add_argument(first(edits).args[place], "new")


def keyword(edits: Edits) -> None:
    edits.add_keyword(first(edits), "lr", "0.1")


def before(edits: Edits) -> None:
    edits.before(edits.code.statement(first(edits)), "new()")


def twice(edits: Edits) -> None:
    before(edits)
    edits.before(edits.code.statement(first(edits)), "newer()")


def after(edits: Edits) -> None:
    edits.after(edits.code.statement(first(edits)), "new()")


CASES: dict[str, tuple[Edit, str, str]] = {
    "the first argument": (remove(0), "f(a, b)", "f(b)"),
    "the last argument": (remove(1), "f(a, b)", "f(a)"),
    "the last with a comma": (remove(1), "f(a, b,)", "f(a,)"),
    "one between": (remove(1), "f(a, b, c)", "f(a, c)"),
    "two after each other": (remove(1, 2), "f(a, b=1, c=2)", "f(a)"),
    "all": (remove(0, 1), "f(a, b)", "f()"),
    "one with its line": (remove(1), "f(\n    a,\n    b,  # b\n    c,\n)", "f(\n    a,\n    c,\n)"),
    "the last with its line": (remove(1), "f(\n    a,  # a\n    b,  # b\n)", "f(\n    a,  # a\n)"),
    "the last without a comma": (remove(1), "f(\n    a,\n    b\n)", "f(\n    a\n)"),
    "the last before the parenthesis": (remove(1), "f(\n    a,\n    b)", "f(\n    a)"),
    "a comment before it stays": (remove(1), "f(\n    a,  # a\n    b)", "f(\n    a  # a\n    )"),
    "comments above it stay": (remove(1), "f(\n    a,\n    # above\n    b,\n)", "f(\n    a,\n    # above\n)"),
    "the first of a line": (remove(1), "f(\n    a,\n    b, c,\n)", "f(\n    a,\n    c,\n)"),
    "the last of a line": (remove(1), "f(a, b,  # ab\n  c)", "f(a,  # ab\n  c)"),
    "a keyword": (keyword, "f(a)", "f(a, lr=0.1)"),
    "a keyword alone": (keyword, "f( )", "f( lr=0.1)"),
    "a keyword with a comma": (keyword, "f(\n    a,  # a\n)", "f(\n    a, lr=0.1,  # a\n)"),
    "an argument": (add(0), "f(a, b)", "f(a, new, b)"),
    "an argument on its line": (add(0), "f(\n    a,  # a\n    b,\n)", "f(\n    a,  # a\n    new,\n    b,\n)"),
    "an argument at the end": (add(1), "f(\n\ta,\n\tb\n)", "f(\n\ta,\n\tb, new\n)"),
    "a statement before": (before, "if x:\n\t# why\n\tf(a)\n", "if x:\n\t# why\n\tnew()\n\tf(a)\n"),
    "two statements before": (twice, "# why\n\nx = 1\n# f\nf(a)", "# why\n\nx = 1\n# f\nnew()\nnewer()\nf(a)"),
    "a statement before on a line": (before, "x = 1; f(a)  # f", "x = 1; new(); f(a)  # f"),
    "a statement before in a suite": (before, "if x: f(a); g()", "if x: new(); f(a); g()"),
    "a statement after": (after, "f(a)  # f", "f(a)  # f\nnew()"),
    "a statement after on a line": (after, "f(a); g()", "f(a); new(); g()"),
    "a statement after in a suite": (after, "if x: f(a)\n", "if x: f(a); new()\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_around_an_edit_stays(name: str) -> None:
    edit, text, wanted = CASES[name]
    edits = Edits(Code(text))
    edit(edits)
    edited = edits.made()
    assert edited.code.text == wanted
    assert edits.code.text == text
    # Where it can be seen, in the new text.
    assert all(0 < edited.code.line(place.now) <= wanted.count("\n") + 1 for place in edited.places)


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_line_ends_of_the_file_are_used(ends: str) -> None:
    edit, text, wanted = CASES["a statement before"]
    edits = Edits(Code(text.replace("\n", ends)))
    edit(edits)
    assert edits.made().code.text == wanted.replace("\n", ends)


def test_what_is_not_python_is_refused() -> None:
    edits = Edits(Code("f(x for x in y)"))
    keyword(edits)
    with pytest.raises(SyntaxError):
        edits.made()
    with pytest.raises(SyntaxError):
        Code("for epoch in:\n")
