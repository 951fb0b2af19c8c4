"""Edits of a script's syntax tree: collected first, then made all at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import libcst as cst

from babysit.remedies.source._code import Code, Statement, as_python

Become = Callable[[cst.CSTNode], cst.CSTNode]
Wanted = Mapping[str, str | None]


@dataclass(frozen=True)
class Place:
    """One place where a text was changed.

    Attributes:
        was: The node that was changed, or beside which something was inserted. It belongs to the tree before.
        now: The node that shows the change. It belongs to the tree after.
        say: What to do, in words. Empty where the new line shows it by itself.
    """

    was: cst.CSTNode
    now: cst.CSTNode
    say: str = ""


@dataclass(frozen=True)
class Edited:
    """A text after edits.

    Attributes:
        code: The new text.
        places: Where it was changed, in the order of the edits.
        became: For each node of the tree before that was replaced: the node that stands there now.
    """

    code: Code
    places: tuple[Place, ...]
    became: dict[cst.CSTNode, cst.CSTNode]


class Edits:
    """Collects edits of a text, and makes them all at once. All other bytes of the text stay the same.

    Args:
        code: The text. This object itself is not changed.
        wanted: All remedies that are to be written, by name, with their values: some depend on each other.

    Example:
        >>> edits = Edits(Code("opt = SGD(lr=0.1)  # fast\\n"))
        >>> edits.put(edits.code.calls()[0].args[0].value, "3")
        >>> edits.after(edits.code.statement(edits.code.calls()[0]), "print(opt)")
        >>> edits.made().code.text
        'opt = SGD(lr=3)  # fast\\nprint(opt)\\n'
    """

    def __init__(self, code: Code, wanted: Wanted | None = None) -> None:
        self.code, self.wanted = code, wanted or {}
        self._changes: dict[cst.CSTNode, list[Become]] = {}
        self._before: dict[cst.CSTNode, list[cst.CSTNode]] = {}
        self._after: dict[cst.CSTNode, list[cst.CSTNode]] = {}
        self._removed: set[cst.CSTNode] = set()
        self._places: list[Place] = []

    def __bool__(self) -> bool:
        return bool(self._places)

    def change(self, node: cst.CSTNode, become: Become, say: str = "", shown: cst.CSTNode | None = None) -> None:
        """Replace a node by what a function returns. The function gets the node with the edits inside it made."""
        self._changes.setdefault(node, []).append(become)
        self._places.append(Place(node, shown or node, say))

    def put(self, node: cst.CSTNode, text: str, say: str = "") -> None:
        """Replace an expression. Parentheses around it stay."""
        new = cst.parse_expression(text, self.code.module.config_for_parsing)
        self._changes[node] = []
        self.change(node, lambda old: within_parentheses_of(old, new), say)

    def before(self, statement: Statement, *texts: str, say: str = "", apart: bool = False) -> None:
        """Insert statements before another: on lines of their own if it begins a line. `apart` adds empty lines."""
        holder = self.code.parents[statement]
        if isinstance(holder, cst.SimpleStatementLine) and holder.body[0] is statement:
            statement, holder = holder, self.code.parents[holder]
        if isinstance(holder, cst.SimpleStatementLine | cst.SimpleStatementSuite):
            new: list[cst.CSTNode] = [one.body[0] for one in map(self._line, texts)]
        else:
            # Comments above the statement stay above what is inserted.
            gap = [cst.EmptyLine(indent=False)] if apart else []
            above = () if statement in self._before else getattr(statement, "leading_lines", ())
            lines = [self._lines(text).with_changes(leading_lines=gap) for text in texts]
            new = [lines[0].with_changes(leading_lines=above), *lines[1:]]
            self._changes.setdefault(statement, []).append(lambda old: old.with_changes(leading_lines=gap))
        self._before.setdefault(statement, []).extend(new)
        self._places.append(Place(statement, new[0], say))

    def after(self, statement: Statement, text: str, say: str = "") -> None:
        """Insert a statement after a simple statement."""
        line, holder = self._line(text), self.code.parents[statement]
        alone = isinstance(holder, cst.SimpleStatementLine) and len(holder.body) == 1
        new: cst.CSTNode = line if alone else line.body[0]
        self._after.setdefault(holder if alone else statement, []).append(new)
        self._places.append(Place(statement, new, say))

    def at_end(self, *texts: str) -> None:
        """Insert statements at the end of the file."""
        lines = [self._line(text) for text in texts]
        self.change(self.code.module, lambda old: old.with_changes(body=[*self.code.module.body, *lines]))

    def add_keyword(self, call: cst.Call, name: str, value: str) -> None:
        """Add a keyword argument to a call, after its last argument."""
        new = cst.Arg(cst.parse_expression(value), cst.Name(name), cst.AssignEqual(*(cst.SimpleWhitespace(""),) * 2))
        behind = call.args[-1] if call.args else call
        self._after.setdefault(behind, []).append(new)
        self._places.append(Place(behind, new.value))

    def add_argument(self, behind: cst.Arg, value: str, say: str = "") -> None:
        """Add an argument after another one: on a line of its own if the arguments have lines of their own."""
        new = cst.Arg(cst.parse_expression(value, self.code.module.config_for_parsing))
        self._after.setdefault(behind, []).append(new)
        self._places.append(Place(behind.value, new.value, say))

    def remove_argument(self, argument: cst.Arg, say: str = "") -> None:
        """Remove an argument from a call, and its line if it has a line of its own."""
        self._removed.add(argument)
        self._places.append(Place(argument, argument, say))

    def _line(self, text: str) -> cst.SimpleStatementLine:
        made = self._lines(text)
        assert isinstance(made, cst.SimpleStatementLine)
        return made

    def _lines(self, text: str) -> cst.SimpleStatementLine | cst.BaseCompoundStatement:
        """A statement of one line, or a loop or condition of several."""
        return cst.parse_statement(text, self.code.module.config_for_parsing)

    def made(self) -> Edited:
        """Make the edits.

        Raises:
            SyntaxError: The result is not Python.
        """
        maker = _Maker(self.code, self._changes, self._before, self._after, self._removed)
        module = self.code.module.visit(maker)
        as_python(module.bytes)  # libcst accepts some trees that are not Python
        places = [replace(one, now=self._seen(one.now)) for one in self._places]
        places = [replace(one, now=maker.became.get(one.now, one.now)) for one in places]
        return Edited(self.code.with_module(module), tuple(places), maker.became)

    def _seen(self, node: cst.CSTNode) -> cst.CSTNode:
        """The node itself; of a removed argument the next one that stays, or the one before it."""
        call = self.code.parents.get(node)
        if node not in self._removed or not isinstance(node, cst.Arg) or not isinstance(call, cst.Call):
            return node
        place = call.args.index(node)
        around = [*call.args[place + 1 :], *reversed(call.args[:place])]
        return next((one.value for one in around if one not in self._removed), call)


class _Maker(cst.CSTTransformer):
    """Makes the edits. Nodes without an edit inside stay the same objects, so that places can be found again."""

    def __init__(
        self,
        code: Code,
        changes: Mapping[cst.CSTNode, Sequence[Become]],
        before: Mapping[cst.CSTNode, Sequence[cst.CSTNode]],
        after: Mapping[cst.CSTNode, Sequence[cst.CSTNode]],
        removed: Collection[cst.CSTNode],
    ) -> None:
        super().__init__()
        self.became: dict[cst.CSTNode, cst.CSTNode] = {}
        self._changes, self._before, self._after, self._removed = changes, before, after, removed
        edited = {*changes, *before, *after, *removed}
        self._holding = edited.union(*(code.above(node) for node in edited))

    def on_visit(self, node: cst.CSTNode) -> bool:
        return node in self._holding

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode | cst.FlattenSentinel[cst.CSTNode]:
        node = updated_node
        if isinstance(original_node, cst.Call) and isinstance(node, cst.Call) and original_node in self._holding:
            node = node.with_changes(args=self._arguments(original_node, node))
        for change in self._changes.get(original_node, ()):
            node = change(node)
        if node is not original_node:
            self.became[original_node] = node
        if isinstance(node, Statement):
            before, after = self._before.get(original_node, ()), self._after.get(original_node, ())
            return cst.FlattenSentinel([*before, node, *after]) if before or after else node
        return node

    def _arguments(self, before: cst.Call, call: cst.Call) -> list[cst.Arg]:
        """The arguments with the added ones and without the removed ones. Commas and lines stay as they were."""
        found = [_as_argument(one) for one in self._after.get(before, ())]
        begins_line = isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace)
        for was, one in zip(before.args, call.args, strict=True):
            if was in self._removed:
                if found:
                    found[-1] = _with_tail_of(found[-1], one, last=was is before.args[-1])
                continue
            found.append(one)
            for new in map(_as_argument, self._after.get(was, ())):
                last, gap = found[-1], _gap(found[-1])
                own_line = new.keyword is None and begins_line and was is not before.args[-1]
                if own_line and isinstance(gap, cst.ParenthesizedWhitespace):
                    bare = gap.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=())
                    found.append(new.with_changes(comma=cst.Comma(whitespace_after=bare)))
                else:
                    found[-1] = last.with_changes(
                        comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")),
                        whitespace_after_arg=cst.SimpleWhitespace(""),
                    )
                    found.append(new.with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg))
            begins_line = isinstance(_gap(one), cst.ParenthesizedWhitespace)
        return found


def _as_argument(node: cst.CSTNode) -> cst.Arg:
    assert isinstance(node, cst.Arg)
    return node


def _gap(argument: cst.Arg) -> cst.BaseParenthesizableWhitespace:
    """The white space and comments between an argument and the next one, or the closing parenthesis."""
    return argument.comma.whitespace_after if isinstance(argument.comma, cst.Comma) else argument.whitespace_after_arg


def _with_tail_of(one: cst.Arg, removed: cst.Arg, last: bool) -> cst.Arg:
    """An argument whose next argument is removed: it takes over the comma and the line end of the removed one."""
    mine, other = _gap(one), _gap(removed)
    comma, after = removed.comma, removed.whitespace_after_arg
    if isinstance(mine, cst.ParenthesizedWhitespace):
        if not last:
            return one  # the removed argument begins a line; the next argument takes this place
        # Comments behind this argument stay. The closing parenthesis stays where it was.
        gap: cst.BaseParenthesizableWhitespace = other
        if isinstance(other, cst.ParenthesizedWhitespace):
            gap = mine.with_changes(indent=other.indent, last_line=other.last_line)
        elif mine.first_line.comment or any(line.comment for line in mine.empty_lines):
            gap = mine
        if isinstance(comma, cst.Comma):
            comma = comma.with_changes(whitespace_after=gap)
        else:
            after = gap
    return one.with_changes(comma=comma, whitespace_after_arg=after)


def within_parentheses_of(old: cst.CSTNode, new: cst.BaseExpression) -> cst.BaseExpression:
    """An expression with its own parentheses and those of the expression that it replaces."""
    if not isinstance(old, cst.BaseExpression):
        return new
    return new.with_changes(lpar=[*old.lpar, *new.lpar], rpar=[*new.rpar, *old.rpar])
