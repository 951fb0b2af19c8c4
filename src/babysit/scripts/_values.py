"""Another value for what is written in a script: in its place, or where it is defined, if nothing else reads it."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from babysit.scripts._code import Code, Edit, Function

DEPTH = 5  # of names that stand for names


def given_value(code: Code, places: Sequence[ast.expr], value: str) -> list[Edit]:
    """Edits that give all of these expressions a value.

    A name's definition, a parameter's default or an option's is changed where these expressions alone read it, except
    for what prints or compares it; otherwise the expressions themselves are.

    Example:
        >>> from babysit.scripts._code import edited
        >>> code = Code("RATE = 0.1\\nopt = SGD(net.parameters(), lr=RATE)")
        >>> rate = next(iter(code.calls())).keywords[0].value
        >>> edited(code.text, given_value(code, [rate], "0.01"))[0].splitlines()[0]
        'RATE = 0.01'
    """
    found = {}
    for place in places:
        at = _definition(code, place, places, DEPTH) or place
        found[code.start(at)] = Edit(code.start(at), code.end(at), value)
    return list(found.values())


def keyword_of(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword of a call."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def argument_of(call: ast.Call, name: str, place: int) -> ast.expr | None:
    """The value of an argument by keyword or place."""
    found = keyword_of(call, name)
    return found if found is not None else (call.args[place] if place < len(call.args) else None)


def is_open(call: ast.Call) -> bool:
    """Whether arguments come out of a list or dictionary, so that nobody knows them."""
    return any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords)


def with_keyword(code: Code, call: ast.Call, name: str, value: str) -> Edit | None:
    """One more keyword, behind the last argument; None where its place cannot be known."""
    parts = [*call.args, *(one.value for one in call.keywords)]
    if not parts:
        inside = code.text[code.end(call.func) : code.end(call)]
        return Edit(code.end(call) - 1, code.end(call) - 1, f"{name}={value}") if inside == "()" else None
    at = max(code.end(part) for part in parts)
    return Edit(at, at, f", {name}={value}")


def is_literal(node: ast.AST | None) -> bool:
    """Whether a value is made of numbers and signs alone."""
    if isinstance(node, ast.UnaryOp):
        return is_literal(node.operand)
    if isinstance(node, ast.BinOp):
        return is_literal(node.left) and is_literal(node.right)
    return isinstance(node, ast.Constant)


def _definition(code: Code, place: ast.expr, places: Sequence[ast.expr], depth: int) -> ast.expr | None:
    if not depth:
        return None
    if isinstance(place, ast.Attribute):
        return _option(code, place, places)
    if not isinstance(place, ast.Name):
        return None
    others = [one for one in code.loads(place.id) if one not in places and not _harmless(code, one)]
    stores = code.stores(place.id)
    if others or len(stores) != 1:
        return None
    value = code.assigned(place.id)
    if value is not None:
        if is_literal(value):
            return value
        return _definition(code, value, [value], depth - 1) if isinstance(value, ast.Name | ast.Attribute) else None
    function = code.function(stores[0])
    if isinstance(stores[0], ast.arg) and function is not None and code.function(place) is function:
        return _passed(code, function, stores[0], depth)
    return None


def _passed(code: Code, function: Function, parameter: ast.arg, depth: int) -> ast.expr | None:
    """Where a parameter has its value from: the only call, or the default."""
    callers = code.callers(function)
    names = [*function.args.posonlyargs, *function.args.args]
    if len(callers) != 1 or is_open(callers[0]) or parameter not in [*names, *function.args.kwonlyargs]:
        return None
    call = callers[0]
    place = names.index(parameter) if parameter in names else len(names)
    bound = isinstance(code.parents.get(function), ast.ClassDef)
    given = argument_of(call, parameter.arg, place - bound)
    if given is not None:
        return given if is_literal(given) else _definition(code, given, [given], depth - 1)
    if parameter in function.args.kwonlyargs:
        default = function.args.kw_defaults[function.args.kwonlyargs.index(parameter)]
    else:
        index = place - (len(names) - len(function.args.defaults))
        default = function.args.defaults[index] if index >= 0 else None
    return default if is_literal(default) else None


def _option(code: Code, place: ast.Attribute, places: Sequence[ast.expr]) -> ast.expr | None:
    """The default of an option of the command line, unless it is given there."""
    parsed = code.assigned(place.value.id) if isinstance(place.value, ast.Name) else None
    if not (isinstance(parsed, ast.Call) and isinstance(parsed.func, ast.Attribute)
            and parsed.func.attr == "parse_args"):  # fmt: skip
        return None
    same = [one for one in ast.walk(code.tree) if isinstance(one, ast.Attribute) and one.attr == place.attr]
    if any(one not in places and not _harmless(code, one) for one in same):
        return None
    found = []
    for call in code.methods("add_argument"):
        flags = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        dest = keyword_of(call, "dest")
        long = next((flag for flag in flags if flag.startswith("--")), flags[0] if flags else "")
        name = dest.value if isinstance(dest, ast.Constant) else long.lstrip("-").replace("-", "_")
        if name == place.attr and not is_open(call):
            found.append((flags, keyword_of(call, "default")))
    if len(found) != 1 or any(_gives(given, flag) for given in code.arguments for flag in found[0][0]):
        return None
    default = found[0][1]
    return default if is_literal(default) else None


def _gives(given: str, flag: str) -> bool:
    if not given.startswith("-") or not flag.startswith("-"):
        return not flag.startswith("-")
    # Options may be shortened as long as they stay plain.
    front = given.partition("=")[0]
    return flag.startswith(front) if flag.startswith("--") else given.startswith(flag)


def _harmless(code: Code, node: ast.AST) -> bool:
    """Whether a value is read only to be printed or compared."""
    for one in code.above(node):
        if isinstance(one, ast.Compare):
            return True
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "print":
            return True
        if isinstance(one, ast.stmt):
            return False
    return False
