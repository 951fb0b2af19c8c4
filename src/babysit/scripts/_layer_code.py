"""Layers put into a network's text and taken out of it: elements of an nn.Sequential, calls in a `forward`."""

from __future__ import annotations

import ast

from babysit.nn import activation
from babysit.record import InputError
from babysit.scripts._activation_code import FUNCTIONS, site_of
from babysit.scripts._code import LINE_END, Code, Edit, Function
from babysit.scripts._optimizer_code import Wanted
from babysit.scripts._training_code import method_of, module_classes, module_name, network_names
from babysit.scripts._values import argument_of, is_open

WEIGHTED = {"Linear": "BatchNorm1d", "Conv1d": "BatchNorm1d", "Conv2d": "BatchNorm2d", "Conv3d": "BatchNorm3d"}
WIDTH = {"Linear": "out_features"}
NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")


def write_insert_activation(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """An activation after each layer with weights but the last."""
    try:
        made = type(activation(value))
    except InputError:
        return None
    name, function = made.__name__, FUNCTIONS.get(made.__name__, "")
    module = code.spelled(f"torch.nn.{name}")
    if not function:
        return None
    sequential = _weighted_in_sequential(code)
    if sequential is None:
        return _insert_in_forward(code, function)
    if module is None:
        return None
    edits = []
    for element in _weighted(code, sequential)[:-1]:
        place = sequential.args.index(element)
        follows = site_of(code, sequential.args[place + 1])
        if follows is not None and follows.name == function == "relu":
            continue  # twice is once
        edits.append(element_after(code, sequential, element, f"{module}()"))
    return edits or None


def write_insert_batch_norm(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Batch normalisation between each layer and its activation."""
    sequential = _weighted_in_sequential(code)
    if sequential is None:
        return None
    edits = []
    for element in _weighted(code, sequential)[:-1]:
        assert isinstance(element, ast.Call)
        kind = module_name(code, element)
        after = sequential.args[sequential.args.index(element) + 1]
        width = argument_of(element, WIDTH.get(kind, "out_channels"), 1)
        if module_name(code, after) in NORMS or module_name(code, after) in WEIGHTED:
            continue
        norm = code.spelled(f"torch.nn.{WEIGHTED[kind]}")
        if site_of(code, after) is None or norm is None or not isinstance(width, ast.Constant | ast.Name):
            return None
        edits.append(element_after(code, sequential, element, f"{norm}({code.segment(width)})"))
    return edits or None


def write_move_batch_norm(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """No batch normalisation on the outputs: the last one of an nn.Sequential that holds them all."""
    norms = [call for call in code.calls() if module_name(code, call) in NORMS]
    parents = {code.parents[call] for call in norms}
    holder = parents.pop() if len(parents) == 1 else None
    if not isinstance(holder, ast.Call) or module_name(code, holder) != "Sequential" or is_open(holder):
        return None
    return element_removed(code, norms[-1])


def element_removed(code: Code, element: ast.Call) -> list[Edit] | None:
    """An element of an nn.Sequential taken out, with its line where it has one of its own."""
    holder = code.parents[element]
    if not isinstance(holder, ast.Call) or element not in holder.args or len(holder.args) == 1:
        return None
    place = holder.args.index(element)
    if not place or _counted(code, place):
        return None
    start, end = code.start(element), code.end(element)
    indent = code.line_before(start)
    line_end = LINE_END.search(code.text, end)
    rest = code.text[end : line_end.start()] if line_end else code.text[end:]
    if not indent.strip() and rest.strip() in ("", ",") and line_end is not None:
        say = f"take out {code.segment(element)}"
        return [Edit(start - len(indent), line_end.end(), "", say)]
    return [Edit(code.end(holder.args[place - 1]), end, "")]


def element_after(code: Code, holder: ast.Call, element: ast.expr, text: str) -> Edit:
    """An element put in behind another, on a line of its own where they have such."""
    place = holder.args.index(element)
    at, following = code.end(element), holder.args[place + 1]
    indent = code.line_before(code.start(following))
    own_line = not indent.strip() and code.line_of(code.start(following)) > code.line_of(at)
    own_line = own_line and not code.line_before(code.start(element)).strip()
    gap = f",{code.newline}{indent}" if own_line else ", "
    return Edit(at, at, gap + text, f"put {text} behind {code.segment(element)}")


def _weighted(code: Code, holder: ast.Call) -> list[ast.expr]:
    return [one for one in holder.args if module_name(code, one) in WEIGHTED]


def _weighted_in_sequential(code: Code) -> ast.Call | None:
    """The nn.Sequential that holds all layers with weights, as the script makes them one by one."""
    all_of_them = [call for call in code.calls() if module_name(code, call) in WEIGHTED]
    holders = {code.parents[call] for call in all_of_them}
    holder = holders.pop() if len(holders) == 1 else None
    if not isinstance(holder, ast.Call) or module_name(code, holder) != "Sequential" or is_open(holder):
        return None
    if len(all_of_them) < 2 or not code.runs_once(holder) or _counted(code, 1):  # one is the outputs'
        return None
    return holder


def _insert_in_forward(code: Code, function: str) -> list[Edit] | None:
    """The calls of layers in a `forward` without branches, wrapped but for the last."""
    classes = module_classes(code)
    forward = method_of(classes[0], "forward") if len(classes) == 1 else None
    name = code.spelled(f"torch.{function}") if function in ("relu", "tanh", "sigmoid") else None
    name = name or code.spelled(f"torch.nn.functional.{function}")
    made = [call for call in code.calls() if module_name(code, call) in WEIGHTED]
    if forward is None or name is None or not made or not _straight(forward):
        return None
    layers = []
    for call in made:
        parent = code.parents[call]
        at = parent.targets[0] if isinstance(parent, ast.Assign) and len(parent.targets) == 1 else None
        if not (isinstance(at, ast.Attribute) and code.segment(at.value) == "self"):
            return None
        layers.append(at.attr)
    called = [call for call in _in_order(forward) if isinstance(call.func, ast.Attribute)
              and code.segment(call.func.value) == "self" and call.func.attr in layers]  # fmt: skip
    if sorted(call.func.attr for call in called if isinstance(call.func, ast.Attribute)) != sorted(layers):
        return None
    edits = []
    for call in called[:-1]:
        edits += [Edit(code.start(call), code.start(call), f"{name}("), Edit(code.end(call), code.end(call), ")")]
    return edits or None


def _straight(function: Function) -> bool:
    branching = (ast.For, ast.While, ast.If, ast.IfExp, ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.Try, ast.BoolOp)
    return not any(isinstance(one, branching) for one in ast.walk(function))


def _in_order(node: ast.AST) -> list[ast.Call]:
    """Calls in the order in which they are made: what a call is given comes before it."""
    inner = [call for child in ast.iter_child_nodes(node) for call in _in_order(child)]
    return [*inner, node] if isinstance(node, ast.Call) else inner


def _counted(code: Code, place: int) -> bool:
    """Whether the script counts the elements of a network, from this place on, or loads weights by their names."""
    known = network_names(code)
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in known:
            index = node.slice
            if not (isinstance(index, ast.Constant) and isinstance(index.value, int) and index.value < place):
                return True
        from_the_end = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.UnaryOp)
        if from_the_end and any(
            isinstance(one, ast.Attribute) and one.attr != "shape" for one in ast.iter_child_nodes(node)
        ):
            return True
    return bool(code.methods("load_state_dict"))
