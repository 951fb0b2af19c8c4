"""What the text of a script tells: where its loop over epochs is, and the same text with another number of them."""

from __future__ import annotations

import ast

from babysit.record import InputError


def epoch_loop(tree: ast.Module) -> ast.For | None:
    """The outermost loop over a `range` in which the network is trained, directly or in functions of the script."""
    trains = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and _calls(node) & {"backward", "step"}
    }
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.For) and _is_range(child.iter) and _calls(child) & ({"backward", "step"} | trains):
                return child
            waiting.append(child)
    return None


def with_epochs(tree: ast.Module, epochs: int) -> ast.Module:
    """The same script with another number of epochs.

    Raises:
        InputError: No loop over epochs was found.

    Example:
        >>> tree = ast.parse("for epoch in range(3):\\n    loss.backward()")
        >>> ast.unparse(with_epochs(tree, 9)).splitlines()[0]
        'for epoch in range(9):'
    """
    loop = epoch_loop(tree)
    if loop is None or not isinstance(loop.iter, ast.Call):
        raise InputError("no loop over epochs was found in the script", legal="for epoch in range(...)")
    call = loop.iter
    if _name(call.func) == "tqdm" and isinstance(call.args[0], ast.Call):
        call = call.args[0]
    stop: ast.expr = ast.Constant(epochs)
    if len(call.args) == 1:
        call.args = [stop]
    else:
        call.args[1] = ast.BinOp(call.args[0], ast.Add(), stop)
    return ast.fix_missing_locations(tree)


def _calls(node: ast.AST) -> set[str]:
    return {_name(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)}


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_range(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and _name(node.func) in ("tqdm", "trange") and node.args:
        return _name(node.func) == "trange" or _is_range(node.args[0])
    return isinstance(node, ast.Call) and _name(node.func) == "range" and bool(node.args)
