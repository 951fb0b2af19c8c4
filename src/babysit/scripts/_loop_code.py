"""Remedies of the loop, written around its backward pass: epochs, clearing, stepping, clipping, modes, the sign."""

from __future__ import annotations

import ast

from babysit.scripts._code import Code, Edit, Function
from babysit.scripts._optimizer_code import Wanted, the_optimizer, write_new_optimizer
from babysit.scripts._source import epoch_loop
from babysit.scripts._training_code import (
    backward_of,
    is_schedule,
    losses,
    network_at,
    network_names,
    optimizer_calls,
    stepping,
)
from babysit.scripts._values import given_value, is_literal, keyword_of

# Schedules that begin with the rate that the optimizer was made with.
FROM_THE_FULL_RATE = frozenset(
    "CosineAnnealingLR CosineAnnealingWarmRestarts ExponentialLR MultiStepLR PolynomialLR ReduceLROnPlateau "
    "StepLR".split()
)


def write_epochs(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Another number of epochs."""
    loop = epoch_loop(code.tree)
    if loop is None or not isinstance(loop.iter, ast.Call) or not value.isdecimal():
        return None
    call = loop.iter
    if (
        call.args
        and isinstance(call.args[0], ast.Call)
        and getattr(call.func, "id", getattr(call.func, "attr", "")) == "tqdm"
    ):
        call = call.args[0]
    if len(call.args) == 1:
        return given_value(code, [call.args[0]], value)
    first, stop = call.args[0], call.args[1]
    if isinstance(first, ast.Constant) and isinstance(first.value, int):
        if isinstance(stop, ast.BinOp) and isinstance(stop.op, ast.Add):
            # range(1, EPOCHS + 1)
            pairs = [(stop.left, stop.right), (stop.right, stop.left)]
            for number, offset in pairs:
                if isinstance(offset, ast.Constant) and offset.value == first.value and not is_literal(number):
                    return given_value(code, [number], value)
        return [Edit(code.start(stop), code.end(stop), str(first.value + int(value)))]
    return [Edit(code.start(stop), code.end(stop), f"{code.segment(first)} + {value}")]


def write_clear_gradients(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Gradients cleared before the backward pass."""
    backward = backward_of(code)
    found = stepping(code, backward) if backward is not None else None
    if backward is None or found is None or code.start(found[1]) < code.start(backward):
        return None
    text = f"{found[0]}.zero_grad()"
    block = code.block(backward)
    place = block.index(backward)
    if place and code.segment(block[place - 1]) == text:
        return [Edit(code.start(block[place - 1]), code.start(block[place - 1]), "")]
    return [code.before(backward, text, f"call {text} before {code.segment(backward)}")]


def write_call_step(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """A step after the backward pass, with an optimizer where there is none."""
    backward = backward_of(code)
    made = optimizer_calls(code)
    steps = [one for one in code.methods("step") if not _of_schedule(code, one)]
    if backward is None or steps or len(made) > 1:
        return None
    edits: list[Edit] = []
    if made:
        name = _name_of(code, the_optimizer(code))
        if name is None or not _visible(code, name, backward):
            return None
    else:
        new = write_new_optimizer(code, wanted)
        if new is None:
            return None
        name, edits = "optimizer", new
    if not code.methods("zero_grad"):
        edits.append(
            code.before(backward, f"{name}.zero_grad()", f"call {name}.zero_grad() before {code.segment(backward)}")
        )
    edits.append(code.after(backward, f"{name}.step()", f"call {name}.step() after {code.segment(backward)}"))
    return edits


def write_clip_norm(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """The gradient's length clipped before the step."""
    backward = backward_of(code)
    found = stepping(code, backward) if backward is not None else None
    clip = code.spelled("torch.nn.utils.clip_grad_norm_")
    if backward is None or found is None or clip is None or code.start(found[1]) < code.start(backward):
        return None
    if code.calls_of({"torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_"}):
        return None
    network, made = network_at(code, backward), the_optimizer(code)
    whole = made is not None and made.args and network and code.segment(made.args[0]) == f"{network}.parameters()"
    what = f"{network}.parameters()" if whole else f'[p for group in {found[0]}.param_groups for p in group["params"]]'
    text = f"{clip}({what}, {value})"
    return [code.before(found[1], text, f"before {code.segment(found[1])}: {text}")]


def write_flip_sign(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """The loss made small, not large."""
    made = the_optimizer(code)
    largest = keyword_of(made, "maximize") if made is not None else None
    if largest is not None and isinstance(largest, ast.Constant) and largest.value is True:
        return [Edit(code.start(largest), code.end(largest), "False")]
    backward = backward_of(code)
    if (
        backward is None
        or not isinstance(backward.value, ast.Call)
        or not isinstance(backward.value.func, ast.Attribute)
    ):
        return None
    loss = backward.value.func.value
    if isinstance(loss, ast.UnaryOp) and isinstance(loss.op, ast.USub):
        return [Edit(code.start(loss), code.start(loss.operand), "")]
    if not isinstance(loss, ast.Name) or backward.value.args:
        return None
    given = code.assigned(loss.id)
    if isinstance(given, ast.UnaryOp) and isinstance(given.op, ast.USub) and any(
        given.operand is call for call, _ in losses(code)
    ):  # fmt: skip
        return [Edit(code.start(given), code.start(given.operand), "")]
    return [Edit(code.start(loss), code.end(loss), f"(-{loss.id})")]


def write_constant_schedule(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """The schedule's steps left out."""
    made = [call for call in code.calls() if "lr_scheduler" in code.dotted(call.func)]
    if len(made) != 1 or code.dotted(made[0].func).rpartition(".")[2] not in FROM_THE_FULL_RATE:
        return None
    steps = [call for call in code.methods("step") if _of_schedule(code, call)]
    statements = [code.parents[call] for call in steps]
    if not steps or not all(isinstance(one, ast.Expr) for one in statements):
        return None
    return [
        Edit(code.start(one), code.end(one), "pass", f"leave out {code.segment(one)}, so that the rate stays")
        for one in statements
    ]


def write_train_mode(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Training mode before the batches of an epoch."""
    backward = backward_of(code)
    network = network_at(code, backward) if backward is not None else None
    if backward is None or network is None:
        return None
    place = _before_batches(code, backward)
    if place is None:
        return None
    text = f"{network}.train()"
    return [code.before(place, text, f"call {text} before the batches of an epoch")]


def write_evaluation_mode(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Evaluation mode where no gradients are wanted, and training mode again for the next batches."""
    edits = []
    for node in ast.walk(code.tree):
        if isinstance(node, ast.With):
            without = any(_is_no_grad(code, one.context_expr) for one in node.items)
        elif isinstance(node, Function):
            without = any(_is_no_grad(code, one) for one in node.decorator_list)
        else:
            continue
        if not without:
            continue
        network = network_at(code, node.body[0])
        inside = {call.func.id for call in code.calls(node) if isinstance(call.func, ast.Name)}
        if network is None or network not in inside:
            if inside & network_names(code):
                return None
            continue
        text = f"{network}.eval()"
        first = _without_docstring(node)
        edits.append(code.before(first, text, f"call {text} before evaluating"))
    training = write_train_mode(code, value, wanted)
    return [*(training or []), *edits] if edits and training is not None else None


def _before_batches(code: Code, backward: ast.stmt) -> ast.stmt | None:
    """The loop over batches, or else the first statement in the loop over epochs."""
    inner = next((one for one in code.above(backward) if isinstance(one, ast.For | ast.While | Function)), None)
    if inner is None or isinstance(inner, Function):
        return None
    epochs = epoch_loop(code.tree)
    if inner is epochs or code.methods("eval", inner):
        return inner.body[0]
    # Without a loop around it, or a function, it is a loop over epochs that is not known as one.
    outer = next((one for one in code.above(inner) if isinstance(one, ast.For | ast.While | Function)), None)
    return inner if outer is not None else inner.body[0]


def _without_docstring(node: ast.With | Function) -> ast.stmt:
    first = node.body[0]
    text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return node.body[1] if text and len(node.body) > 1 else first


def _is_no_grad(code: Code, node: ast.expr) -> bool:
    return code.dotted(node.func if isinstance(node, ast.Call) else node) in ("torch.no_grad", "torch.inference_mode")


def _of_schedule(code: Code, call: ast.Call) -> bool:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(owner, ast.Name) and is_schedule(code, owner.id)


def _name_of(code: Code, made: ast.Call | None) -> str | None:
    statement = code.parents.get(made) if made is not None else None
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return None


def _visible(code: Code, name: str, place: ast.stmt) -> bool:
    """Whether a name means the same there: set in the same function, or in the module."""
    stores = code.stores(name)
    return len(stores) == 1 and code.function(stores[0]) in (None, code.function(place))
