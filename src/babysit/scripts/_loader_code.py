"""Remedies of the loaders and the loss, written where the script makes or calls them."""

from __future__ import annotations

import ast

from babysit.record import losses_that
from babysit.scripts._code import Code, Edit
from babysit.scripts._optimizer_code import Wanted
from babysit.scripts._training_code import backward_of, losses
from babysit.scripts._values import argument_of, given_value, is_open, keyword_of, with_keyword

LOADERS = frozenset({"torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader"})
OF_SHAPES = losses_that(plain=True, elementwise=True)
OWN_ORDER = ("sampler", "batch_sampler")


def write_batch_size(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Another number of rows a batch, in every loader."""
    calls = code.calls_of(LOADERS)
    if not calls or any(is_open(call) or keyword_of(call, "batch_sampler") is not None for call in calls):
        return None
    sizes = [argument_of(call, "batch_size", 1) for call in calls]
    edits = given_value(code, [size for size in sizes if size is not None], value)
    new = [with_keyword(code, call, "batch_size", value)
           for call, size in zip(calls, sizes, strict=True) if size is None]  # fmt: skip
    return [*edits, *(edit for edit in new if edit is not None)] if None not in new else None


def write_shuffle(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """Rows shuffled by the loader that is trained from."""
    call = _training_loader(code)
    if call is None or is_open(call) or any(keyword_of(call, name) is not None for name in OWN_ORDER):
        return None
    shuffle = argument_of(call, "shuffle", 2)
    if shuffle is not None:
        return given_value(code, [shuffle], "True")
    edit = with_keyword(code, call, "shuffle", "True")
    return [edit] if edit is not None else None


def write_match_shapes(code: Code, value: str, wanted: Wanted) -> list[Edit] | None:
    """The targets in the outputs' shape."""
    backward = backward_of(code)
    if backward is None:
        return None
    block = code.block(backward)
    found = [call for call, kind in losses(code) if kind in OF_SHAPES and code.statement(call) in block]
    if len(found) != 1 or len(found[0].args) != 2 or is_open(found[0]):  # outputs and targets
        return None
    outputs, targets = found[0].args
    statement = code.statement(found[0])
    end = code.end(targets)
    wrapped = isinstance(targets, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    opening = [] if wrapped else [Edit(code.start(targets), code.start(targets), "(")]
    closing = "" if wrapped else ")"
    if isinstance(outputs, ast.Name):
        return [*opening, Edit(end, end, f"{closing}.reshape({outputs.id}.shape)")]
    if code.stores("outputs") or "outputs" in code.imported or not isinstance(statement, ast.Assign | ast.Expr):
        return None
    if any(call is not found[0] and code.start(call) < code.start(outputs) for call in code.calls(statement)):
        return None  # something else is called before the network
    return [
        code.before(statement, f"outputs = {code.segment(outputs)}"),
        Edit(code.start(outputs), code.end(outputs), "outputs"),
        *opening,
        Edit(end, end, f"{closing}.reshape(outputs.shape)"),
    ]


def _training_loader(code: Code) -> ast.Call | None:
    """The loader of the innermost loop around the backward pass; the only one where there is only one."""
    calls = code.calls_of(LOADERS)
    backward = backward_of(code)
    loop = next((one for one in code.above(backward) if isinstance(one, ast.For)), None) if backward else None
    if loop is not None:
        names = {one.id for one in ast.walk(loop.iter) if isinstance(one, ast.Name)}
        made = [code.assigned(name) for name in names]
        known = [call for call in calls if call in made]
        if len(known) == 1:
            return known[0]
    return calls[0] if len(calls) == 1 else None
