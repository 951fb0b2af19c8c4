"""The text of a script as a syntax tree that keeps every byte, and what the names in it refer to."""

from __future__ import annotations

import ast
import functools
import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TypeVar, cast

import libcst as cst
from libcst.metadata import (
    BaseAssignment,
    CodeRange,
    MetadataWrapper,
    PositionProvider,
    QualifiedNameSource,
    Scope,
    ScopeProvider,
)

Node = TypeVar("Node", bound=cst.CSTNode)
Statement = cst.BaseStatement | cst.BaseSmallStatement
LOOPS = (cst.For, cst.While, cst.BaseComp)


@dataclass(frozen=True)
class Elsewhere:
    """What other files of the same program show.

    Attributes:
        made: Names of classes and functions that they call.
        losses: Names of the losses that they make or call.
        reads_shares: Whether they may read a network's outputs as probabilities.
    """

    made: frozenset[str] = frozenset()
    losses: frozenset[str] = frozenset()
    reads_shares: bool = False


NOTHING_ELSEWHERE = Elsewhere()


class Code:
    """A script's text, parsed. When it is written out again, every byte is the same.

    Args:
        content: The file's bytes, or its text.
        arguments: The command-line arguments that the script runs with.

    Raises:
        SyntaxError: The text is not Python, or it could not be written out again without a change.

    Example:
        >>> code = Code("from torch import nn\\nnet = nn.Linear(2, 1)")
        >>> [code.dotted(call.func) for call in code.calls()]
        ['torch.nn.Linear']
    """

    elsewhere: Elsewhere = NOTHING_ELSEWHERE  # what other files of the program show

    def __init__(self, content: bytes | str, arguments: Sequence[str] = ()) -> None:
        whole = content.encode() if isinstance(content, str) else content
        body = as_python(content).body
        # What follows the last statement is stored apart, because libcst 1.9 loses some blank lines there.
        ends = [found.end() for found in re.finditer(rb"\r\n|\r|\n", whole)]
        last = (body[-1].end_lineno or 0) if body else 0
        end = ends[last - 1] if 0 < last <= len(ends) else len(whole)
        try:
            module = cst.parse_module(whole[:end])
        except cst.ParserSyntaxError as error:
            raise SyntaxError(f"line {error.raw_line}: {error.message}") from error
        if whole[:end].endswith(b"\r"):  # libcst does not count this as the end of a line
            module = module.with_changes(has_trailing_newline=True)
        tail = whole[end:].decode(module.encoding)
        self._read(module, tail, arguments)
        if self.content != whole:
            # libcst 1.9 loses some blanks, such as that of `except (A, B) :`.
            before, after = whole[:end].decode(module.encoding), module.code
            if not _alike(before, after):
                raise SyntaxError("libcst cannot write this text again without changing it")
            self._read(module, tail, arguments, (_lines(before), _lines(after)))

    def with_module(self, module: cst.Module) -> Code:
        """The same file with another syntax tree."""
        code = Code.__new__(Code)
        code.elsewhere = self.elsewhere
        code._read(module, self._tail, self.arguments, self._lossy)
        return code

    def _read(
        self, module: cst.Module, tail: str, arguments: Sequence[str], lossy: tuple[list[str], list[str]] | None = None
    ) -> None:
        self.module, self._tail, self.arguments = module, tail, tuple(arguments)
        self._lossy = lossy  # the lines of the file, and as libcst writes them; None where they are the same
        # The parser and the edits use each node once, so the tree needs no copy.
        self._metadata = MetadataWrapper(module, unsafe_skip_copy=True)
        self._dotted: dict[cst.CSTNode, str] = {}
        self.parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self._nodes: list[cst.CSTNode] = []  # in the order of the text
        waiting: list[cst.CSTNode] = [module]
        while waiting:
            node = waiting.pop()
            self._nodes.append(node)
            for child in reversed(node.children):
                if not isinstance(child, cst.BaseParenthesizableWhitespace | cst.TrailingWhitespace | cst.EmptyLine):
                    self.parents[child] = node
                    waiting.append(child)
        self.order = {node: place for place, node in enumerate(self._nodes)}
        self._sizes = dict.fromkeys(self._nodes, 1)  # of each node: how many nodes it holds, itself included
        for node in reversed(self._nodes[1:]):
            self._sizes[self.parents[node]] += self._sizes[node]
        self._kinds: dict[type[cst.CSTNode], list[cst.CSTNode]] = {}
        for node in self._nodes:
            self._kinds.setdefault(type(node), []).append(node)

    @property
    def text(self) -> str:
        """The whole text."""
        written = self.module.code
        return (written if self._lossy is None else _restored(written, *self._lossy)) + self._tail

    @property
    def content(self) -> bytes:
        """The whole text as bytes, in the encoding of the file."""
        return self.text.encode(self.module.encoding)

    @functools.cached_property
    def _scopes(self) -> dict[cst.CSTNode, Scope]:
        return dict(self._metadata.resolve(ScopeProvider))  # type: ignore[arg-type]

    @functools.cached_property
    def _positions(self) -> dict[cst.CSTNode, CodeRange]:
        return dict(self._metadata.resolve(PositionProvider))

    def words(self, node: cst.CSTNode) -> str:
        """The text of a node."""
        return self.module.code_for_node(node)

    def line(self, node: cst.CSTNode) -> int:
        """The number of the line that a node begins on; 0 if the node is not in the text."""
        found = self._positions.get(node)
        return found.start.line if found is not None else 0

    # Which node is inside which.

    def within(self, node: cst.CSTNode) -> list[cst.CSTNode]:
        """A node and all nodes inside it, in the order of the text."""
        return self._nodes[self.order[node] : self.order[node] + self._sizes[node]]

    def every(self, kind: type[Node], within: cst.CSTNode | None = None) -> list[Node]:
        """All nodes of one class, in the order of the text."""
        if within is None:
            return cast(list[Node], self._kinds.get(kind, []))
        return [one for one in self.within(within) if isinstance(one, kind)]

    def calls(self, within: cst.CSTNode | None = None) -> list[cst.Call]:
        """All calls, in the order of the text."""
        return self.every(cst.Call, within)

    def calls_of(self, dotted: Collection[str]) -> list[cst.Call]:
        """All calls of imported functions or classes with one of these full names."""
        return [call for call in self.calls() if self.dotted(call.func) in dotted]

    def methods(self, name: str, within: cst.CSTNode | None = None) -> list[cst.Call]:
        """All calls of a method with this name."""
        return [one for one in self.calls(within) if isinstance(one.func, cst.Attribute) and called(one) == name]

    def above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """All nodes that contain it, from the inside to the outside."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def function(self, node: cst.CSTNode) -> cst.FunctionDef | None:
        """The function that contains the node."""
        return next((one for one in self.above(node) if isinstance(one, cst.FunctionDef)), None)

    def statement(self, node: cst.CSTNode) -> Statement:
        """The statement that contains the node; if several statements share a line, only the one."""
        while not isinstance(node, cst.BaseSmallStatement | cst.BaseCompoundStatement):
            node = self.parents[node]
        return node

    def block(self, statement: Statement) -> list[Statement]:
        """All statements of the block that the statement belongs to."""
        holder = self.parents[statement]
        if isinstance(holder, cst.SimpleStatementLine):
            holder = self.parents[holder]
        return statements(holder)

    def runs_once(self, node: cst.CSTNode) -> bool:
        """Whether the node runs at most once: not in a loop, and not in a function that is called more than once."""
        for _ in range(10):
            for one in self.above(node):
                if isinstance(one, (*LOOPS, cst.Lambda)):
                    return False
                if isinstance(one, cst.FunctionDef):
                    break
            function = self.function(node)
            callers = self.callers(function) if function is not None else []
            if len(callers) != 1:
                return not callers
            node = callers[0]
        return False

    def callers(self, function: cst.FunctionDef) -> list[cst.Call]:
        """All calls of a function; for `__init__`, all calls of its class."""
        holder = self.class_of(function)
        name = holder.name.value if holder is not None and function.name.value == "__init__" else function.name.value
        return [call for call in self.calls() if called(call) == name]

    def class_of(self, function: cst.FunctionDef) -> cst.ClassDef | None:
        """The class that has this function as a method."""
        holder = self.parents.get(self.parents[function])
        return holder if isinstance(holder, cst.ClassDef) else None

    # What names refer to.

    def dotted(self, node: cst.CSTNode) -> str:
        """The full name of something imported, such as `torch.optim.SGD`; empty for everything else."""
        if node not in self._dotted:
            first = node
            while isinstance(first, cst.Attribute):
                first = first.value
            known = isinstance(first, cst.Name) and node in self._scopes
            self._dotted[node] = _one_import(self._scopes[node], node) if known else ""
        return self._dotted[node]

    @functools.cached_property
    def imports(self) -> dict[str, str]:
        """Each name that an import defines, with the full name that it refers to."""
        found = {}
        for node in self.every(cst.ImportFrom):
            front = self.words(node.module) if node.module is not None and not node.relative else ""
            for alias in () if isinstance(node.names, cst.ImportStar) or not front else node.names:
                found[alias.evaluated_alias or alias.evaluated_name] = f"{front}.{alias.evaluated_name}"
        for alias in (alias for node in self.every(cst.Import) for alias in node.names):
            top = alias.evaluated_name.partition(".")[0]
            found[alias.evaluated_alias or top] = alias.evaluated_name if alias.evaluated_alias else top
        return found

    def spelled(self, dotted: str, at: cst.CSTNode) -> str | None:
        """How to write a full name at this place with the imports that the script has; None if they do not allow it."""
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            front = ".".join(parts[:length])
            for name, meant in self.imports.items():
                if meant == front and _one_import(self._scopes[at], name) == meant:
                    return ".".join([name, *parts[length:]])
        return None

    def is_free(self, name: str) -> bool:
        """Whether the script does not use this name at all."""
        return name not in self.imports and not any(one.value == name for one in self.names())

    def names(self, within: cst.CSTNode | None = None) -> Iterator[cst.Name]:
        """All names in the text, without names of attributes and keywords."""
        for node in self.every(cst.Name, within):
            match self.parents.get(node):
                case cst.Attribute(attr=other) | cst.Arg(keyword=other) if other is node:
                    continue
            yield node

    def stores(self) -> Iterator[cst.Name]:
        """All names where they are assigned or are parameters; not names of functions, classes and imports."""
        for name in self.names():
            target = next((one for one in self.given(name) if getattr(one, "node", None) is name), None)
            if target is not None or isinstance(self.parents[name], cst.Param):
                yield name

    def given(self, name: cst.Name) -> list[BaseAssignment]:
        """All places that give this name its value, parameters included."""
        scope = self._scopes.get(name)
        return list(scope[name.value]) if scope is not None else []

    def reads(self, name: cst.Name) -> list[cst.CSTNode]:
        """All places that read this name."""
        made = self.given(name)
        # A read above the assignment counts too, because both may be in a loop.
        found = {one.node for each in made for one in [*each.references, *each.scope.accesses[name.value]]}
        return sorted(found, key=lambda node: self.order.get(node, 0))

    def value_of(self, node: cst.CSTNode | None) -> cst.BaseExpression | None:
        """The value that a name has, if exactly one assignment gives it; None otherwise."""
        made = self.given(node) if isinstance(node, cst.Name) else []
        target = getattr(made[0], "node", None) if len(made) == 1 else None
        holder = self.parents.get(target) if isinstance(target, cst.Name) else None
        if isinstance(holder, cst.AssignTarget):
            holder = self.parents[holder]
            return holder.value if isinstance(holder, cst.Assign) and len(holder.targets) == 1 else None
        return holder.value if isinstance(holder, cst.AnnAssign) else None

    def assigned(self) -> Iterator[tuple[str, cst.BaseExpression]]:
        """Each name that an assignment sets, with the value."""
        for node in self.every(cst.Assign):
            for one in node.targets:
                if isinstance(one.target, cst.Name):
                    yield one.target.value, node.value

    def same_name(self, one: cst.Name, other: cst.CSTNode) -> bool:
        """Whether the name refers to the same thing at another place."""
        there = self._scopes.get(other)
        return there is not None and set(there[one.value]) == set(self.given(one)) != set()


def _one_import(scope: Scope, name: str | cst.CSTNode) -> str:
    found = list(scope.get_qualified_names_for(name))
    return found[0].name if len(found) == 1 and found[0].source is QualifiedNameSource.IMPORT else ""


def as_python(content: bytes | str) -> ast.Module:
    """Python's own syntax tree. Warnings about the script's text are not shown.

    Raises:
        SyntaxError: The text is not Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(content)


