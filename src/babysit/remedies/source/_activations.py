"""Remedies that change activations, outputs and losses of a script."""

from __future__ import annotations

import libcst as cst

from babysit.nn import activation
from babysit.record import InputError
from babysit.remedies._at_activations import SWAPPED
from babysit.remedies.source._code import Code, called
from babysit.remedies.source._edits import Edits, within_parentheses_of
from babysit.remedies.source._layers import remove_layer
from babysit.remedies.source._loop import OF_SHAPES
from babysit.remedies.source._outputs import FUNCTIONS, Outputs, Site, function_name, inner_of, outputs_of, site_of
from babysit.remedies.source._training import (
    loss_kinds,
    losses,
    made_losses,
    owner_of,
)
from babysit.remedies.source._values import argument_of, is_open

NAMES = frozenset({*FUNCTIONS, *FUNCTIONS.values()})


def write_activation(edits: Edits, value: str) -> bool:
    """Use another activation between layers. The activation on the outputs stays."""
    code = edits.code
    outputs = outputs_of(code)
    if outputs is None or _passed_around(code):
        return False
    found = [site for call in code.calls() if (site := site_of(code, call)) is not None and site.name in SWAPPED]
    hidden = [site for site in found if outputs.site is None or site.node is not outputs.site.node]
    return bool(hidden) and all(_swap(edits, site, value) for site in hidden)


def write_linear_output(edits: Edits) -> bool:
    """Remove the activation from the outputs."""
    outputs = outputs_of(edits.code)
    return outputs is not None and _take_off(edits, outputs)


def write_sigmoid_output(edits: Edits) -> bool:
    """Replace the softmax on the outputs by a sigmoid."""
    site = _softmax(edits.code)
    return site is not None and _swap(edits, site, "sigmoid")


def write_softmax_axis(edits: Edits) -> bool:
    """Apply the softmax over the classes."""
    site = _softmax(edits.code)
    if site is None or is_open(site.node):
        return False
    axis = argument_of(site.node, "dim", 1 if site.form == "function" else 0)
    if axis is None:
        edits.add_keyword(site.node, "dim", "1")
    else:
        edits.put(axis, "1")
    return True


def _softmax(code: Code) -> Site | None:
    outputs = outputs_of(code)
    return outputs.site if outputs is not None and outputs.site is not None and outputs.site.name == "softmax" else None


def write_remove_softmax(edits: Edits) -> bool:
    """Remove the softmax before a loss that applies one itself."""
    return _without(edits, "softmax", {"cross-entropy"}, {"nll": ("CrossEntropyLoss", "cross_entropy")})


def write_remove_sigmoid(edits: Edits) -> bool:
    """Remove the sigmoid before a loss that applies one itself."""
    names = ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
    return _without(edits, "sigmoid", {"bce-with-logits", "cross-entropy"}, {"bce": names})


def write_loss(edits: Edits, value: str) -> bool:
    """Use another loss. Only cross-entropy for one-hot targets is certain to fit outputs and targets."""
    code = edits.code
    found, outputs = losses(code), outputs_of(code)
    if value != "cross-entropy" or len(found) != 1 or found[0][1] not in OF_SHAPES or outputs is None:
        return False
    call = found[0][0]
    targets = call.args[1].value if len(call.args) == 2 and call.args[1].keyword is None else None
    made = code.value_of(targets) if isinstance(targets, cst.Name) else targets
    if outputs.site is not None or made is None or not code.words(made).endswith((".float()", ".to(torch.float32)")):
        return False
    if "torch.nn.functional.one_hot" not in [code.dotted(one.func) for one in code.calls(made)]:
        return False
    return _call_loss(edits, call, ("CrossEntropyLoss", "cross_entropy"))


def _without(edits: Edits, name: str, taking: set[str], exchanged: dict[str, tuple[str, str]]) -> bool:
    """Remove an activation from the outputs or from the loss's input; change the loss if it needs that."""
    code = edits.code
    kinds, calls = loss_kinds(code) | code.elsewhere.losses, losses(code)
    if len(kinds) != 1 or not kinds <= taking | set(exchanged):
        return False
    if len({kind for _, kind in calls}) != 1 and not (code.elsewhere.losses and not calls and kinds <= taking):
        return False
    kind = kinds.pop()
    if kind in exchanged and not all(_call_loss(edits, call, exchanged[kind]) for call, _ in calls):
        return False
    in_front = [site_of(code, call.args[0].value) if call.args else None for call, _ in calls]
    sites = [one for one in in_front if one is not None and one.name == name and one.form != "module"]
    if calls and len(sites) == len(calls):
        for site in sites:
            _unwrap(edits, site)
        return True
    outputs = outputs_of(code)
    if outputs is None or outputs.site is None or outputs.site.name != name or reads_shares(code):
        return False
    return _take_off(edits, outputs)


