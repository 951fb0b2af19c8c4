"""Remedies that change the training loop, the calls of the loss, and the data loaders of a script."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from babysit.record import InputError, losses_that
from babysit.remedies.source._code import Code, Statement, called, is_text, statements
from babysit.remedies.source._edits import Edits, within_parentheses_of
from babysit.remedies.source._optimizer import write_new_optimizer
from babysit.remedies.source._training import (
    LOADERS,
    backward_of,
    epoch_loop,
    epoch_range,
    is_schedule,
    last_part,
    loops_around,
    losses,
    network_at,
    network_names,
    optimizer_calls,
    owner_of,
    stepping,
    steps,
    the_optimizer,
)
from babysit.remedies.source._values import argument_of, give, is_literal, is_open, number_in, set_argument

# Schedules that start with the learning rate of the optimizer.
FROM_THE_FULL_RATE = frozenset(
    "CosineAnnealingLR CosineAnnealingWarmRestarts ExponentialLR MultiStepLR PolynomialLR ReduceLROnPlateau "
    "StepLR".split()
)
OF_SHAPES = losses_that(plain=True, elementwise=True)
CLIPPING = frozenset({"torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_"})
# What is seeded here is seeded by nobody else: a data set that holds one draws the same in every worker.
GENERATORS = frozenset({"numpy.random.default_rng", "numpy.random.RandomState", "random.Random", "torch.Generator"})
NO_GRADIENTS = ("torch.no_grad", "torch.inference_mode")


def write_epochs(edits: Edits, value: str) -> bool:
    """Change the number of epochs."""
    loop = epoch_loop(edits.code)
    call = epoch_range(loop) if loop is not None else None
    if call is None or not value.isdecimal():
        return False
    first, stop = call.args[0].value, call.args[min(1, len(call.args) - 1)].value
    start = number_in(first)
    if len(call.args) == 1:
        give(edits, [stop], value)
    elif not isinstance(start, int):
        edits.put(stop, f"{edits.code.words(first)} + {value}")
    else:
        match stop:  # range(1, EPOCHS + 1)
            case (
                cst.BinaryOperation(left=number, operator=cst.Add(), right=offset)
                | cst.BinaryOperation(left=offset, operator=cst.Add(), right=number)
            ) if number_in(offset) == start and not is_literal(number):
                give(edits, [number], value)
            case _:
                edits.put(stop, str(start + int(value)))
    return True


def with_epochs(content: bytes, epochs: int, arguments: Sequence[str] = ()) -> bytes:
    """A script's text with another number of epochs.

    Args:
        content: Its file.
        epochs: How many.
        arguments: Of the command line that it is run with.

    Raises:
        InputError: No loop over epochs was found.

    Example:
        >>> with_epochs(b"for epoch in range(3):\\n    loss.backward()", 9).splitlines()[0]
        b'for epoch in range(9):'
    """
    edits = Edits(Code(content, arguments))
    if not write_epochs(edits, str(epochs)):
        raise InputError("no loop over epochs was found in the script", legal="for epoch in range(...)")
    return edits.made().code.content


def write_clear_gradients(edits: Edits) -> bool:
    """Clear the gradients before the backward pass."""
    code = edits.code
    backward = backward_of(code)
    found = stepping(code, backward) if backward is not None else None
    if backward is None or found is None or code.order[found[1]] < code.order[backward]:
        return False
    text = f"{found[0]}.zero_grad()"
    block = code.block(backward)
    place = block.index(backward)
    if place and code.words(block[place - 1]) == text:
        edits.change(block[place - 1], lambda old: old)  # the call is there already
    else:
        edits.before(backward, text, say=f"call {text} before {code.words(backward.value)}")
    return True


def write_call_step(edits: Edits) -> bool:
    """Call the optimizer's step after the backward pass; if there is no optimizer, make one."""
    code = edits.code
    backward = backward_of(code)
    made = optimizer_calls(code)
    if backward is None or steps(code) or len(made) > 1:
        return False
    if made:
        statement = code.parents.get(made[0]) if made[0] is the_optimizer(code) else None
        match statement:
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name() as name), *_]) if code.same_name(
                name, backward
            ):
                optimizer: str | None = name.value
            case _:
                return False
    else:
        optimizer = write_new_optimizer(edits)
        if optimizer is None:
            return False
    loss = code.words(backward.value)
    if not code.methods("zero_grad"):
        edits.before(backward, f"{optimizer}.zero_grad()", say=f"call {optimizer}.zero_grad() before {loss}")
    edits.after(backward, f"{optimizer}.step()", say=f"call {optimizer}.step() after {loss}")
    return True