def _lines(text: str) -> list[str]:
    """The lines of a text, each with its end, as Python counts them."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def _alike(before: str, after: str) -> bool:
    """Whether two texts are the same program and, line by line, differ in blanks alone."""
    pairs = list(zip_longest(_lines(before), _lines(after), fillvalue="nothing"))
    blanks_alone = all("".join(one.split()) == "".join(other.split()) for one, other in pairs)
    return blanks_alone and ast.dump(as_python(before)) == ast.dump(as_python(after))


def _restored(written: str, before: list[str], after: list[str]) -> str:
    """A text that libcst wrote, with the lines of the file wherever nothing else is changed.

    Args:
        written: The text.
        before: The lines of the file.
        after: The same lines as libcst writes them.
    """
    lines = _lines(written)
    restored = []
    for what, start, end, first, last in SequenceMatcher(None, after, lines, autojunk=False).get_opcodes():
        restored += before[start:end] if what == "equal" else lines[first:last]
    return "".join(restored)


def called(call: cst.Call) -> str:
    """`step` of `optimizer.step()`, `train` of `train()`."""
    match call.func:
        case cst.Attribute(attr=cst.Name(value=name)) | cst.Name(value=name):
            return name
    return ""


def statements(block: cst.CSTNode) -> list[Statement]:
    """All statements of a block or a module. Statements that share a line are listed one by one."""
    if not isinstance(block, cst.BaseSuite | cst.Module):
        return []
    found: list[Statement] = []
    for one in block.body:
        found += one.body if isinstance(one, cst.SimpleStatementLine) else [one]
    return found


def is_text(statement: cst.CSTNode) -> bool:
    """Whether a statement is only a string, such as a docstring."""
    return isinstance(statement, cst.Expr) and isinstance(statement.value, cst.SimpleString | cst.ConcatenatedString)
