"""Whether a subject trains at all."""

from __future__ import annotations

from babysit.record import InputError, Trace


def check_training(name: str, trace: Trace) -> None:
    """Refuse what trains nothing: there is nothing to be checked."""
    if trace.series("loss").values or trace.layers or trace.happened("not-finite"):
        return
    failed = trace.happened("failed")
    if failed:
        raise InputError(f"{name} fails before it trains: {failed[0].text}")
    raise InputError(
        f"no training was seen in {name}: no backward pass, no step of an optimizer",
        cause="it trains under a condition that did not hold, or in a process of its own, or it moves its weights by"
        " hand with what torch.autograd.grad gives, which is not seen",
        write="its arguments after --, as in: babysit check train.py -- --train",
    )