def write_clip_norm(edits: Edits, value: str) -> bool:
    """Clip the norm of the gradient before the step."""
    code = edits.code
    backward = backward_of(code)
    found = stepping(code, backward) if backward is not None else None
    clip = code.spelled("torch.nn.utils.clip_grad_norm_", backward) if backward is not None else None
    if backward is None or found is None or clip is None or code.order[found[1]] < code.order[backward]:
        return False
    if code.calls_of(CLIPPING):
        return False
    network, made = network_at(code, backward), the_optimizer(code)
    what = f'[p for group in {found[0]}.param_groups for p in group["params"]]'
    if made is not None and network is not None:
        whole = f"{network.value}.parameters()"
        what = whole if code.words(made.args[0].value) == whole else what
    text = f"{clip}({what}, {value})"
    edits.before(found[1], text, say=f"before {code.words(found[1])}: {text}")
    return True


def write_flip_sign(edits: Edits) -> bool:
    """Minimize the loss, not maximize it."""
    code = edits.code
    made, backward = the_optimizer(code), backward_of(code)
    match argument_of(made, "maximize") if made is not None else None:
        case cst.Name(value="True") as largest:
            edits.put(largest, "False")
            return True
    if backward is None or not isinstance(backward.value, cst.Call):
        return False
    loss = owner_of(backward.value)
    if _without_minus(edits, loss):
        return True
    if not isinstance(loss, cst.Name) or backward.value.args:
        return False
    given = code.value_of(loss)
    if isinstance(given, cst.UnaryOperation) and any(given.expression is call for call, _ in losses(code)):
        return _without_minus(edits, given)
    edits.put(loss, f"(-{loss.value})")
    return True


def _without_minus(edits: Edits, node: cst.BaseExpression) -> bool:
    if not isinstance(node, cst.UnaryOperation) or not isinstance(node.operator, cst.Minus):
        return False
    edits.change(node, lambda old: within_parentheses_of(old, cst.ensure_type(old, cst.UnaryOperation).expression))
    return True


def write_constant_schedule(edits: Edits) -> bool:
    """Remove the steps of the schedule."""
    code = edits.code
    made = [call for call in code.calls() if "lr_scheduler" in code.dotted(call.func)]
    if len(made) != 1 or last_part(code.dotted(made[0].func)) not in FROM_THE_FULL_RATE:
        return False
    stepped = [code.parents[call] for call in code.methods("step") if is_schedule(code, owner_of(call))]
    for one in stepped:
        if not isinstance(one, cst.Expr):
            return False
        say = f"leave out {code.words(one.value)}, so that the learning rate stays the same"
        edits.change(one, lambda old: cst.Pass(semicolon=cst.ensure_type(old, cst.Expr).semicolon), say)
    return bool(stepped)


