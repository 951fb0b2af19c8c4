"""Linear layers with nothing nonlinear between them."""

from __future__ import annotations

import itertools

from babysit.diseases._at_the_loss import activation_name
from babysit.diseases._disease import Disease
from babysit.record import Finding, Severity, Trace, TraceLayer

LINEAR = ("linear", "conv")
AFFINE = ("dropout", "batch-norm")  # in front of a linear layer they change nothing of its kind


def find(trace: Trace) -> list[Finding]:
    """The whole network first; in a network that is nonlinear elsewhere, pairs that certainly follow one another."""
    linear = [place for place, layer in enumerate(trace.layers) if layer.kind in LINEAR]
    if len(linear) < 2 or any(not trace.layers[place].name for place in linear):
        return []  # a layer without a name is the whole network
    inside = trace.layers[linear[0] : linear[-1] + 1]
    kinds = {layer.kind for layer in inside if not _keeps_linear(layer)}
    if not kinds - {"norm"}:
        return _whole(trace, inside, normalised=bool(kinds))
    return _pairs(trace, linear)


def _keeps_linear(layer: TraceLayer) -> bool:
    return layer.kind in LINEAR or layer.kind in AFFINE or activation_name(layer) == "identity"


def _whole(trace: Trace, inside: tuple[TraceLayer, ...], normalised: bool) -> list[Finding]:
    """A linear network, if its layers feed each other; layer normalisation alone is slightly nonlinear."""
    chain = [layer for layer in inside if layer.kind in LINEAR]
    pairs = list(itertools.pairwise(chain))
    unknown = sum(not layer.fan_in for layer in chain) > 1  # weights that are not a layer's, such as in x @ w @ v
    if not all(_may_feed(*pair) or unknown for pair in pairs):
        return []  # heads beside each other
    redundant = [pair for pair in pairs if not _narrows(*pair)]
    # Layers of equal inputs may be two heads on the same ones; where every pair is so, it cannot be told.
    beside = all(_may_stand_beside(*pair) for pair in redundant)
    unsure = normalised or unknown or bool(trace.happened("unseen")) or beside
    where = f"{chain[0].name} to {chain[-1].name}"
    evidence = {
        "linear layers": len(chain),
        "activations between": 0,
        "pairs with a narrow middle, such as a low-rank factor": len(pairs) - len(redundant),
        "threshold": "one activation between two linear layers",
    }
    return [DISEASE.finding(where, evidence=evidence, severity="warning" if unsure else "sick")]


def _pairs(trace: Trace, linear: list[int]) -> list[Finding]:
    """Layers called in a row may stand beside each other, as queries and keys do, or have a shortcut added between.

    So only those are told of that a Sequential or their numbers put one after the other.
    """
    found: list[tuple[TraceLayer, TraceLayer]] = []
    for before, after in itertools.pairwise(linear):
        first, second = trace.layers[before], trace.layers[after]
        between = trace.layers[before + 1 : after]
        if not all(_keeps_linear(layer) for layer in between) or not _may_feed(first, second):
            continue
        if _narrows(first, second) or _grouped(trace, before) or _may_stand_beside(first, second):
            continue
        if _sequential(first, second) or _numbered(first, second):
            found.append((first, second))
    if not found:
        return []
    first, second = found[0]
    evidence = {
        "pairs": len(found),
        "first": first.name,
        "units": first.units,
        "second": second.name,
        "inputs of the second": second.fan_in,
        "threshold": "one activation between two linear layers",
    }
    severity: Severity = "warning" if _sequential(first, second) else "note"
    return [DISEASE.finding(f"{first.name}, {second.name}", evidence=evidence, severity=severity)]


def _may_feed(first: TraceLayer, second: TraceLayer) -> bool:
    """Whether the second has as many inputs as the first has outputs; flattened images have a multiple of channels."""
    if not first.units or not second.fan_in:
        return False
    if first.kind == second.kind == "linear":
        return first.units == second.fan_in
    return second.fan_in % first.units == 0


def _sequential(first: TraceLayer, second: TraceLayer) -> bool:
    """Whether the network is a Sequential: its layers are called by number, each on what the last one gave."""
    return first.name.isdigit() and second.name.isdigit()


def _numbered(first: TraceLayer, second: TraceLayer) -> bool:
    """Whether two linear layers are called `fc1` and `fc2`: a shortcut beside a convolution may be so, too."""
    if first.kind != "linear" or second.kind != "linear":
        return False
    stems = [layer.name.rstrip("0123456789") for layer in (first, second)]
    numbers = [layer.name.removeprefix(stem) for layer, stem in zip((first, second), stems, strict=True)]
    return stems[0] == stems[1] and all(numbers) and int(numbers[1]) == int(numbers[0]) + 1


def _may_stand_beside(first: TraceLayer, second: TraceLayer) -> bool:
    """Whether both might be given the same inputs, as queries and keys are."""
    return first.fan_in == second.fan_in and not _sequential(first, second)


def _narrows(first: TraceLayer, second: TraceLayer) -> bool:
    """Whether the pair has a lower rank than a single layer would have: then it is a factorisation, and has a use."""
    return first.units < min(first.fan_in, second.units)


def _grouped(trace: Trace, place: int) -> bool:
    """Whether a convolution sees fewer inputs than there are channels: depthwise, and meant to go with the next."""
    layer = trace.layers[place]
    earlier = [other for other in trace.layers[:place] if other.kind in LINEAR]
    return layer.kind == "conv" and bool(earlier) and layer.fan_in % max(1, earlier[-1].units) != 0


DISEASE = Disease(
    name="nonlinearity-missing",
    group="wiring",
    severity="sick",
    seen_as="Linear layers follow each other without an activation between them.",
    threshold=(
        "Two or more linear layers, one feeding the next, and nothing but dropout and batch normalisation between: sick"
        " when the whole network is so, a warning when every pair has a narrow middle. A pair in a network that is"
        " nonlinear elsewhere: a warning in a plain Sequential, a note when called fc1 and fc2."
    ),
    source=(
        "Algebra: W2 (W1 x + b1) + b2 is one linear layer. Pairs with a narrow middle are factors of low rank"
        " (Sainath et al. 2013; MobileNetV2, arXiv:1801.04381, has no activation there on purpose). Layer"
        " normalisation is slightly nonlinear (Ni et al. 2024, arXiv:2406.01255)."
    ),
    why=(
        "Several linear layers in a row can do no more than one of them. The network can learn only linear"
        " relations, however many layers and weights it has."
    ),
    remedies=("insert-activation=relu",),
    explained_by=(),
    reads=("event:unseen",),
    find=find,
)
