"""What a script's text shows of its training: optimizers, networks, losses, loaders, the loop, the backward pass."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from babysit.record import LOSS_FACTS
from babysit.remedies.source._code import Code, Statement, called
from babysit.remedies.source._values import argument_of, by_place, is_open

# The optimizers of torch.optim, with the weight decay that each uses if none is written.
OPTIMIZERS = dict.fromkeys("ASGD Adadelta Adagrad Adam Adamax NAdam RAdam RMSprop SGD".split(), 0.0) | {"AdamW": 0.01}
# Losses that take only outputs and targets.
LOSS_MODULES = {facts.module: name for name, facts in LOSS_FACTS.items() if facts.plain}
LOSS_CALLS = {facts.function: name for name, facts in LOSS_FACTS.items() if facts.plain}
LOADERS = frozenset({"torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"})
OF_NETWORKS = frozenset({"train", "eval", "parameters", "named_parameters", "state_dict"})
KEEPING = frozenset({"to", "cuda", "cpu", "float", "double", "train", "eval", "requires_grad_"})


def last_part(dotted: str) -> str:
    """`SGD` of `torch.optim.SGD`."""
    return dotted.rpartition(".")[2]


# Optimizers.


def optimizer_calls(code: Code) -> list[cst.Call]:
    """All calls that make an optimizer of torch.optim."""
    found = []
    for call in code.calls():
        dotted = code.dotted(call.func)
        if dotted.startswith("torch.optim.") and ".lr_scheduler" not in dotted and last_part(dotted)[:1].isupper():
            found.append(call)
    return found


def the_optimizer(code: Code) -> cst.Call | None:
    """The call that makes the only optimizer, if it runs once and all parameters are in one group."""
    calls = optimizer_calls(code)
    if len(calls) != 1 or is_open(calls[0]) or last_part(code.dotted(calls[0].func)) not in OPTIMIZERS:
        return None
    given = argument_of(calls[0], "params", 0)
    return calls[0] if given is not None and _one_group(code, given, 5) and code.runs_once(calls[0]) else None


def _one_group(code: Code, node: cst.BaseExpression | None, depth: int) -> bool:
    if not depth:
        return False
    match node:
        case cst.Name():
            return _one_group(code, code.value_of(node), depth - 1)
        case cst.Call() if called(node) == "parameters":
            return True
        case cst.Call() if called(node) in ("list", "tuple", "chain", "set", "filter"):
            return all(isinstance(one, cst.Lambda) or _one_group(code, one, depth - 1) for one in by_place(node))
        case cst.List(elements=elements) | cst.Tuple(elements=elements):
            return all(
                _one_group(code, one.value, depth - 1)
                if isinstance(one, cst.StarredElement)
                else isinstance(one.value, cst.Name | cst.Attribute)
                for one in elements
            )
        case cst.BinaryOperation(left=left, right=right):
            return _one_group(code, left, depth - 1) and _one_group(code, right, depth - 1)
        case cst.ListComp(elt=cst.Name()) | cst.GeneratorExp(elt=cst.Name()):
            return True
    return False


def is_schedule(code: Code, node: cst.BaseExpression) -> bool:
    """Whether a name is a learning-rate schedule."""
    if not isinstance(node, cst.Name):
        return False
    made = [value for name, value in code.assigned() if name == node.value]
    return "sched" in node.value.lower() or any(
        isinstance(one, cst.Call) and "lr_scheduler" in code.dotted(one.func) for one in made
    )


def steps(code: Code) -> list[cst.Call]:
    """All calls of `step`, except those of schedules."""
    return [call for call in code.methods("step") if not is_schedule(code, owner_of(call))]


def owner_of(call: cst.Call) -> cst.BaseExpression:
    """`net` of `net.train()`; for a plain function call, the function itself."""
    return call.func.value if isinstance(call.func, cst.Attribute) else call.func


# Networks.


def module_name(code: Code, node: cst.CSTNode | None) -> str:
    """`Linear` for a call `nn.Linear(...)`; empty for everything else."""
    dotted = code.dotted(node.func) if isinstance(node, cst.Call) else ""
    of_modules = dotted.startswith("torch.nn.") and not dotted.startswith("torch.nn.functional")
    return last_part(dotted) if of_modules else ""


def module_classes(code: Code) -> list[cst.ClassDef]:
    """Classes of the script with a `forward` method: networks or parts of networks."""
    return [node for node in code.every(cst.ClassDef) if method_of(node, "forward")]


def method_of(node: cst.ClassDef, name: str) -> cst.FunctionDef | None:
    """The method with this name."""
    return next((one for one in node.body.body if isinstance(one, cst.FunctionDef) and one.name.value == name), None)


def makes_network(code: Code, value: cst.BaseExpression | None, depth: int = 5) -> bool:
    """Whether an expression makes or returns a network."""
    if not isinstance(value, cst.Call) or not depth:
        return False
    name = module_name(code, value)
    if name:
        return name[:1].isupper() and not name.endswith("Loss")
    if isinstance(value.func, cst.Attribute) and called(value) in KEEPING:
        return makes_network(code, value.func.value, depth - 1)
    function = called(value) if isinstance(value.func, cst.Name) else ""
    if any(one.name.value == function for one in module_classes(code)):
        return True
    for node in code.every(cst.FunctionDef):
        if node.name.value == function:
            given = [one.value for one in code.every(cst.Return, node)]
            values = [code.value_of(one) if isinstance(one, cst.Name) else one for one in given]
            return bool(values) and all(makes_network(code, one, depth - 1) for one in values)
    return False


def network_names(code: Code) -> set[str]:
    """Names of networks: a network is assigned to them, or a method of networks is called on them."""
    found = {name for name, value in code.assigned() if makes_network(code, value)}
    for call in code.calls():
        match call.func:
            case cst.Attribute(value=cst.Name() as owner) if called(call) in OF_NETWORKS and owner.value != "self":
                found |= {owner.value} if not code.dotted(owner) else set()
    return found - loss_names(code)


def network_at(code: Code, place: cst.CSTNode) -> cst.Name | None:
    """The network that is called in the same function as `place`, if there is exactly one."""
    function = code.function(place)
    known = network_names(code)
    found = {
        call.func.value: call.func
        for call in code.calls(function)
        if isinstance(call.func, cst.Name) and called(call) in known and code.function(call) is function
    }
    return found.popitem()[1] if len(found) == 1 else None


# Losses.


def losses(code: Code) -> list[tuple[cst.Call, str]]:
    """All calls of losses, each with the name of its loss."""
    by_name = loss_names(code)
    found = []
    for call in code.calls():
        dotted = code.dotted(call.func)
        if dotted.startswith("torch.nn.functional.") and last_part(dotted) in LOSS_CALLS:
            found.append((call, LOSS_CALLS[last_part(dotted)]))
        elif isinstance(call.func, cst.Name) and called(call) in by_name:
            made = code.value_of(call.func)
            kinds = {loss_made(code, made)} if made is not None else {kind for _, kind in made_losses(code)}
            found.append((call, kinds.pop() if len(kinds) == 1 else ""))
        elif loss_made(code, call.func):
            found.append((call, loss_made(code, call.func)))
    return found


def loss_made(code: Code, node: cst.CSTNode | None) -> str:
    """The name of the loss whose module an expression makes; empty for everything else."""
    return LOSS_MODULES.get(module_name(code, node), "")


def made_losses(code: Code) -> list[tuple[cst.Call, str]]:
    """All calls that make loss modules, each with the name of its loss."""
    return [(call, kind) for call in code.calls() if (kind := loss_made(code, call))]


def loss_kinds(code: Code) -> set[str]:
    """The names of all losses that are made or called."""
    return {kind for _, kind in [*losses(code), *made_losses(code)] if kind}


def loss_names(code: Code) -> set[str]:
    """Variables and parameters that hold loss modules."""
    found = {name for name, value in code.assigned() if loss_made(code, value)}
    for function in code.every(cst.FunctionDef):
        names = dict(enumerate(one.name.value for one in function.params.params))
        for call in code.callers(function):
            for number, given in enumerate(call.args):
                value = given.value
                if (isinstance(value, cst.Name) and value.value in found) or loss_made(code, value):
                    name = given.keyword.value if given.keyword is not None else names.get(number)
                    found |= {name} if name else set()
    return found


# The loop.


def backward_of(code: Code) -> cst.Expr | None:
    """The only call of `backward`, if it is a statement by itself."""
    found = code.methods("backward")
    statement = code.parents[found[0]] if len(found) == 1 else None
    return statement if isinstance(statement, cst.Expr) else None


def stepping(code: Code, statement: Statement) -> tuple[str, Statement] | None:
    """The optimizer that steps in the same block as a statement, with that step; None unless it is the only step."""
    found: list[tuple[str, Statement]] = []
    for one in code.block(statement):
        match one:
            case cst.Expr(value=cst.Call(func=cst.Attribute(value=cst.Name() as owner), args=[]) as call):
                if called(call) == "step" and not is_schedule(code, owner):
                    found.append((owner.value, one))
    return found[0] if len(found) == 1 and len(steps(code)) == 1 else None


def epoch_loop(code: Code) -> cst.For | None:
    """The outermost loop over a `range` that trains the network, directly or through functions of the script."""
    of_step = {"backward", "step"}
    trains = of_step | {one.name.value for one in code.every(cst.FunctionDef) if _called_in(code, one) & of_step}
    waiting: list[cst.CSTNode] = [code.module]
    while waiting:
        for child in waiting.pop(0).children:
            if isinstance(child, cst.For) and epoch_range(child) is not None and _called_in(code, child) & trains:
                return child
            waiting.append(child)
    return None


def epoch_range(loop: cst.For) -> cst.Call | None:
    """The call that sets how often a loop repeats: `range(n)`, `trange(n)` or the `range` in `tqdm(range(n))`."""
    node = loop.iter
    while isinstance(node, cst.Call) and node.args:
        if called(node) in ("range", "trange"):
            return node
        node = node.args[0].value if called(node) == "tqdm" else cst.Name("_")
    return None


def _called_in(code: Code, node: cst.CSTNode) -> set[str]:
    return {called(call) for call in code.calls(node)}


def loops_around(code: Code, node: cst.CSTNode) -> Iterator[cst.For | cst.While | cst.FunctionDef]:
    """All loops and functions that contain a node, from the inside to the outside."""
    return (one for one in code.above(node) if isinstance(one, cst.For | cst.While | cst.FunctionDef))
