"""Remedies that change how a script makes its optimizer: learning rate, class, weight decay, parameters."""

from __future__ import annotations

import libcst as cst

from babysit.remedies.source._code import Code, called
from babysit.remedies.source._edits import Edits
from babysit.remedies.source._training import (
    OPTIMIZERS,
    backward_of,
    last_part,
    loops_around,
    network_at,
    network_names,
    the_optimizer,
)
from babysit.remedies.source._values import argument_of, by_place, is_open, set_argument

KINDS = {"adagrad": "Adagrad", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD"}
USUAL = {"adagrad": "0.01", "adam": "0.001", "adamw": "0.001", "rmsprop": "0.01", "sgd": "0.01"}  # learning rates
MOMENTUM = "0.9"
# Schedules that multiply the first learning rate of the optimizer, so that they follow a change of it.
MULTIPLYING = frozenset(
    "ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts ExponentialLR LambdaLR LinearLR MultiStepLR "
    "MultiplicativeLR PolynomialLR ReduceLROnPlateau SequentialLR StepLR".split()
)
ABSOLUTE = ("eta_min", "min_lr")  # options of schedules that are learning rates themselves


def write_lr(edits: Edits, value: str) -> bool:
    """Change the learning rate."""
    call = the_optimizer(edits.code)
    if call is None or not _rate_follows(edits.code):
        return False
    set_argument(edits, call, "lr", 1, value)
    return True


def write_weight_decay(edits: Edits, value: str) -> bool:
    """Change the weight decay."""
    call = the_optimizer(edits.code)
    if call is None or len(by_place(call)) > 2:  # after parameters and learning rate, the meaning depends on the class
        return False
    set_argument(edits, call, "weight_decay", None, value)
    return True


def write_optimizer(edits: Edits, value: str) -> bool:
    """Change the class of the optimizer, with its usual learning rate if no other is wanted. Weight decay stays."""
    code = edits.code
    call = the_optimizer(code)
    if call is None or value not in KINDS or len(by_place(call)) > 2 or not _rate_follows(code):
        return False
    kind, before = KINDS[value], last_part(code.dotted(call.func))
    if not _call_instead(edits, call, kind):
        return False
    keep = {"params", "lr", "weight_decay"} | ({"momentum"} if value == "sgd" else set())
    for one in call.args:
        if one.keyword is not None and one.keyword.value not in keep:
            edits.remove_argument(one)
    set_argument(edits, call, "lr", 1, edits.wanted.get("lr") or USUAL[value])
    if value == "sgd":
        set_argument(edits, call, "momentum", None, MOMENTUM)
    if argument_of(call, "weight_decay") is None and OPTIMIZERS[before] != OPTIMIZERS[kind]:
        edits.add_keyword(call, "weight_decay", f"{OPTIMIZERS[before]:g}")
    return True


def write_all_parameters(edits: Edits) -> bool:
    """Give the optimizer every parameter of the network, once."""
    code = edits.code
    call = the_optimizer(code)
    given = argument_of(call, "params", 0) if call is not None else None
    if given is None:
        return False
    # Only parameters of one network: `model.head.parameters()`, or sums of such calls.
    read = {node.value for node in code.names(given)}
    names = read & network_names(code)
    if len(names) != 1 or read - names - {"list", "filter"} or ".parameters()" not in code.words(given):
        return False
    edits.put(given, f"{names.pop()}.parameters()")
    return True


def write_unfreeze(edits: Edits) -> bool:
    """Let every parameter have gradients, and give all of them to the optimizer."""
    code = edits.code
    for node in code.every(cst.Assign):
        match node:
            case cst.Assign(value=cst.Name(value="False") as flag) if all(
                isinstance(one.target, cst.Attribute) and one.target.attr.value == "requires_grad"
                for one in node.targets
            ):
                edits.put(flag, "True")
    for call in code.methods("requires_grad_"):
        match argument_of(call, "requires_grad", 0):
            case None | cst.Name(value="True"):
                continue
            case cst.Name(value="False") as flag:
                edits.put(flag, "True")
            case _:
                return False
    made = the_optimizer(code)
    parameters = argument_of(made, "params", 0) if made is not None else None
    if not edits or parameters is None:
        return False
    return _of_whole_network(code, parameters) or write_all_parameters(edits)


def write_new_optimizer(edits: Edits) -> str | None:
    """Insert an optimizer before the loop of a training that has none. Returns its name; the caller adds the step."""
    code = edits.code
    backward = backward_of(code)
    if backward is None or not code.is_free("optimizer"):
        return None
    network = network_at(code, backward)
    loops = [one for one in loops_around(code, backward) if not isinstance(one, cst.FunctionDef)]
    if network is None or not loops or code.function(loops[-1]) is not code.function(backward):
        return None
    made = code.value_of(network)
    if made is not None and code.order[made] > code.order[loops[-1]]:
        return None
    kind = edits.wanted.get("optimizer") or "adam"
    name = code.spelled(f"torch.optim.{KINDS[kind]}", backward) if kind in KINDS else None
    if name is None:
        return None
    more = f", momentum={MOMENTUM}" if kind == "sgd" else ""
    text = f"optimizer = {name}({network.value}.parameters(), lr={edits.wanted.get('lr') or USUAL[kind]}{more})"
    edits.before(loops[-1], text, say=f"before the loop: {text}")
    return "optimizer"


def _of_whole_network(code: Code, node: cst.BaseExpression) -> bool:
    """Whether an expression is all parameters of a network, or all that have gradients."""
    match node:
        case cst.ListComp(for_in=cst.CompFor(iter=inner)) | cst.GeneratorExp(for_in=cst.CompFor(iter=inner)):
            node = inner
        case cst.Call(func=cst.Name(value="filter"), args=[_, cst.Arg(value=inner)]):
            node = inner
    match node:
        case cst.Call(func=cst.Attribute(value=cst.Name(value=name))):
            return called(node) in ("parameters", "named_parameters") and name in network_names(code)
    return False


def _rate_follows(code: Code) -> bool:
    """Whether the learning rate is always the first one times the factor of a schedule."""
    for call in code.calls():
        dotted = code.dotted(call.func)
        if "lr_scheduler" in dotted and (
            last_part(dotted) not in MULTIPLYING
            or is_open(call)
            or any(argument_of(call, name) is not None for name in ABSOLUTE)
            or (last_part(dotted).startswith("Cosine") and len(by_place(call)) > 2)
        ):
            return False
    targets = [one.target for one in code.every(cst.AssignTarget)] + [one.target for one in code.every(cst.AugAssign)]
    set_by_hand = [one for target in targets for one in code.every(cst.Subscript, target)]
    return not any(code.words(one).endswith(('["lr"]', "['lr']")) for one in set_by_hand)


def _call_instead(edits: Edits, call: cst.Call, kind: str) -> bool:
    """Call another class of torch.optim; if no import of the script gives it, import it."""
    code, function = edits.code, call.func
    if isinstance(function, cst.Attribute) and code.dotted(function.value) == "torch.optim":
        edits.put(function.attr, kind)
        return True
    name = code.spelled(f"torch.optim.{kind}", call)
    if name is None and isinstance(function, cst.Name) and code.is_free(kind):
        for node in code.every(cst.ImportFrom):
            if not node.relative and node.module is not None and code.words(node.module) == "torch.optim":
                name = kind
                edits.change(node, lambda old: _importing(old, kind))
                break
    if name is None:
        return False
    edits.put(function, name)
    return True


def _importing(node: cst.CSTNode, name: str) -> cst.CSTNode:
    assert isinstance(node, cst.ImportFrom)
    assert not isinstance(node.names, cst.ImportStar)
    *others, last = node.names
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    new = cst.ImportAlias(cst.Name(name), comma=last.comma)
    return node.with_changes(names=[*others, last.with_changes(comma=comma), new])
