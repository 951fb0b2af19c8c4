"""The text of a script with its syntax tree: where each node stands, what holds it, what its names stand for."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

LINE_END = re.compile(r"\r\n|\r|\n")
Function = ast.FunctionDef | ast.AsyncFunctionDef
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Edit:
    """Characters from `start` to `end` become `text`.

    Attributes:
        start: The first character.
        end: Behind the last one.
        text: What comes in their place.
        say: In words, where the line alone, as it will be, does not tell what is to be done.
    """

    start: int
    end: int
    text: str
    say: str = ""


class Code:
    """A script's text, parsed.

    Args:
        text: The text, decoded.
        arguments: Of the command line that the script is run with.

    Raises:
        SyntaxError: It is no Python.

    Example:
        >>> code = Code("from torch import nn\\nnet = nn.Linear(2, 1)")
        >>> [code.dotted(call.func) for call in code.calls()]
        ['torch.nn.Linear']
    """

    def __init__(self, text: str, arguments: Sequence[str] = ()) -> None:
        self.text, self.arguments = text, tuple(arguments)
        self.tree = ast.parse(text)
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self._starts = [0, *(found.end() for found in LINE_END.finditer(text))]
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self._loads: dict[str, list[ast.Name]] = {}
        self._stores: dict[str, list[ast.AST]] = {}
        self.imported: dict[str, str] = {}
        self._read_names()

    def _read_names(self) -> None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load):
                    self._loads.setdefault(node.id, []).append(node)
                else:
                    self._stores.setdefault(node.id, []).append(node)
            elif isinstance(node, ast.arg):
                self._stores.setdefault(node.arg, []).append(node)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    self.imported[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom) and not node.level:
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    # Names.

    def dotted(self, node: ast.AST) -> str:
        """What an expression stands for, through the script's imports; empty where it is nothing imported."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, "") if node.id not in self._stores else ""
        if isinstance(node, ast.Attribute):
            inner = self.dotted(node.value)
            return f"{inner}.{node.attr}" if inner else ""
        return ""

    def spelled(self, dotted: str) -> str | None:
        """How the script can write something of a library with the imports that it has."""
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            front = ".".join(parts[:length])
            for name, meant in self.imported.items():
                if meant == front and name not in self._stores:
                    return ".".join([name, *parts[length:]])
        return None

    def loads(self, name: str) -> list[ast.Name]:
        """Everywhere a name is read."""
        return self._loads.get(name, [])

    def stores(self, name: str) -> list[ast.AST]:
        """Everywhere it is set, as a parameter too."""
        return self._stores.get(name, [])

    def assigned(self, name: str) -> ast.expr | None:
        """The one value that a name is given; None where there are several, or none."""
        stores = self.stores(name)
        if len(stores) != 1:
            return None
        parent = self.parents.get(stores[0])
        if isinstance(parent, ast.Assign) and parent.targets == [stores[0]]:
            return parent.value
        return parent.value if isinstance(parent, ast.AnnAssign) else None

    def calls(self, within: ast.AST | None = None) -> Iterator[ast.Call]:
        """All calls, in the order in which they are written."""
        found = [node for node in ast.walk(within or self.tree) if isinstance(node, ast.Call)]
        return iter(sorted(found, key=lambda node: (node.lineno, node.col_offset, -(node.end_lineno or 0))))

    def calls_of(self, dotted: Collection[str]) -> list[ast.Call]:
        """Calls of something imported."""
        return [call for call in self.calls() if self.dotted(call.func) in dotted]

    def methods(self, name: str, within: ast.AST | None = None) -> list[ast.Call]:
        """Calls of a method of this name."""
        return [call for call in self.calls(within) if isinstance(call.func, ast.Attribute) and call.func.attr == name]

    # Places.

    def offset(self, line: int, column: int) -> int:
        """The character at a line and a column as syntax trees count them, in bytes of UTF-8."""
        start = self._starts[line - 1]
        if not column:
            return start
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        return start + len(self.text[start:end].encode()[:column].decode())

    def start(self, node: ast.AST) -> int:
        """Its first character."""
        return self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Behind its last one."""
        return self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def segment(self, node: ast.AST) -> str:
        """Its text."""
        return self.text[self.start(node) : self.end(node)]

    def line_of(self, offset: int) -> int:
        """The number of the line that a character is on."""
        return 1 + sum(1 for found in LINE_END.finditer(self.text) if found.end() <= offset)

    def line_before(self, offset: int) -> str:
        """What stands before a character on its line."""
        return self.text[max(start for start in self._starts if start <= offset) : offset]

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that a node is in."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What holds it, from the inside to the outside."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def function(self, node: ast.AST) -> Function | None:
        """The function that it is in."""
        return next((one for one in self.above(node) if isinstance(one, Function)), None)

    def block(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statements among which it stands."""
        parent = self.parents[statement]
        for _, value in ast.iter_fields(parent):
            if isinstance(value, list) and statement in value:
                return value
        return [statement]

    def runs_once(self, node: ast.AST) -> bool:
        """Whether it cannot be run twice: in no loop, nor in a function that is called in one, or several times."""
        for _ in range(10):
            for one in self.above(node):
                if isinstance(one, (*LOOPS, ast.Lambda)):
                    return False
                if isinstance(one, Function):
                    break
            function = self.function(node)
            if function is None:
                return True
            callers = self.callers(function)
            if len(callers) > 1:
                return False
            if not callers:
                return True
            node = callers[0]
        return False

    def callers(self, function: Function) -> list[ast.Call]:
        """Calls of a function, or of the class that it makes the objects of."""
        name = function.name
        holder = self.parents.get(function)
        if isinstance(holder, ast.ClassDef) and name == "__init__":
            name = holder.name
        return [call for call in self.calls() if last_name(call.func) == name]

    # Statements put in.

    def before(self, statement: ast.stmt, text: str, say: str = "") -> Edit:
        """Another statement before one: on a line of its own, where that begins one."""
        decorators = getattr(statement, "decorator_list", [])
        at = min([self.start(statement), *(self.start(one) - 1 for one in decorators)])
        indent = self.line_before(at)
        gap = "; " if indent.strip() else self.newline + indent
        return Edit(at, at, text + gap, say)

    def after(self, statement: ast.stmt, text: str, say: str = "") -> Edit:
        """Another statement after a simple one."""
        at, indent = self.end(statement), self.line_before(self.start(statement))
        rest = LINE_END.split(self.text[at:], maxsplit=1)[0].strip()
        alone = not indent.strip() and (not rest or rest.startswith("#"))
        if alone:
            end = LINE_END.search(self.text, at)
            at = end.start() if end else len(self.text)
        return Edit(at, at, f"{self.newline}{indent}{text}" if alone else f"; {text}", say)


def last_name(function: ast.AST) -> str:
    """`step` of `optimizer.step`, `train` of `train`."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def edited(text: str, edits: Iterable[Edit]) -> tuple[str, list[int]]:
    """The text after edits, and where in it each of them, in their order, begins.

    Raises:
        ValueError: Two of them overlap.

    Example:
        >>> edited("lr=1, n=2", [Edit(8, 9, "30"), Edit(3, 4, "0.1")])
        ('lr=0.1, n=30', [10, 3])
    """
    given = list(edits)
    result, marks, at, moved = [], [0] * len(given), 0, 0
    for place in sorted(range(len(given)), key=lambda place: (given[place].start, given[place].end)):
        edit = given[place]
        if edit.start < at:
            raise ValueError("edits overlap")
        result += [text[at : edit.start], edit.text]
        marks[place] = edit.start + moved
        at, moved = edit.end, moved + len(edit.text) - (edit.end - edit.start)
    return "".join([*result, text[at:]]), marks
