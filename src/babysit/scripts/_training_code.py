"""Where a script trains: the names of its networks and optimizers, its backward pass, its losses."""

from __future__ import annotations

import ast

from babysit.record import LOSS_FACTS
from babysit.scripts._code import Code, Function, last_name

# What torch.optim has, and which weight decay each takes where none is written.
OPTIMIZERS = {
    "ASGD": 0.0, "Adadelta": 0.0, "Adagrad": 0.0, "Adam": 0.0, "AdamW": 0.01, "Adamax": 0.0, "NAdam": 0.0,
    "RAdam": 0.0, "RMSprop": 0.0, "SGD": 0.0,
}  # fmt: skip
# Those that take outputs and targets alone.
LOSS_MODULES = {facts.module: name for name, facts in LOSS_FACTS.items() if facts.plain}
LOSS_CALLS = {facts.function: name for name, facts in LOSS_FACTS.items() if facts.plain}
OF_NETWORKS = frozenset({"train", "eval", "parameters", "named_parameters", "state_dict"})
KEEPING = frozenset({"to", "cuda", "cpu", "float", "double", "train", "eval", "requires_grad_"})


def optimizer_calls(code: Code) -> list[ast.Call]:
    """Where optimizers of torch are made."""
    found = []
    for call in code.calls():
        dotted = code.dotted(call.func)
        if dotted.startswith("torch.optim.") and ".lr_scheduler" not in dotted and last_name_of(dotted)[:1].isupper():
            found.append(call)
    return found


def last_name_of(dotted: str) -> str:
    """`SGD` of `torch.optim.SGD`."""
    return dotted.rpartition(".")[2]


def module_name(code: Code, node: ast.AST) -> str:
    """`Linear` of a call `nn.Linear(...)`; empty for everything else."""
    if not isinstance(node, ast.Call):
        return ""
    dotted = code.dotted(node.func)
    name = last_name_of(dotted)
    return name if dotted.startswith("torch.nn.") and not dotted.startswith("torch.nn.functional") else ""


def module_classes(code: Code) -> list[ast.ClassDef]:
    """Classes of the script that are networks or parts of them: those with a `forward`."""
    return [
        node for node in ast.walk(code.tree)
        if isinstance(node, ast.ClassDef) and method_of(node, "forward") is not None
    ]  # fmt: skip


def method_of(node: ast.ClassDef, name: str) -> Function | None:
    """A method by name."""
    return next((one for one in node.body if isinstance(one, Function) and one.name == name), None)


def makes_network(code: Code, value: ast.AST | None, depth: int = 5) -> bool:
    """Whether an expression makes a network, or gives back one."""
    if not isinstance(value, ast.Call) or not depth:
        return False
    name = module_name(code, value)
    if name:
        return name[:1].isupper() and not name.endswith("Loss")
    if isinstance(value.func, ast.Attribute) and value.func.attr in KEEPING:
        inner = value.func.value
        return makes_network(code, inner, depth - 1)
    called = last_name(value.func) if isinstance(value.func, ast.Name) else ""
    if any(one.name == called for one in module_classes(code)):
        return True
    for function in ast.walk(code.tree):
        if isinstance(function, Function) and function.name == called:
            given = [one.value for one in ast.walk(function) if isinstance(one, ast.Return)]
            values = [code.assigned(one.id) if isinstance(one, ast.Name) else one for one in given]
            return bool(values) and all(makes_network(code, one, depth - 1) for one in values)
    return False


