"""A gradient scaler whose scaled gradients are clipped or stepped with."""

from __future__ import annotations

from babysit.diseases._disease import Disease
from babysit.diseases._proven import told_by_event
from babysit.record import Finding, Trace


def find(trace: Trace) -> list[Finding]:
    return told_by_event(DISEASE, trace)


DISEASE = Disease(
    name="scaler-misused",
    group="dependence",
    severity="sick",
    seen_as=(
        "Gradients are clipped while they are multiplied by the scale, the optimizer's own step is called, or"
        " the loss is not scaled."
    ),
    threshold=(
        "Seen once, with a scale other than 1: `clip_grad_norm_` before `unscale_`; `optimizer.step()` in "
        "place of `scaler.step(optimizer)`; `scaler.step` after a backward pass of a loss that was not "
        "scaled."
    ),
    source="PyTorch's documentation of automatic mixed precision; the scale begins at 65536.",
    why=(
        "Updates are by the scale too small or too large. Call `scaler.unscale_(optimizer)` before clipping, "
        "`scaler.scale(loss).backward()`, then `scaler.step(optimizer)` and `scaler.update()`."
    ),
    remedies=("unscale-gradients",),
    explained_by=(),
    reads=("event:scaler-misused",),
    find=find,
)
