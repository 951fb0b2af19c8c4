"""Where a script writes activations, and which of them computes the network's outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import libcst as cst

from babysit.record import ACTIVATIONS
from babysit.remedies.source._code import Code, Statement, called
from babysit.remedies.source._training import (
    makes_network,
    method_of,
    module_classes,
    module_name,
    network_names,
    owner_of,
)

# Names of modules, with the functions of torch.nn.functional that compute the same.
FUNCTIONS = {facts.module: facts.functions[0] for facts in ACTIVATIONS.values() if facts.functions}
FUNCTIONS["Softmax"] = "softmax"
IN_TORCH = frozenset({"relu", "sigmoid", "tanh"})  # these exist as torch.relu, too
# Methods that change the shape of outputs only.
SHAPING = frozenset({"squeeze", "unsqueeze", "view", "reshape", "flatten"})

Form = Literal["module", "function", "method"]


@dataclass(frozen=True)
class Site:
    """One activation in the text.

    Attributes:
        name: The name of its function, such as `relu`.
        form: Whether the text makes a module, calls a function, or calls a method of a tensor.
        node: The call.
    """

    name: str
    form: Form
    node: cst.Call = field(repr=False)

    @property
    def inner(self) -> cst.BaseExpression:
        """Its input; for a method, the tensor."""
        return inner_of(self.node, self.form)


def inner_of(call: cst.Call, form: Form) -> cst.BaseExpression:
    """The input of an activation's call; for a method, the tensor."""
    return owner_of(call) if form == "method" else call.args[0].value


@dataclass(frozen=True)
class Outputs:
    """What computes a network's outputs.

    Attributes:
        site: The activation; None if the last layer is not an activation.
        call: The call of the module in `forward`, if the module is made somewhere else.
    """

    site: Site | None
    call: Site | None = None


def site_of(code: Code, node: cst.CSTNode) -> Site | None:
    """The activation, if this call is one."""
    if not isinstance(node, cst.Call):
        return None
    module = module_name(code, node)
    if module:
        return Site(FUNCTIONS[module], "module", node) if module in FUNCTIONS else None
    package, _, last = code.dotted(node.func).rpartition(".")
    if package:
        known = package in ("torch", "torch.nn.functional") and last in FUNCTIONS.values() and node.args
        return Site(last, "function", node) if known else None
    of_tensor = isinstance(node.func, cst.Attribute) and called(node) in FUNCTIONS.values()
    if of_tensor and not code.dotted(owner_of(node)) and not is_self(node.func):
        return Site(called(node), "method", node)
    return None


def outputs_of(code: Code) -> Outputs | None:
    """What computes the outputs of the script's only network; None if that is not certain."""
    classes, names = module_classes(code), network_names(code)
    made = {
        called(call)
        for name, value in code.assigned()
        if name in names and makes_network(code, value)
        for call in code.calls(value)
        if isinstance(call.func, cst.Name)
    }
    networks = [one for one in classes if one.name.value in made | code.elsewhere.made]
    if not networks:
        found = [call for call in code.calls() if module_name(code, call) == "Sequential"]
        top = [one for one in found if not any(up in found for up in code.above(one))]
        if len(top) != 1 or any(one in classes for one in code.above(top[0])) or code.calls_of({"torch.nn.Module"}):
            return None
        return _of_sequential(code, top[0])
    forward = method_of(networks[0], "forward")
    returns = code.every(cst.Return, forward)
    if len(networks) != 1 or len(returns) != 1 or returns[0].value is None:
        return None
    return _of_value(code, networks[0], returns[0], returns[0].value, 6)


def _of_value(code: Code, owner: cst.ClassDef, at: Statement, value: cst.BaseExpression, depth: int) -> Outputs | None:
    if not depth:
        return None
    if isinstance(value, cst.Name):
        # Only a value from the statement directly before is certain.
        match _before(code, at):
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))]) as before if name == value.value:
                return _of_value(code, owner, before, before.value, depth - 1)
        return None
    site = site_of(code, value)
    if site is not None:
        return Outputs(site)
    if not isinstance(value, cst.Call):
        return None
    if isinstance(value.func, cst.Attribute) and called(value) in SHAPING and not code.dotted(value.func):
        return _of_value(code, owner, at, value.func.value, depth - 1)
    if is_self(value.func) and value.args:
        return _of_attribute(code, owner, value)
    return Outputs(None) if code.dotted(value.func).startswith("torch.") else None


def _of_attribute(code: Code, owner: cst.ClassDef, call: cst.Call) -> Outputs | None:
    """For a module that the class makes once and calls once."""
    made: list[cst.BaseExpression] = []
    read = 0
    for node in code.every(cst.Attribute, owner):
        if is_self(node) and node.attr.value == called(call):
            target = code.parents[node]
            read += not isinstance(target, cst.AssignTarget)
            match code.parents[target]:
                case cst.Assign(value=value) if isinstance(target, cst.AssignTarget):
                    made.append(value)
    if len(made) != 1:
        return None
    kind, site = module_name(code, made[0]), site_of(code, made[0])
    if kind == "Sequential" and isinstance(made[0], cst.Call):
        return _of_sequential(code, made[0]) if read == 1 else None
    if site is not None:
        return Outputs(site, Site(site.name, "function", call)) if read == 1 else None
    return Outputs(None) if kind else None


def _of_sequential(code: Code, call: cst.Call) -> Outputs | None:
    last = call.args[-1].value if call.args else None
    if last is not None and call.args[-1].star:
        last = _last_put_in(code, call, last)
    kind = module_name(code, last)
    if last is None or not isinstance(last, cst.Call):
        return None
    if kind == "Sequential":
        return _of_sequential(code, last)
    site = site_of(code, last)
    return Outputs(site) if site is not None or kind else None


def _last_put_in(code: Code, call: cst.Call, layers: cst.BaseExpression) -> cst.BaseExpression | None:
    """The last layer that was appended to a list, if that was in the statement directly before."""
    match _before(code, code.statement(call)):
        case cst.Expr(value=cst.Call(func=cst.Attribute(value=to, attr=cst.Name(value="append")), args=[new])):
            return new.value if code.words(to) == code.words(layers) else None
        case cst.AugAssign(target=to, value=cst.List(elements=[*_, new])):
            return new.value if code.words(to) == code.words(layers) else None
    return None


def _before(code: Code, statement: Statement) -> Statement | None:
    block = code.block(statement)
    place = block.index(statement)
    return block[place - 1] if place else None


def is_self(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value == "self"


def function_name(code: Code, function: str, at: cst.CSTNode) -> str | None:
    """How to write an activation's function at this place."""
    name = code.spelled(f"torch.{function}", at) if function in IN_TORCH else None
    return name or code.spelled(f"torch.nn.functional.{function}", at)