def write_step_schedule(edits: Edits) -> bool:
    """Step the only schedule at the end of each epoch, or after the optimizer where it counts batches."""
    code = edits.code
    made = [(name, call) for name, call in code.assigned() if _makes_schedule(code, call)]
    backward, loop = backward_of(code), epoch_loop(code)
    found = stepping(code, backward) if backward is not None else None
    if len(made) != 1 or found is None or loop is None or backward is None:
        return False
    name, kind = made[0][0], last_part(code.dotted(cst.ensure_type(made[0][1], cst.Call).func))
    stepped = [code.parents[call] for call in code.methods("step") if code.words(owner_of(call)) == name]
    if kind == "ReduceLROnPlateau" or len(stepped) > 1 or not all(isinstance(one, cst.Expr) for one in stepped):
        return False
    text = f"{name}.step()"
    for one in stepped:
        say = f"leave out {code.words(one)} here"
        edits.change(one, lambda old: cst.Pass(semicolon=cst.ensure_type(old, cst.Expr).semicolon), say)
    if stepped or kind in ("OneCycleLR", "CyclicLR"):
        edits.after(found[1], text, say=f"after {code.words(found[1])}: {text}")
        return True
    line = cst.ensure_type(cst.parse_statement(text), cst.SimpleStatementLine)
    if not isinstance(loop.body, cst.IndentedBlock) or code.function(backward) is not code.function(loop):
        return False
    edits.change(
        loop.body,
        lambda old: old.with_changes(body=[*cst.ensure_type(old, cst.IndentedBlock).body, line]),
        f"at the end of each epoch: {text}",
        loop,
    )
    return True


def _makes_schedule(code: Code, value: cst.BaseExpression) -> bool:
    return isinstance(value, cst.Call) and "lr_scheduler" in code.dotted(value.func)


def write_unscale_gradients(edits: Edits) -> bool:
    """Unscale the gradients before they are clipped."""
    code = edits.code
    clipped = [call for call in code.calls_of(CLIPPING) if isinstance(code.parents[call], cst.Expr)]
    stepped = [call for call in steps(code) if len(call.args) == 1 and isinstance(owner_of(call), cst.Name)]
    if len(clipped) != 1 or len(stepped) != 1 or code.methods("unscale_"):
        return False
    text = f"{code.words(owner_of(stepped[0]))}.unscale_({code.words(stepped[0].args[0].value)})"
    edits.before(code.statement(clipped[0]), text, say=f"before clipping: {text}")
    return True


def write_copy_state(edits: Edits) -> bool:
    """Copy the states that are kept under a name, in a list or in a dictionary."""
    code = edits.code
    kept = [call for call in code.methods("state_dict") if not call.args and _is_kept(code, call)]
    for call in kept:
        deepcopy, words = code.spelled("copy.deepcopy", call), code.words(call)
        by_value = f"{{name: value.clone() for name, value in {words}.items()}}"
        edits.put(call, by_value if deepcopy is None else f"{deepcopy}({words})")
    return bool(kept)


def _is_kept(code: Code, call: cst.Call) -> bool:
    """Whether a state of a network is kept as it is: not saved, not copied, not loaded at once."""
    if code.words(owner_of(call)) not in network_names(code):
        return False
    for one in code.above(call):
        if isinstance(one, cst.Call):
            return called(one) in ("append", "dict") and one is not call
        if isinstance(one, cst.Assign | cst.AnnAssign):
            return True
        if not isinstance(one, cst.Arg | cst.Dict | cst.DictElement | cst.Tuple | cst.List | cst.Element):
            return False
    return False


def write_seed_workers(edits: Edits) -> bool:
    """Leave out what gives the workers of a loader one seed."""
    call = training_loader(edits.code)
    given = [one for one in call.args if one.keyword is not None] if call is not None else []
    by_name = {one.keyword.value: one for one in given if one.keyword is not None}
    if "worker_init_fn" not in by_name or "num_workers" not in by_name or edits.code.calls_of(GENERATORS):
        return False
    edits.remove_argument(by_name["worker_init_fn"], say="leave out worker_init_fn: PyTorch seeds each worker anew")
    return True


def write_train_mode(edits: Edits) -> bool:
    """Set training mode before the batches of an epoch."""
    code = edits.code
    backward = backward_of(code)
    network = network_at(code, backward) if backward is not None else None
    place = _before_batches(code, backward) if backward is not None else None
    if network is None or place is None:
        return False
    edits.before(place, f"{network.value}.train()", say=f"call {network.value}.train() before the batches of an epoch")
    return True


