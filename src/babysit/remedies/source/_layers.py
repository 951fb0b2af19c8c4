"""Remedies that add, remove or change layers of a script's network: in an nn.Sequential, or in a `forward`."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from babysit.nn import activation
from babysit.record import InputError
from babysit.remedies.source._code import Code, called
from babysit.remedies.source._edits import Edits
from babysit.remedies.source._outputs import FUNCTIONS, function_name, is_self, site_of
from babysit.remedies.source._training import (
    method_of,
    module_classes,
    module_name,
    network_names,
)
from babysit.remedies.source._values import argument_of, give, is_open

DROPOUTS = frozenset(
    f"torch.nn.{name}" for name in "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout".split()
)
RECURRENT = frozenset({"torch.nn.GRU", "torch.nn.LSTM", "torch.nn.MultiheadAttention", "torch.nn.RNN"})
WEIGHTED = {"Linear": "BatchNorm1d", "Conv1d": "BatchNorm1d", "Conv2d": "BatchNorm2d", "Conv3d": "BatchNorm3d"}
NORMS = frozenset(WEIGHTED.values())


def write_dropout(edits: Edits, value: str) -> bool:
    """Change the dropout rate everywhere."""
    code = edits.code
    calls = code.calls_of(DROPOUTS)
    recurrent = [call for call in code.calls_of(RECURRENT) if argument_of(call, "dropout") is not None]
    if any("torch.nn.Transformer" in code.dotted(call.func) for call in code.calls()) or not [*calls, *recurrent]:
        return False
    if any(is_open(call) for call in [*calls, *recurrent]):
        return False
    shares = [argument_of(call, "p", 0) for call in calls] + [argument_of(call, "dropout") for call in recurrent]
    give(edits, [share for share in shares if share is not None], value)
    for call in calls:
        if argument_of(call, "p", 0) is None:
            edits.add_keyword(call, "p", value)
    return True


def write_insert_activation(edits: Edits, value: str) -> bool:
    """Add an activation after each layer with weights, except the last."""
    code = edits.code
    try:
        module = type(activation(value)).__name__
    except InputError:
        return False
    if module not in FUNCTIONS:
        return False
    layers = _layers_in_sequential(code)
    if not layers:
        return _insert_in_forward(edits, FUNCTIONS[module])
    name = code.spelled(f"torch.nn.{module}", layers[0][0])
    for layer, following in layers[:-1]:
        follows = site_of(code, following.value) if following is not None else None
        if follows is not None and follows.name == FUNCTIONS[module] == "relu":
            continue  # relu(relu(x)) is relu(x)
        edits.add_argument(layer, f"{name}()", f"add {name}() after {code.words(layer.value)}")
    return name is not None and bool(edits)


def write_insert_batch_norm(edits: Edits) -> bool:
    """Add batch normalisation between each layer with weights and its activation."""
    code = edits.code
    for layer, following in _layers_in_sequential(code)[:-1]:
        kind = module_name(code, layer.value)
        after = module_name(code, following.value) if following is not None else ""
        if after in NORMS or after in WEIGHTED:
            continue
        made = cst.ensure_type(layer.value, cst.Call)
        width = argument_of(made, "out_features" if kind == "Linear" else "out_channels", 1)
        norm = code.spelled(f"torch.nn.{WEIGHTED[kind]}", made)
        if following is None or site_of(code, following.value) is None or norm is None:
            return False
        if not isinstance(width, cst.Integer | cst.Name):
            return False
        text = f"{norm}({code.words(width)})"
        edits.add_argument(layer, text, f"add {text} after {code.words(made)}")
    return bool(edits)


def write_move_batch_norm(edits: Edits) -> bool:
    """Remove the batch normalisation from the outputs, if one nn.Sequential contains all of them."""
    norms = [call for call in edits.code.calls() if module_name(edits.code, call) in NORMS]
    return _sequential_of(edits.code, norms) is not None and remove_layer(edits, norms[-1])


def remove_layer(edits: Edits, element: cst.Call) -> bool:
    """Remove a layer from an nn.Sequential."""
    code, argument = edits.code, edits.code.parents[element]
    holder = code.parents[argument]
    if not isinstance(holder, cst.Call) or not isinstance(argument, cst.Arg) or argument is holder.args[0]:
        return False
    if _counted(code, holder.args.index(argument)):
        return False
    edits.remove_argument(argument, f"remove {code.words(element)}")
    return True


def _sequential_of(code: Code, elements: list[cst.Call]) -> cst.Call | None:
    """The nn.Sequential that contains all of these layers directly."""
    holders = {code.parents.get(code.parents[one]) for one in elements}
    holder = holders.pop() if len(holders) == 1 else None
    if not isinstance(holder, cst.Call) or module_name(code, holder) != "Sequential" or is_open(holder):
        return None
    return holder


def _layers_in_sequential(code: Code) -> list[tuple[cst.Arg, cst.Arg | None]]:
    """All layers with weights, each with the next layer, if one nn.Sequential contains all of them."""
    weighted = [call for call in code.calls() if module_name(code, call) in WEIGHTED]
    holder = _sequential_of(code, weighted)
    if (
        holder is None or len(weighted) < 2 or not code.runs_once(holder) or _counted(code, 1)
    ):  # one of them computes the outputs
        return []
    pairs = zip(holder.args, [*holder.args[1:], None], strict=True)
    return [(layer, following) for layer, following in pairs if layer.value in weighted]


def _insert_in_forward(edits: Edits, function: str) -> bool:
    """Wrap the calls of layers in a `forward` without branches in the activation, except the last."""
    code = edits.code
    classes = module_classes(code)
    forward = method_of(classes[0], "forward") if len(classes) == 1 else None
    name = function_name(code, function, forward) if forward is not None else None
    if forward is None or name is None or not _straight(code, forward):
        return False
    layers = []
    for call in code.calls():
        if module_name(code, call) in WEIGHTED:
            match code.parents[call]:
                case cst.Assign(targets=[cst.AssignTarget(target=cst.Attribute() as target)]) if is_self(target):
                    layers.append(target.attr.value)
                case _:
                    return False
    found = [call for call in _in_order(code, forward) if is_self(call.func) and called(call) in layers]
    if not layers or sorted(map(called, found)) != sorted(layers):
        return False

    def wrapped(old: cst.CSTNode) -> cst.CSTNode:
        return cst.Call(cst.parse_expression(name), [cst.Arg(cst.ensure_type(old, cst.Call))])

    for call in found[:-1]:
        edits.change(call, wrapped)
    return bool(edits)


def _straight(code: Code, function: cst.FunctionDef) -> bool:
    branching = (cst.If, cst.IfExp, cst.Lambda, cst.For, cst.While, cst.BaseComp, cst.Try, cst.BooleanOperation)
    return not any(isinstance(one, branching) for one in code.within(function))


def _in_order(code: Code, node: cst.CSTNode) -> Iterator[cst.Call]:
    """Calls in the order in which Python makes them: arguments first."""
    for child in node.children:
        yield from _in_order(code, child)
    if isinstance(node, cst.Call):
        yield node


def _counted(code: Code, place: int) -> bool:
    """Whether the script uses positions of layers from this place on, or loads weights by layer names."""
    known = network_names(code)
    for node in code.every(cst.Subscript):
        match node:
            case cst.Subscript(value=cst.Name(value=name), slice=index) if name in known:
                match index:
                    case [cst.SubscriptElement(slice=cst.Index(value=cst.Integer() as number))]:
                        if number.evaluated_value >= place:
                            return True
                    case _:
                        return True
            case cst.Subscript(
                value=cst.Attribute(attr=cst.Name(value=name)),
                slice=[cst.SubscriptElement(slice=cst.Index(value=cst.UnaryOperation()))],
            ) if name != "shape":
                return True
    return bool(code.methods("load_state_dict"))