def network_names(code: Code) -> set[str]:
    """Names that stand for networks: by what is assigned to them, or by what is called on them."""
    found = set()
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Assign) and makes_network(code, node.value):
            found |= {one.id for one in node.targets if isinstance(one, ast.Name)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in OF_NETWORKS:
            inner = node.func.value
            if isinstance(inner, ast.Name) and not code.dotted(inner) and inner.id != "self":
                found.add(inner.id)
    return found - _losses_by_name(code)


def network_at(code: Code, place: ast.AST) -> str | None:
    """The one network that is called where `place` is; None where there are none or several."""
    function = code.function(place)
    known = network_names(code)
    called = {
        call.func.id for call in code.calls(function or code.tree)
        if isinstance(call.func, ast.Name) and call.func.id in known and code.function(call) is function
    }  # fmt: skip
    return called.pop() if len(called) == 1 else None


def backward_of(code: Code) -> ast.Expr | None:
    """The only backward pass, where it is a statement of its own."""
    calls = code.methods("backward")
    if len(calls) != 1:
        return None
    statement = code.parents[calls[0]]
    return statement if isinstance(statement, ast.Expr) else None


def stepping(code: Code, statement: ast.stmt) -> tuple[str, ast.Expr] | None:
    """The optimizer that steps in the same block as a statement, and where it does; None where that is not plain."""
    found = []
    for one in code.block(statement):
        call = one.value if isinstance(one, ast.Expr) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "step":
            of = call.func.value
            if isinstance(of, ast.Name) and not is_schedule(code, of.id) and not call.args and not call.keywords:
                assert isinstance(one, ast.Expr)
                found.append((of.id, one))
    steps = [call for call in code.methods("step") if not is_schedule(code, last_name(_owner(call)))]
    return found[0] if len(found) == 1 and len(steps) == 1 else None


def is_schedule(code: Code, name: str) -> bool:
    """Whether a name stands for a schedule of the rate."""
    values = [code.parents.get(one) for one in code.stores(name)]
    made = [one.value for one in values if isinstance(one, ast.Assign)]
    return "sched" in name.lower() or any("lr_scheduler" in code.dotted(one.func)
                                         for one in made if isinstance(one, ast.Call))  # fmt: skip


def losses(code: Code) -> list[tuple[ast.Call, str]]:
    """Calls of losses, with what kind each is."""
    by_name = _losses_by_name(code)
    found = []
    for call in code.calls():
        dotted = code.dotted(call.func)
        if dotted.startswith("torch.nn.functional.") and last_name_of(dotted) in LOSS_CALLS:
            found.append((call, LOSS_CALLS[last_name_of(dotted)]))
        elif isinstance(call.func, ast.Name) and call.func.id in by_name:
            made = code.assigned(call.func.id)
            kinds = {loss_made(code, made)} if made is not None else {kind for _, kind in made_losses(code)}
            found.append((call, kinds.pop() if len(kinds) == 1 else ""))
        elif loss_made(code, call.func):
            found.append((call, loss_made(code, call.func)))
    return found


def made_losses(code: Code) -> list[tuple[ast.Call, str]]:
    """Where loss modules are made, with their kinds."""
    return [(call, loss_made(code, call)) for call in code.calls() if loss_made(code, call)]


def loss_kinds(code: Code) -> set[str]:
    """All kinds of losses that are called or made."""
    return {kind for _, kind in [*losses(code), *made_losses(code)] if kind}


def loss_made(code: Code, node: ast.AST | None) -> str:
    """The kind of loss module that an expression makes; empty where it makes none."""
    return LOSS_MODULES.get(module_name(code, node), "") if node is not None else ""


def _losses_by_name(code: Code) -> set[str]:
    """Names that stand for losses, also as parameters of functions."""
    found = {
        target.id
        for node in ast.walk(code.tree)
        if isinstance(node, ast.Assign) and loss_made(code, node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for function in ast.walk(code.tree):
        if isinstance(function, Function):
            found |= _passed_losses(code, function, found)
    return found


def _passed_losses(code: Code, function: Function, known: set[str]) -> set[str]:
    names = [one.arg for one in function.args.args]
    found = set()
    for call in code.callers(function):
        for name, value in zip(names, call.args, strict=False):
            if (isinstance(value, ast.Name) and value.id in known) or loss_made(code, value):
                found.add(name)
        found |= {one.arg for one in call.keywords
                  if one.arg and ((isinstance(one.value, ast.Name) and one.value.id in known)
                                  or loss_made(code, one.value))}  # fmt: skip
    return found


def _owner(call: ast.Call) -> ast.AST:
    return call.func.value if isinstance(call.func, ast.Attribute) else call
