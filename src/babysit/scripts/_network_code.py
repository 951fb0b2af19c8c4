"""Remedies of the network, written where the script makes its layers: activations, outputs, dropout, what is put in."""

from __future__ import annotations

import ast

from babysit.nn import activation
from babysit.record import InputError
from babysit.scripts._activation_changes import SWAPPED
from babysit.scripts._activation_code import FUNCTIONS, Outputs, Site, outputs_of, site_of, sites
from babysit.scripts._code import Code, Edit
from babysit.scripts._layer_code import element_removed
from babysit.scripts._loader_code import OF_SHAPES
from babysit.scripts._optimizer_code import Wanted
from babysit.scripts._training_code import backward_of, loss_kinds, losses, made_losses
from babysit.scripts._values import argument_of, given_value, is_open, keyword_of, with_keyword

DROPOUTS = frozenset(
    f"torch.nn.{name}" for name in "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout".split()
)
RECURRENT = frozenset({"torch.nn.GRU", "torch.nn.LSTM", "torch.nn.MultiheadAttention", "torch.nn.RNN"})
NAMES = frozenset({*FUNCTIONS, *FUNCTIONS.values()})
IN_TORCH = frozenset({"relu", "sigmoid", "tanh"})  # functions that are called as torch.relu


def write_dropout(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Another share of units dropped, everywhere."""
    calls = code.calls_of(DROPOUTS)
    recurrent = [call for call in code.calls_of(RECURRENT) if keyword_of(call, "dropout") is not None]
    if any("torch.nn.Transformer" in code.dotted(call.func) for call in code.calls()) or not [*calls, *recurrent]:
        return None
    if any(is_open(call) for call in [*calls, *recurrent]):
        return None
    shares = [argument_of(call, "p", 0) for call in calls]
    bare = [with_keyword(code, call, "p", value) for call, share in zip(calls, shares, strict=True) if share is None]
    places = [share for share in shares if share is not None]
    places += [share for call in recurrent if (share := keyword_of(call, "dropout")) is not None]
    edits = [edit for edit in bare if edit is not None]
    return [*given_value(code, places, value), *edits] if len(edits) == len(bare) else None


def write_activation(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Another activation between layers; what gives the outputs stays."""
    outputs = outputs_of(code)
    if outputs is None or _passed_around(code):
        return None
    hidden = [site for site in sites(code) if site.name in SWAPPED
              and not (outputs.site is not None and site.node is outputs.site.node)]  # fmt: skip
    edits: list[Edit] = []
    for site in hidden:
        changed = _swapped(code, site, value)
        if changed is None:
            return None
        edits += changed
    return edits or None


def write_linear_output(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """No activation on the outputs."""
    outputs = outputs_of(code)
    return _taken_off(code, outputs) if outputs is not None and outputs.site is not None else None


def write_sigmoid_output(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """A sigmoid in the place of the softmax over the outputs."""
    outputs = outputs_of(code)
    if outputs is None or outputs.site is None or outputs.site.name != "softmax":
        return None
    return _swapped(code, outputs.site, "sigmoid")


def write_softmax_axis(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """The softmax over the classes."""
    outputs = outputs_of(code)
    if outputs is None or outputs.site is None or outputs.site.name != "softmax" or is_open(outputs.site.node):
        return None
    call = outputs.site.node
    axis = argument_of(call, "dim", 1 if outputs.site.form == "function" else 0)
    if axis is not None:
        return [Edit(code.start(axis), code.end(axis), "1")]
    edit = with_keyword(code, call, "dim", "1")
    return [edit] if edit is not None else None


def write_remove_softmax(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """No softmax in front of a loss that applies one."""
    return _without(code, "softmax", {"cross-entropy"}, {"nll": ("CrossEntropyLoss", "cross_entropy")})


def write_remove_sigmoid(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """No sigmoid in front of a loss that applies one."""
    names = ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
    return _without(code, "sigmoid", {"bce-with-logits", "cross-entropy"}, {"bce": names})


def write_loss(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Another loss, where outputs and targets are what it takes: the cross-entropy, of targets that are one-hot."""
    found = losses(code)
    outputs = outputs_of(code)
    if value != "cross-entropy" or len(found) != 1 or found[0][1] not in OF_SHAPES or outputs is None:
        return None
    call = found[0][0]
    targets = call.args[1] if len(call.args) == 2 else None  # outputs and targets
    made = code.assigned(targets.id) if isinstance(targets, ast.Name) else targets
    if outputs.site is not None or made is None or "torch.nn.functional.one_hot" not in [
        code.dotted(one.func) for one in code.calls(made)
    ] or not code.segment(made).endswith((".float()", ".to(torch.float32)")):  # fmt: skip
        return None
    return _loss_called(code, call, ("CrossEntropyLoss", "cross_entropy"))


def _without(code: Code, name: str, taking: set[str], exchanged: dict[str, tuple[str, str]]) -> list[Edit] | None:
    """An activation taken off the outputs, or off what the loss is given; its loss exchanged where that needs it."""
    kinds = loss_kinds(code)
    called = losses(code)
    if len(kinds) != 1 or len({kind for _, kind in called}) != 1 or not kinds <= taking | set(exchanged):
        return None
    kind = kinds.pop()
    edits: list[Edit] = []
    if kind in exchanged:
        for call, _ in called:
            changed = _loss_called(code, call, exchanged[kind])
            if changed is None:
                return None
            edits += changed
    found = _in_front_of_loss(code, name)
    if found is None:
        outputs = outputs_of(code)
        if outputs is None or outputs.site is None or outputs.site.name != name or _reads_shares(code):
            return None
        found = _taken_off(code, outputs)
    return [*_once(edits), *found] if found is not None else None


def _in_front_of_loss(code: Code, name: str) -> list[Edit] | None:
    """`loss(softmax(outputs), targets)`."""
    backward = backward_of(code)
    edits = []
    for call, _ in losses(code):
        site = site_of(code, call.args[0]) if call.args else None
        if site is None or site.name != name or site.inner is None or backward is None:
            return None
        edits += _unwrapped(code, site)
    return edits or None


def _loss_called(code: Code, call: ast.Call, names: tuple[str, str]) -> list[Edit] | None:
    """Another loss called, module or function."""
    module, function = names
    if "torch.nn.functional" in code.dotted(call.func):
        name = code.spelled(f"torch.nn.functional.{function}")
        return [Edit(code.start(call.func), code.end(call.func), name)] if name is not None else None
    made = made_losses(code)
    name = code.spelled(f"torch.nn.{module}")
    if len(made) != 1 or name is None:
        return None
    return [Edit(code.start(made[0][0].func), code.end(made[0][0].func), name)]


def _taken_off(code: Code, outputs: Outputs) -> list[Edit] | None:
    site = outputs.call or outputs.site
    if site is None:
        return None
    if site.form == "module":
        return element_removed(code, site.node)
    return _unwrapped(code, site)


def _unwrapped(code: Code, site: Site) -> list[Edit]:
    """`x` of `softmax(x)`."""
    assert site.inner is not None
    text = code.segment(site.inner)
    inside = isinstance(code.parents[site.node], ast.Attribute | ast.BinOp | ast.UnaryOp | ast.Subscript)
    if (inside and not isinstance(site.inner, ast.Call | ast.Name | ast.Attribute | ast.Subscript)) or (
        "\n" in text and not isinstance(site.inner, ast.Call)
    ):
        text = f"({text})"
    return [Edit(code.start(site.node), code.end(site.node), text)]


def _swapped(code: Code, site: Site, value: str) -> list[Edit] | None:
    """An activation in the place of another."""
    try:
        made = type(activation(value))
    except InputError:
        return None
    module, function = made.__name__, FUNCTIONS.get(made.__name__)
    if function is None or not made.__module__.startswith("torch.nn"):
        return None
    start, end = code.start(site.node), code.end(site.node)
    if site.form == "module":
        name = code.spelled(f"torch.nn.{module}")
        return [Edit(start, end, f"{name}()")] if name is not None else None
    assert site.inner is not None
    name = (code.spelled(f"torch.{function}") if function in IN_TORCH else None) or code.spelled(
        f"torch.nn.functional.{function}"
    )
    if name is None:
        return None
    return [Edit(start, code.start(site.inner), f"{name}("), Edit(code.end(site.inner), end, ")")]


def _passed_around(code: Code) -> bool:
    """Whether activations are named without being made, so that nobody knows where they are called."""
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            package, _, last = code.dotted(node).rpartition(".")
            parent = code.parents.get(node)
            known = package in ("torch", "torch.nn", "torch.nn.functional") and last in NAMES
            called = isinstance(parent, ast.Call) and parent.func is node
            if known and not called and not isinstance(parent, ast.Attribute):
                return True
    return any(
        isinstance(call.func, ast.Attribute) and call.func.attr.endswith("_") and call.func.attr.strip("_") in SWAPPED
        for call in code.calls()
    )


def _reads_shares(code: Code) -> bool:
    """Whether outputs may be read as shares of 1: compared with a number in between, or rounded."""
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Compare) and any(
            isinstance(one, ast.Constant) and isinstance(one.value, float) and 0 < one.value < 1
            for one in [node.left, *node.comparators]
        ):
            return True
    rounds = [call for call in code.methods("round") if not call.args]
    return bool(rounds) or any(code.dotted(call.func) in ("torch.round", "torch.log") for call in code.calls())


def _once(edits: list[Edit]) -> list[Edit]:
    return list(dict.fromkeys(edits))
