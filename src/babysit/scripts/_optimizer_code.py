"""Remedies of the optimizer, written where the script makes it: rate, kind, weight decay, parameters."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from babysit.scripts._code import Code, Edit
from babysit.scripts._training_code import (
    OPTIMIZERS,
    backward_of,
    last_name_of,
    network_at,
    network_names,
    optimizer_calls,
)
from babysit.scripts._values import argument_of, given_value, is_open, keyword_of, with_keyword

Wanted = Mapping[str, str | None]
KINDS = {"adagrad": "Adagrad", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD"}
USUAL = {"adagrad": "0.01", "adam": "0.001", "adamw": "0.001", "rmsprop": "0.01", "sgd": "0.01"}  # rates
MOMENTUM = "0.9"
# Schedules that multiply the rate that the optimizer was made with, and so follow another one.
MULTIPLYING = frozenset(
    "ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts ExponentialLR LambdaLR LinearLR MultiStepLR "
    "MultiplicativeLR PolynomialLR ReduceLROnPlateau SequentialLR StepLR".split()
)
ABSOLUTE = ("eta_min", "min_lr")  # their options that hold a rate


def write_lr(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Another rate."""
    call = the_optimizer(code)
    if call is None or not _rate_follows(code):
        return None
    rate = argument_of(call, "lr", 1)
    if rate is not None:
        return given_value(code, [rate], value)
    edit = with_keyword(code, call, "lr", value)
    return [edit] if edit is not None else None