def _call_loss(edits: Edits, call: cst.Call, names: tuple[str, str]) -> bool:
    """Use another loss module or function."""
    code, dotted = edits.code, f"torch.nn.functional.{names[1]}"
    if "torch.nn.functional" not in code.dotted(call.func):
        made = made_losses(code)
        if len(made) != 1:
            return False
        call, dotted = made[0][0], f"torch.nn.{names[0]}"
    name = code.spelled(dotted, call)
    if name is not None:
        edits.put(call.func, name)
    return name is not None


def _take_off(edits: Edits, outputs: Outputs) -> bool:
    site = outputs.call or outputs.site
    if site is None:
        return False
    if site.form == "module":
        return remove_layer(edits, site.node)
    _unwrap(edits, site)
    return True


def _unwrap(edits: Edits, site: Site) -> None:
    """Replace `softmax(x)` by `x`."""
    holder = edits.code.parents[site.node]
    inside = isinstance(holder, cst.Attribute | cst.BinaryOperation | cst.UnaryOperation | cst.Subscript)

    def become(old: cst.CSTNode) -> cst.CSTNode:
        inner = inner_of(cst.ensure_type(old, cst.Call), site.form)
        loose = inside and not isinstance(inner, cst.Call | cst.Name | cst.Attribute | cst.Subscript)
        if (loose or ("\n" in edits.code.words(inner) and not isinstance(inner, cst.Call))) and not inner.lpar:
            inner = inner.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        return within_parentheses_of(old, inner)

    edits.change(site.node, become)


def _swap(edits: Edits, site: Site, value: str) -> bool:
    """Replace one activation by another."""
    try:
        made = type(activation(value))
    except InputError:
        return False
    function = FUNCTIONS.get(made.__name__)
    if function is None or not made.__module__.startswith("torch.nn"):
        return False
    if site.form == "module":
        module = edits.code.spelled(f"torch.nn.{made.__name__}", site.node)
        if module is not None:
            edits.put(site.node, f"{module}()")
        return module is not None
    name = function_name(edits.code, function, site.node)
    if name is None or function == "prelu":  # which needs weights
        return False

    def become(old: cst.CSTNode) -> cst.CSTNode:
        call = cst.ensure_type(old, cst.Call)
        given = cst.Arg(owner_of(call)) if site.form == "method" else call.args[0]
        return call.with_changes(
            func=cst.parse_expression(name), args=[given.with_changes(comma=cst.MaybeSentinel.DEFAULT)]
        )

    edits.change(site.node, become)
    return True


def _passed_around(code: Code) -> bool:
    """Whether an activation is passed as a value, so that the place of its call is not known."""
    for node in [*code.every(cst.Attribute), *code.every(cst.Name)]:
        package, _, last = code.dotted(node).rpartition(".")
        holder = code.parents.get(node)
        known = package in ("torch", "torch.nn", "torch.nn.functional") and last in NAMES
        is_called = isinstance(holder, cst.Call) and holder.func is node
        if known and not is_called and not isinstance(holder, cst.Attribute | cst.ImportAlias):
            return True
    return any(
        isinstance(call.func, cst.Attribute) and called(call).endswith("_") and called(call).strip("_") in SWAPPED
        for call in code.calls()
    )


def reads_shares(code: Code) -> bool:
    """Whether the script may read outputs as probabilities: it compares with a number between 0 and 1, or rounds."""
    if code.elsewhere.reads_shares:
        return True
    for node in code.every(cst.Comparison):
        for one in [node.left, *(target.comparator for target in node.comparisons)]:
            if isinstance(one, cst.Float) and 0 < one.evaluated_value < 1:
                return True
    rounds = any(not call.args for call in code.methods("round"))
    return rounds or bool(code.calls_of({"torch.round", "torch.log"}))
