"""Remedies that change the rows of a script: where its text shows which tensors hold them."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from babysit.remedies.source._code import Code, Statement, called
from babysit.remedies.source._edits import Edits
from babysit.remedies.source._loop import training_loader
from babysit.remedies.source._training import backward_of, last_part, network_names, the_optimizer
from babysit.remedies.source._values import by_place, is_literal

TENSORS = frozenset({"torch.utils.data.TensorDataset", "torch.utils.data.dataset.TensorDataset"})
TINY = "1e-8"
SCALINGS = {
    "centre": (("inputs_mean", "{rows}.mean(0)"), "({name} - inputs_mean)"),
    "standardise": (
        ("inputs_mean, inputs_std", "{rows}.mean(0), {rows}.std(0).clamp_min(" + TINY + ")"),
        "({name} - inputs_mean) / inputs_std",
    ),
    "range": (
        ("inputs_low, inputs_range", "{rows}.amin(0), ({rows}.amax(0) - {rows}.amin(0)).clamp_min(" + TINY + ")"),
        "({name} - inputs_low) / inputs_range",
    ),
}


def write_input_scaling(edits: Edits, how: str) -> bool:
    """Bring the inputs to scale, with the training rows' numbers: once, after the last tensor of rows is made."""
    code = edits.code
    if how not in SCALINGS:
        return False
    (names, numbers), scaled = SCALINGS[how]
    rows = _training_rows(code)
    if rows is None or not all(code.is_free(name.strip()) for name in names.split(",")):
        return False
    tensors = _tensors_of_inputs(code, rows)
    made = [statement for name in tensors if (statement := _made_in(code, name)) is not None]
    function = code.function(rows)
    if len(made) < len(tensors) or any(code.function(one) is not function for one in made):
        return False
    last = max(made, key=lambda one: code.order[one])
    block = code.block(last)
    if any(code.block(one) is not block and one not in block for one in made) or not code.runs_once(last):
        return False
    after = block[block.index(last) + 1] if last is not block[-1] else None
    # Nothing between may read them: it would see them as they were.
    if after is None or any(
        code.order[use] < code.order[after] for name in tensors for use in _reads_after(code, name)
    ):
        return False
    lines = [f"{names} = {numbers.format(rows=_words_of_rows(code, rows))}"]
    ordered = sorted(tensors, key=lambda one: code.order[one])
    lines += [f"{one.value} = {scaled.format(name=one.value)}" for one in ordered]
    edits.before(after, *lines, say="; ".join(lines))
    return True


def _training_rows(code: Code) -> cst.BaseExpression | None:
    """What holds the inputs of all training rows: a name, or a part of a named tensor; None where it is not certain."""
    loader = training_loader(code)
    if loader is not None:
        data = by_place(loader)[:1]
        made = code.value_of(data[0]) if data and isinstance(data[0], cst.Name) else data[0] if data else None
        if not isinstance(made, cst.Call) or code.dotted(made.func) not in TENSORS or len(made.args) != 2:
            return None
        given = made.args[0].value
        return given if _root(given) is not None and _is_slice(given) else None
    backward = backward_of(code)
    found = [
        given.value
        for call, given in _entering(code)
        if isinstance(given, cst.Subscript)
        and backward is not None
        and code.function(call) is code.function(backward)
        and any(backward in code.within(loop) and call in code.within(loop) for loop in code.every(cst.For))
    ]
    roots = {one.value for one in found if isinstance(one, cst.Name)}
    return found[0] if len(roots) == 1 and isinstance(found[0], cst.Name) else None


def _words_of_rows(code: Code, rows: cst.BaseExpression) -> str:
    """How to write all training rows: of a tensor whose last rows are evaluated, those before them."""
    if isinstance(rows, cst.Name):
        for _, given in _entering(code):
            match given:
                case cst.Subscript(
                    value=cst.Name(value=name),
                    slice=[cst.SubscriptElement(slice=cst.Slice(lower=cst.BaseExpression() as lower, upper=None))],
                ) if name == rows.value:
                    first = code.value_of(lower) if isinstance(lower, cst.Name) else lower
                    if first is not None and is_literal(first):
                        return f"{name}[:{code.words(first)}]"
    return code.words(rows)


def _entering(code: Code) -> Iterator[tuple[cst.Call, cst.BaseExpression]]:
    """Calls of the network, each with what enters it."""
    networks = network_names(code)
    for call in code.calls():
        if isinstance(call.func, cst.Name) and call.func.value in networks and by_place(call):
            yield call, by_place(call)[0]


