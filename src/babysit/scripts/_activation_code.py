"""Where a script writes activations, and which of them gives the network's outputs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from babysit.record import ACTIVATIONS
from babysit.scripts._code import Code
from babysit.scripts._training_code import makes_network, method_of, module_classes, module_name, network_names

# Those that torch.nn has and that learn nothing, so that another one can stand in their place.
FUNCTIONS = {"Softmax": "softmax"} | {
    facts.module: facts.functions[0]
    for name, facts in ACTIVATIONS.items()
    if facts.functions and name not in ("prelu", "maxout")
}
MODULES = {function: module for module, function in FUNCTIONS.items()}
# What leaves an output's numbers as they are.
SHAPING = frozenset({"squeeze", "unsqueeze", "view", "reshape", "flatten"})

Form = Literal["module", "function", "method"]


@dataclass(frozen=True)
class Site:
    """An activation as it is written.

    Attributes:
        name: Of its function.
        form: A module made, a function called, or a method of a tensor called.
        node: The call.
        inner: What the function or method is given; of a module that is called in `forward`, too.
    """

    name: str
    form: Form
    node: ast.Call = field(repr=False)
    inner: ast.expr | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Outputs:
    """What gives a network's outputs: an activation, or anything else that is known to be none.

    Attributes:
        site: The activation; None where it is none.
        call: The call of it within `forward`, where the module is made elsewhere.
        node: What it is.
    """

    site: Site | None
    node: ast.AST = field(repr=False)
    call: Site | None = None


def sites(code: Code) -> Iterator[Site]:
    """All activations that are written, in their order."""
    for call in code.calls():
        found = site_of(code, call)
        if found is not None:
            yield found


def site_of(code: Code, node: ast.AST) -> Site | None:
    """The activation that a call is, if it is one."""
    if not isinstance(node, ast.Call):
        return None
    name = module_name(code, node)
    if name:
        return Site(FUNCTIONS[name], "module", node) if name in FUNCTIONS else None
    dotted = code.dotted(node.func)
    package, _, last = dotted.rpartition(".")
    if package in ("torch", "torch.nn.functional") and last in MODULES and node.args:
        return Site(last, "function", node, node.args[0])
    if not dotted and isinstance(node.func, ast.Attribute) and node.func.attr in MODULES and not (
        code.dotted(node.func.value) or _is_self(node.func)
    ):  # fmt: skip
        return Site(node.func.attr, "method", node, node.func.value)
    return None


def outputs_of(code: Code) -> Outputs | None:
    """What gives the outputs of the script's only network; None where that is not plain."""
    classes = module_classes(code)
    networks = [one for one in classes if _is_network(code, one)]
    if not networks:
        found = [call for call in code.calls() if module_name(code, call) == "Sequential"]
        top = [one for one in found if not any(up in found for up in code.above(one))]
        if len(top) != 1 or any(one in classes for one in code.above(top[0])) or code.calls_of({"torch.nn.Module"}):
            return None
        return _of_sequential(code, top[0])
    if len(networks) != 1:
        return None
    forward = method_of(networks[0], "forward")
    assert forward is not None
    returns = [one for one in ast.walk(forward) if isinstance(one, ast.Return)]
    if len(returns) != 1 or returns[0].value is None:
        return None
    return _of_value(code, networks[0], returns[0], returns[0].value, 6)


def _is_network(code: Code, node: ast.ClassDef) -> bool:
    """Whether a network's name stands for an object of this class."""
    return any(
        isinstance(one, ast.Assign)
        and any(isinstance(at, ast.Name) and at.id in network_names(code) for at in one.targets)
        and makes_network(code, one.value)
        and any(isinstance(call.func, ast.Name) and call.func.id == node.name for call in code.calls(one.value))
        for one in ast.walk(code.tree)
    )  # fmt: skip


def _of_value(code: Code, owner: ast.ClassDef, at: ast.stmt, value: ast.expr, depth: int) -> Outputs | None:
    if not depth:
        return None
    if isinstance(value, ast.Name):
        # Set in the statement before, for which nothing else can have come in between.
        block = code.block(at)
        place = block.index(at)
        before = block[place - 1] if place else None
        if not isinstance(before, ast.Assign) or [code.segment(one) for one in before.targets] != [value.id]:
            return None
        return _of_value(code, owner, before, before.value, depth - 1)
    site = site_of(code, value)
    if site is not None:
        return Outputs(site, value)
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr in SHAPING and not code.dotted(value.func):
        return _of_value(code, owner, at, value.func.value, depth - 1)
    if isinstance(value.func, ast.Attribute) and _is_self(value.func) and value.args:
        return _of_attribute(code, owner, value, value.func.attr)
    return Outputs(None, value) if code.dotted(value.func).startswith("torch.") else None


def _of_attribute(code: Code, owner: ast.ClassDef, call: ast.Call, name: str) -> Outputs | None:
    """Of a module that the class made once: it must be called once, too."""
    made, read = [], 0
    for node in ast.walk(owner):
        if isinstance(node, ast.Attribute) and node.attr == name and _is_self(node):
            parent = code.parents[node]
            if isinstance(node.ctx, ast.Load):
                read += 1
            elif isinstance(parent, ast.Assign):
                made.append(parent.value)
    if len(made) != 1:
        return None
    kind = module_name(code, made[0])
    if kind == "Sequential":
        assert isinstance(made[0], ast.Call)
        return _of_sequential(code, made[0]) if read == 1 else None
    site = site_of(code, made[0])
    if site is not None:
        return Outputs(site, made[0], Site(site.name, "function", call, call.args[0])) if read == 1 else None
    return Outputs(None, made[0]) if kind else None


def _of_sequential(code: Code, call: ast.Call) -> Outputs | None:
    last: ast.AST | None = call.args[-1] if call.args else None
    if isinstance(last, ast.Starred):
        last = _last_put_in(code, call, last.value)
    if last is None or not isinstance(last, ast.Call):
        return None
    kind = module_name(code, last)
    if kind == "Sequential":
        return _of_sequential(code, last)
    site = site_of(code, last)
    return Outputs(site, last) if site is not None or kind else None


def _last_put_in(code: Code, call: ast.Call, name: ast.expr) -> ast.AST | None:
    """What was put last into a list: in the statement before it is taken out."""
    if not isinstance(name, ast.Name):
        return None
    statement = code.statement(call)
    block = code.block(statement)
    place = block.index(statement)
    before = block[place - 1] if place else None
    if isinstance(before, ast.Expr) and isinstance(before.value, ast.Call):
        put = before.value
        if (
            isinstance(put.func, ast.Attribute)
            and put.func.attr == "append"
            and code.segment(put.func.value) == name.id
        ):
            return put.args[0] if put.args else None
    if isinstance(before, ast.AugAssign) and code.segment(before.target) == name.id:
        return before.value.elts[-1] if isinstance(before.value, ast.List) and before.value.elts else None
    return None


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"