def write_evaluation_mode(edits: Edits) -> bool:
    """Set evaluation mode where gradients are off, and training mode again before the next batches."""
    code = edits.code
    if not write_train_mode(edits):
        return False
    found = False
    entered = [(node, [one.item for one in node.items]) for node in code.every(cst.With)]
    decorated = [(node, [one.decorator for one in node.decorators]) for node in code.every(cst.FunctionDef)]
    for node, openings in [*entered, *decorated]:
        if not any(_is_no_grad(code, one) for one in openings):
            continue
        body = statements(node.body)
        network = network_at(code, body[0])
        inside = {called(call) for call in code.calls(node) if isinstance(call.func, cst.Name)}
        if network is not None and network.value in inside:
            first = body[1] if is_text(body[0]) and len(body) > 1 else body[0]
            edits.before(first, f"{network.value}.eval()", say=f"call {network.value}.eval() before evaluating")
            found = True
        elif inside & network_names(code):
            return False
    return found


def _before_batches(code: Code, backward: Statement) -> Statement | None:
    """The loop over batches; if there is none, the first statement of the loop over epochs."""
    around = loops_around(code, backward)
    inner = next(around, None)
    if inner is None or isinstance(inner, cst.FunctionDef):
        return None
    # A loop outside of all others and of functions is a loop over epochs, though not over a range.
    outer = next(around, None)
    if inner is epoch_loop(code) or code.methods("eval", inner) or outer is None:
        return statements(inner.body)[0]
    return inner


def _is_no_grad(code: Code, node: cst.BaseExpression) -> bool:
    return code.dotted(node.func if isinstance(node, cst.Call) else node) in NO_GRADIENTS


# Data loaders and loss.


def write_batch_size(edits: Edits, value: str) -> bool:
    """Change the number of rows in a batch, in every loader."""
    calls = edits.code.calls_of(LOADERS)
    if not calls or any(is_open(call) or argument_of(call, "batch_sampler") is not None for call in calls):
        return False
    sizes = [argument_of(call, "batch_size", 1) for call in calls]
    give(edits, [size for size in sizes if size is not None], value)
    for call, size in zip(calls, sizes, strict=True):
        if size is None:
            edits.add_keyword(call, "batch_size", value)
    return True


def write_shuffle(edits: Edits) -> bool:
    """Let the loader of the training rows shuffle them."""
    call = training_loader(edits.code)
    if call is None or is_open(call) or argument_of(call, "sampler") or argument_of(call, "batch_sampler"):
        return False
    set_argument(edits, call, "shuffle", 2, "True")
    return True


def training_loader(code: Code) -> cst.Call | None:
    """The loader of the innermost loop around the backward pass, or the only loader."""
    calls = code.calls_of(LOADERS)
    backward = backward_of(code)
    loops = [one for one in code.above(backward) if isinstance(one, cst.For)] if backward is not None else []
    if loops:
        made = [code.value_of(name) for name in code.names(loops[0].iter)]
        known = [call for call in calls if call in made]
        if len(known) == 1:
            return known[0]
    return calls[0] if len(calls) == 1 else None


def write_match_shapes(edits: Edits) -> bool:
    """Give the targets the shape of the outputs."""
    code = edits.code
    backward = backward_of(code)
    block = code.block(backward) if backward is not None else []
    found = [call for call, kind in losses(code) if kind in OF_SHAPES and code.statement(call) in block]
    if len(found) != 1 or len(found[0].args) != 2 or any(one.star or one.keyword for one in found[0].args):
        return False  # it needs exactly outputs and targets
    outputs, targets = (one.value for one in found[0].args)
    name = "outputs"
    if isinstance(outputs, cst.Name):
        name = outputs.value
    else:
        statement = code.statement(found[0])
        calls = code.calls(statement)
        before = [call for call in calls if call is not found[0] and code.order[call] < code.order[outputs]]
        if before or not code.is_free(name) or not isinstance(statement, cst.Assign | cst.Expr):
            return False  # another call would then run after the network, not before
        edits.before(statement, f"{name} = {code.words(outputs)}")
        edits.put(outputs, name)
    words = code.words(targets)
    plain = isinstance(targets, cst.Name | cst.Attribute | cst.Subscript | cst.Call) or targets.lpar
    edits.put(targets, f"{words if plain else f'({words})'}.reshape({name}.shape)")
    return True