def _tensors_of_inputs(code: Code, rows: cst.BaseExpression) -> list[cst.Name]:
    """Names of all tensors whose rows enter the network, each where it is assigned."""
    found = {root.value: root for root in (_root(rows),) if root is not None}
    for _, given in _entering(code):
        root = _root(given)
        if root is not None and _made_in(code, root) is not None and _is_tensor(code, root):
            found.setdefault(root.value, root)
    for call in code.calls_of(TENSORS):
        root = _root(call.args[0].value) if call.args else None
        if root is not None:
            found.setdefault(root.value, root)
    return list(found.values())


def _is_tensor(code: Code, name: cst.Name) -> bool:
    """Whether a name is assigned once, outside of loops and methods: a tensor of rows, not a batch."""
    statement = _made_in(code, name)
    return statement is not None and not any(
        isinstance(one, cst.For | cst.While | cst.ClassDef) for one in code.above(statement)
    )


def _root(node: cst.BaseExpression) -> cst.Name | None:
    """`x` of `x`, `x[:100]` and `x[rows]`."""
    while isinstance(node, cst.Subscript):
        node = node.value
    return node if isinstance(node, cst.Name) else None


def _is_slice(node: cst.BaseExpression) -> bool:
    """Whether it is a name, or a part of it that is written without other calls."""
    return isinstance(node, cst.Name) or not any(isinstance(one, cst.Call) for one in node.children)


def _made_in(code: Code, name: cst.Name) -> Statement | None:
    """The last statement that assigns the name, at one level; None where that is not certain."""
    made = [one for one in code.given(name) if isinstance(getattr(one, "node", None), cst.Name)]
    if not made or len(made) != len(code.given(name)):
        return None
    found = [code.statement(node) for one in made if isinstance(node := getattr(one, "node", None), cst.Name)]
    last = max(found, key=lambda one: code.order[one])
    block = code.block(last)
    return last if isinstance(last, cst.Assign) and all(one in block for one in found) else None


def _reads_after(code: Code, name: cst.Name) -> list[cst.CSTNode]:
    """Where a name is read after it has got its last value."""
    made = _made_in(code, name)
    if made is None:
        return []
    end = code.order[made] + len(code.within(made))
    return [one for one in code.reads(name) if code.order.get(one, 0) >= end]


# Weights.

SCHEMES = {
    "auto": 'kaiming_normal_(layer.weight, nonlinearity="relu")',
    "he": 'kaiming_normal_(layer.weight, nonlinearity="relu")',
    "xavier": "xavier_normal_(layer.weight)",
    "xavier-uniform": "xavier_uniform_(layer.weight)",
    "orthogonal": "orthogonal_(layer.weight)",
}
WEIGHTED = ("Linear", "Conv1d", "Conv2d", "Conv3d")


def write_initialise(edits: Edits, scheme: str) -> bool:
    """Draw the weights anew once the network is made, and whatever the script draws them by has been done."""
    code = edits.code
    optimizer = the_network_and_optimizer(code)
    if optimizer is None or scheme not in SCHEMES or not code.is_free("layer"):
        return False
    network, statement = optimizer
    nn = code.spelled("torch.nn", statement)
    if nn is None:
        return False
    used = {last_part(code.dotted(call.func)) for call in code.calls()} | code.elsewhere.made
    kinds = [kind for kind in WEIGHTED if kind in used]
    if not kinds:
        return False
    of = f"({', '.join(f'{nn}.{kind}' for kind in kinds)})" if len(kinds) > 1 else f"{nn}.{kinds[0]}"
    text = (
        f"for layer in {network}.modules():\n"
        f"    if isinstance(layer, {of}):\n"
        f"        {nn}.init.{SCHEMES[scheme]}\n"
        f"        if layer.bias is not None:\n"
        f"            {nn}.init.zeros_(layer.bias)\n"
    )
    edits.before(
        statement, text, say=f"once {network} is made: {nn}.init.{SCHEMES[scheme]} for each layer with weights"
    )
    return True


def the_network_and_optimizer(code: Code) -> tuple[str, Statement] | None:
    """The network's name, and the statement that makes the only optimizer, with all of its parameters."""
    call = the_optimizer(code)
    names = network_names(code)
    if call is None:
        return None
    inside = {node.value for node in code.names(call)} & names
    statement = code.statement(call)
    return (inside.pop(), statement) if len(inside) == 1 and called(call) else None
