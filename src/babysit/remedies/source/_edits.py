"""Edits of a script's tree: gathered, then made at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import libcst as cst

from babysit.remedies.source._code import Code, Statement, as_python

Become = Callable[[cst.CSTNode], cst.CSTNode]


@dataclass(frozen=True)
class Place:
    """Where a text was changed.

    Attributes:
        was: What is changed, or beside which something is put: of the tree before.
        now: What can be seen of it: of the tree after.
        say: In words, where the line alone, as it will be, does not tell what is to be done.
    """

    was: cst.CSTNode
    now: cst.CSTNode
    say: str = ""


@dataclass(frozen=True)
class Edited:
    """A text after edits.

    Attributes:
        code: The text.
        places: Where it was changed, in the order of the edits.
        became: Nodes of the tree before, where another one stands in their place.
    """

    code: Code
    places: tuple[Place, ...]
    became: dict[cst.CSTNode, cst.CSTNode]


class Edits:
    """Edits of a text, gathered and then made at once. What they do not touch stays as it is, byte for byte.

    Args:
        code: The text; it is not changed.

    Example:
        >>> edits = Edits(Code("opt = SGD(lr=0.1)  # fast\\n"))
        >>> edits.put(edits.code.calls()[0].args[0].value, "3")
        >>> edits.after(edits.code.statement(edits.code.calls()[0]), "print(opt)")
        >>> edits.made().code.text
        'opt = SGD(lr=3)  # fast\\nprint(opt)\\n'
    """

    def __init__(self, code: Code) -> None:
        self.code = code
        self._changes: dict[cst.CSTNode, list[Become]] = {}
        self._before: dict[cst.CSTNode, list[cst.CSTNode]] = {}
        self._after: dict[cst.CSTNode, list[cst.CSTNode]] = {}
        self._removed: set[cst.CSTNode] = set()
        self._places: list[Place] = []

    def __bool__(self) -> bool:
        return bool(self._places)

    def change(self, node: cst.CSTNode, become: Become, say: str = "", shown: cst.CSTNode | None = None) -> None:
        """Let a node become what a function makes of it, which is given it with all edits within it made."""
        self._changes.setdefault(node, []).append(become)
        self._places.append(Place(node, shown or node, say))

    def put(self, node: cst.CSTNode, text: str, say: str = "") -> None:
        """Put an expression in the place of another."""
        new = cst.parse_expression(text, self.code.module.config_for_parsing)
        self._changes[node] = []
        self.change(node, lambda old: within_parentheses_of(old, new), say)

    def before(self, statement: Statement, *texts: str, say: str = "", apart: bool = False) -> None:
        """Put statements before one: on lines of their own, where that begins one, and `apart` with empty ones."""
        holder = self.code.parents[statement]
        if isinstance(holder, cst.SimpleStatementLine) and holder.body[0] is statement:
            statement, holder = holder, self.code.parents[holder]
        if isinstance(holder, cst.SimpleStatementLine | cst.SimpleStatementSuite):
            new: list[cst.CSTNode] = [one.body[0] for one in map(self._line, texts)]
        else:
            # Comments above a statement stand above what is put before it, too.
            gap = [cst.EmptyLine(indent=False)] if apart else []
            lines = [self._line(text).with_changes(leading_lines=gap) for text in texts]
            new = [lines[0].with_changes(leading_lines=getattr(statement, "leading_lines", ())), *lines[1:]]
            self._changes.setdefault(statement, []).append(lambda old: old.with_changes(leading_lines=gap))
        self._before.setdefault(statement, []).extend(new)
        self._places.append(Place(statement, new[0], say))

    def after(self, statement: Statement, text: str, say: str = "") -> None:
        """Put another statement after a simple one."""
        line, holder = self._line(text), self.code.parents[statement]
        alone = isinstance(holder, cst.SimpleStatementLine) and len(holder.body) == 1
        new: cst.CSTNode = line if alone else line.body[0]
        self._after.setdefault(holder if alone else statement, []).append(new)
        self._places.append(Place(statement, new, say))

    def at_end(self, *texts: str) -> None:
        """Put statements behind all others."""
        lines = [self._line(text) for text in texts]
        self.change(self.code.module, lambda old: old.with_changes(body=[*self.code.module.body, *lines]))

    def add_keyword(self, call: cst.Call, name: str, value: str) -> None:
        """Give a call one more argument, behind the last one."""
        new = cst.Arg(cst.parse_expression(value), cst.Name(name), cst.AssignEqual(*(cst.SimpleWhitespace(""),) * 2))
        behind = call.args[-1] if call.args else call
        self._after.setdefault(behind, []).append(new)
        self._places.append(Place(behind, new.value))

    def add_argument(self, behind: cst.Arg, value: str, say: str = "") -> None:
        """Give a call one more argument behind another, on a line of its own where they have such."""
        new = cst.Arg(cst.parse_expression(value, self.code.module.config_for_parsing))
        self._after.setdefault(behind, []).append(new)
        self._places.append(Place(behind.value, new.value, say))

    def remove_argument(self, argument: cst.Arg, say: str = "") -> None:
        """Take an argument out of a call, with its line where it has one of its own."""
        self._removed.add(argument)
        call = self.code.parents[argument]
        assert isinstance(call, cst.Call)
        place = call.args.index(argument)
        left = [one for one in (*call.args[place + 1 :], *reversed(call.args[:place])) if one not in self._removed]
        self._places.append(Place(argument.value, left[0].value if left else call, say))

    def _line(self, text: str) -> cst.SimpleStatementLine:
        made = cst.parse_statement(text, self.code.module.config_for_parsing)
        assert isinstance(made, cst.SimpleStatementLine)
        return made

    def made(self) -> Edited:
        """The text with the edits.

        Raises:
            SyntaxError: It is not Python any more.
        """
        maker = _Maker(self.code, self._changes, self._before, self._after, self._removed)
        module = self.code.module.visit(maker)
        as_python(module.bytes)  # libcst lets some through that Python does not
        places = [Place(one.was, maker.became.get(one.now, one.now), one.say) for one in self._places]
        return Edited(self.code.with_module(module), tuple(places), maker.became)


class _Maker(cst.CSTTransformer):
    """Makes edits; nodes that hold none stay the same objects."""

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
        """Arguments with those that are put in, without those that are taken out; commas and lines as they were."""
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
                if new.keyword is None and begins_line and isinstance(gap, cst.ParenthesizedWhitespace):
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
    """What stands between an argument and the next one, or the parenthesis."""
    return argument.comma.whitespace_after if isinstance(argument.comma, cst.Comma) else argument.whitespace_after_arg


def _with_tail_of(one: cst.Arg, removed: cst.Arg, last: bool) -> cst.Arg:
    """An argument in front of another that is taken out: with the comma and the line's end that followed that one."""
    mine, other = _gap(one), _gap(removed)
    comma, after = removed.comma, removed.whitespace_after_arg
    if isinstance(mine, cst.ParenthesizedWhitespace):
        if not last:
            return one  # the other one begins a line, which what follows it takes
        if isinstance(other, cst.ParenthesizedWhitespace):
            # The comment behind this one stays; the parenthesis stands where it stood.
            other = mine.with_changes(indent=other.indent, last_line=other.last_line)
            if isinstance(comma, cst.Comma):
                comma = comma.with_changes(whitespace_after=other)
            else:
                after = other
    return one.with_changes(comma=comma, whitespace_after_arg=after)


def within_parentheses_of(old: cst.CSTNode, new: cst.BaseExpression) -> cst.BaseExpression:
    """An expression within the parentheses that another one had, and its own."""
    if not isinstance(old, cst.BaseExpression):
        return new
    return new.with_changes(lpar=[*old.lpar, *new.lpar], rpar=[*new.rpar, *old.rpar])
