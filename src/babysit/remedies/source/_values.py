"""Values and arguments of calls in a script: how to read them, and how to change them where they are defined."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from babysit.remedies.source._code import Code, called
from babysit.remedies.source._edits import Edits

DEPTH = 5  # how many names are followed: a = b, b = c, ...


def give(edits: Edits, places: Sequence[cst.BaseExpression], value: str) -> None:
    """Give all of these expressions a value.

    If an expression is a name, a parameter or a command-line option, and only these expressions use it (printing and
    comparing do not count), its definition or default is changed. Otherwise the expressions themselves are changed.

    Example:
        >>> edits = Edits(Code("RATE = 0.1\\nopt = SGD(net.parameters(), lr=RATE)"))
        >>> give(edits, [edits.code.calls()[0].args[1].value], "0.01")
        >>> edits.made().code.text.splitlines()[0]
        'RATE = 0.01'
    """
    for place in places:
        edits.put(_definition(edits.code, place, places, DEPTH) or place, value)


def argument_of(call: cst.Call, name: str, place: int | None = None) -> cst.BaseExpression | None:
    """The value of an argument, given by keyword or by position."""
    for number, one in enumerate(call.args):
        if one.keyword.value == name if one.keyword is not None else number == place:
            return one.value
    return None


def by_place(call: cst.Call) -> list[cst.BaseExpression]:
    """The values of all arguments that are given by position."""
    return [one.value for one in call.args if one.keyword is None]


def is_open(call: cst.Call) -> bool:
    """Whether the call has `*arguments` or `**arguments`, so that not all arguments are known."""
    return any(one.star for one in call.args)


def set_argument(edits: Edits, call: cst.Call, name: str, place: int | None, value: str) -> None:
    """Change the value of an argument, or add the argument."""
    found = argument_of(call, name, place)
    if found is None:
        edits.add_keyword(call, name, value)
    else:
        give(edits, [found], value)


def is_literal(node: cst.CSTNode | None) -> bool:
    """Whether an expression consists of numbers, strings and operators only."""
    match node:
        case cst.UnaryOperation(expression=inner):
            return is_literal(inner)
        case cst.BinaryOperation(left=left, right=right):
            return is_literal(left) and is_literal(right)
        case cst.Name(value="True" | "False" | "None"):
            return True
    return isinstance(node, cst.BaseNumber | cst.SimpleString)


def number_in(node: cst.CSTNode) -> float | int | None:
    """The value of a number as it is written; None for everything else."""
    return node.evaluated_value if isinstance(node, cst.Integer | cst.Float) else None


def _definition(
    code: Code, place: cst.BaseExpression, places: Sequence[cst.BaseExpression], depth: int
) -> cst.BaseExpression | None:
    if isinstance(place, cst.Attribute):
        return _option(code, place, places)
    if not depth or not isinstance(place, cst.Name):
        return None
    made = code.given(place)
    if len(made) != 1 or any(one not in places and not _harmless(code, one) for one in code.reads(place)):
        return None
    value = code.value_of(place)
    if value is not None:
        return value if is_literal(value) else _definition(code, value, [value], depth - 1)
    parameter = getattr(made[0], "node", None)
    function = code.function(place)
    if function is not None and isinstance(parameter, cst.Param) and code.function(parameter) is function:
        return _passed(code, function, parameter, depth)
    return None


def _passed(code: Code, function: cst.FunctionDef, parameter: cst.Param, depth: int) -> cst.BaseExpression | None:
    """Where a parameter gets its value: in the only call of its function, or as its default."""
    callers = code.callers(function)
    names = [*function.params.posonly_params, *function.params.params]
    if len(callers) != 1 or is_open(callers[0]) or parameter not in [*names, *function.params.kwonly_params]:
        return None
    bound = code.class_of(function) is not None
    place = names.index(parameter) - bound if parameter in names else None
    given = argument_of(callers[0], parameter.name.value, place)
    if given is not None:
        return given if is_literal(given) else _definition(code, given, [given], depth - 1)
    return parameter.default if is_literal(parameter.default) else None


def _option(code: Code, place: cst.Attribute, places: Sequence[cst.BaseExpression]) -> cst.BaseExpression | None:
    """The default of a command-line option; None if the command line gives the option."""
    parsed = code.value_of(place.value)
    if not isinstance(parsed, cst.Call) or called(parsed) != "parse_args":
        return None
    for node in code.every(cst.Attribute):
        if node.attr.value == place.attr.value and node not in places and not _harmless(code, node):
            return None
    found = []
    for call in code.methods("add_argument"):
        flags = [str(one.evaluated_value) for one in by_place(call) if isinstance(one, cst.SimpleString)]
        long = next((flag for flag in flags if flag.startswith("--")), flags[0] if flags else "")
        dest = argument_of(call, "dest")
        name = dest.evaluated_value if isinstance(dest, cst.SimpleString) else long.lstrip("-").replace("-", "_")
        if name == place.attr.value and not is_open(call):
            found.append((flags, argument_of(call, "default")))
    if len(found) != 1 or any(_gives(given, flag) for given in code.arguments for flag in found[0][0]):
        return None
    default = found[0][1]
    return default if is_literal(default) else None


def _gives(given: str, flag: str) -> bool:
    if not given.startswith("-") or not flag.startswith("-"):
        return not flag.startswith("-")
    # argparse accepts shortened options.
    front = given.partition("=")[0]
    return flag.startswith(front) if flag.startswith("--") else given.startswith(flag)


def _harmless(code: Code, node: cst.CSTNode) -> bool:
    """Whether a value is only printed or compared here."""
    for one in code.above(node):
        match one:
            case cst.Comparison() | cst.Call(func=cst.Name(value="print")):
                return True
            case cst.BaseSmallStatement() | cst.BaseStatement():
                return False
    return False