def write_weight_decay(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Another weight decay."""
    call = the_optimizer(code)
    if call is None or len(call.args) > 2:  # parameters and rate; what the others mean differs
        return None
    decay = keyword_of(call, "weight_decay")
    if decay is not None:
        return given_value(code, [decay], value)
    edit = with_keyword(code, call, "weight_decay", value)
    return [edit] if edit is not None else None


def write_optimizer(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Another kind of optimizer, with its usual rate where no other is wanted; the weight decay stays."""
    call = the_optimizer(code)
    if call is None or value not in KINDS or len(call.args) > 2 or not _rate_follows(code):
        return None
    kind, before = KINDS[value], last_name_of(code.dotted(call.func))
    edits = _called(code, call, kind)
    if edits is None:
        return None
    keep = {"params", "lr", "weight_decay"} | ({"momentum"} if value == "sgd" else set())
    edits += _without(code, call, keep)
    rate, decay, momentum = (argument_of(call, "lr", 1), keyword_of(call, "weight_decay"), keyword_of(call, "momentum"))
    more = []
    new_rate = wanted.get("lr") or USUAL[value]
    if rate is not None:
        edits += given_value(code, [rate], new_rate)
    else:
        more.append(f"lr={new_rate}")
    if value == "sgd":
        if momentum is not None:
            edits += given_value(code, [momentum], MOMENTUM)
        else:
            more.append(f"momentum={MOMENTUM}")
    if decay is None and OPTIMIZERS[before] != OPTIMIZERS[kind]:
        more.append(f"weight_decay={OPTIMIZERS[before]:g}")
    kept = [*call.args, *(one.value for one in call.keywords if one.arg in keep)]
    if more and not kept:
        return None
    if more:
        at = max(code.end(part) for part in kept)
        edits.append(Edit(at, at, "".join(f", {one}" for one in more)))
    return edits


def write_all_parameters(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Every parameter of the network, once."""
    call = the_optimizer(code)
    given = argument_of(call, "params", 0) if call is not None else None
    if call is None or given is None:
        return None
    # Of one network alone, and only its parameters: `model.head.parameters()`, or sums of such.
    names = {one.id for one in ast.walk(given) if isinstance(one, ast.Name) and one.id in network_names(code)}
    loose = [one for one in ast.walk(given) if isinstance(one, ast.Name) and one.id not in {*names, "list", "filter"}]
    if len(names) != 1 or loose or ".parameters()" not in code.segment(given):
        return None
    return [Edit(code.start(given), code.end(given), f"{names.pop()}.parameters()")]


def write_unfreeze(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Gradients for every parameter, all of them stepped."""
    edits = [
        Edit(code.start(node.value), code.end(node.value), "True")
        for node in ast.walk(code.tree)
        if isinstance(node, ast.Assign)
        and _is_false(node.value)
        and all(isinstance(one, ast.Attribute) and one.attr == "requires_grad" for one in node.targets)
    ]
    for call in code.methods("requires_grad_"):
        flag = argument_of(call, "requires_grad", 0)
        if flag is not None and not (isinstance(flag, ast.Constant) and flag.value is True):
            if not _is_false(flag):
                return None
            edits.append(Edit(code.start(flag), code.end(flag), "True"))
    given = the_optimizer(code)
    parameters = argument_of(given, "params", 0) if given is not None else None
    if not edits or parameters is None:
        return None
    if _of_whole_network(code, parameters):
        return edits
    others = write_all_parameters(code, value, wanted)
    return [*edits, *others] if others is not None else None


def write_new_optimizer(code: Code, wanted: Wanted) -> list[Edit] | None:
    """An optimizer, where a training has none; it is stepped elsewhere."""
    backward = backward_of(code)
    if backward is None or code.stores("optimizer") or code.imported.get("optimizer"):
        return None
    network = network_at(code, backward)
    loop = [one for one in code.above(backward) if isinstance(one, ast.For | ast.While)]
    made = code.assigned(network) if network is not None else None
    if network is None or not loop or code.function(loop[-1]) is not code.function(backward):
        return None
    if made is not None and code.start(made) > code.start(loop[-1]):
        return None
    kind = wanted.get("optimizer") or "adam"
    name = code.spelled(f"torch.optim.{KINDS[kind]}") if kind in KINDS else None
    if name is None:
        return None
    rate = wanted.get("lr") or USUAL[kind]
    more = f", momentum={MOMENTUM}" if kind == "sgd" else ""
    statement = loop[-1]
    assert isinstance(statement, ast.stmt)
    text = f"optimizer = {name}({network}.parameters(), lr={rate}{more})"
    return [code.before(statement, text, f"before the loop: {text}")]


def the_optimizer(code: Code) -> ast.Call | None:
    """The only place where an optimizer is made, once, of parameters that are in one group."""
    calls = optimizer_calls(code)
    if len(calls) != 1 or is_open(calls[0]) or last_name_of(code.dotted(calls[0].func)) not in OPTIMIZERS:
        return None
    given = argument_of(calls[0], "params", 0)
    return calls[0] if given is not None and _flat(code, given, 5) and code.runs_once(calls[0]) else None


def _flat(code: Code, node: ast.AST, depth: int) -> bool:
    if not depth:
        return False
    if isinstance(node, ast.Name):
        value = code.assigned(node.id)
        return value is not None and _flat(code, value, depth - 1)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "parameters":
            return True
        if name in ("list", "tuple", "chain", "set", "filter"):
            return all(isinstance(one, ast.Lambda) or _flat(code, one, depth - 1) for one in node.args)
        return False
    if isinstance(node, ast.List | ast.Tuple):
        return all(
            _flat(code, one.value, depth - 1)
            if isinstance(one, ast.Starred)
            else isinstance(one, ast.Name | ast.Attribute)
            for one in node.elts
        )
    if isinstance(node, ast.BinOp):
        return _flat(code, node.left, depth - 1) and _flat(code, node.right, depth - 1)
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return isinstance(node.elt, ast.Name)
    return False


def _of_whole_network(code: Code, node: ast.AST) -> bool:
    """Whether these are all parameters of a network, or those of them that learn."""
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        node = node.generators[0].iter
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "filter" and len(node.args) > 1:
        node = node.args[1]
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in (
            "parameters", "named_parameters")
        and isinstance(node.func.value, ast.Name) and node.func.value.id in network_names(code)
    )  # fmt: skip


def _rate_follows(code: Code) -> bool:
    """Whether the rate is the one that the optimizer is made with, times what a schedule says."""
    for call in code.calls():
        dotted = code.dotted(call.func)
        if "lr_scheduler" in dotted and (
            last_name_of(dotted) not in MULTIPLYING
            or is_open(call)
            or any(keyword_of(call, name) is not None for name in ABSOLUTE)
            or (last_name_of(dotted).startswith("Cosine") and len(call.args) > 2)
        ):
            return False
    by_hand = [
        node for node in ast.walk(code.tree)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        and isinstance(node.slice, ast.Constant) and node.slice.value == "lr"
    ]  # fmt: skip
    return not by_hand


def _called(code: Code, call: ast.Call, kind: str) -> list[Edit] | None:
    """Another class to call, by the imports that the script has."""
    function, edits = call.func, []
    if isinstance(function, ast.Attribute) and code.dotted(function.value) == "torch.optim":
        return [Edit(code.end(function) - len(function.attr), code.end(function), kind)]
    name = code.spelled(f"torch.optim.{kind}")
    if name is None and isinstance(function, ast.Name):
        name = kind
        for node in ast.walk(code.tree):
            if isinstance(node, ast.ImportFrom) and node.module == "torch.optim":
                edits = [Edit(code.end(node.names[-1]), code.end(node.names[-1]), f", {kind}")]
        if not edits or code.stores(kind):
            return None
    return [*edits, Edit(code.start(function), code.end(function), name)] if name is not None else None


def _without(code: Code, call: ast.Call, keep: set[str]) -> list[Edit]:
    """The call without its other keywords."""
    edits, before = [], max([code.end(one) for one in call.args], default=None)
    for keyword in call.keywords:
        end = code.end(keyword)
        if keyword.arg not in keep and before is not None:
            edits.append(Edit(before, end, ""))
        before = end
    return edits


def _is_false(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
