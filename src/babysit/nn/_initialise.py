"""initialize: the first weights of any model, each layer's suited to the activation that really follows it."""

from __future__ import annotations

import dataclasses
import difflib
import math

import torch
from torch import nn

from babysit.nn._following import Follows, follow
from babysit.nn._initialisation_report import InitialisationReport, LayerInitialisation, LeftAlone
from babysit.nn._layers import kind_of
from babysit.nn._lsuv import scale_to_unit_variance
from babysit.nn._sample import Sample
from babysit.nn._schemes import SCHEMES, SMALL, SOURCES, Scheme
from babysit.nn._set_parameters import ParameterSetter
from babysit.record import InputError

_UNKNOWN = Follows(meets="not seen: it did not take part in the forward pass")


def initialize(
    model: nn.Module,
    scheme: Scheme = "auto",
    *,
    sample: Sample | None = None,
    std: float | None = None,
    bias: float = 0.0,
    value: float | None = None,
    zero_last_norm: bool = False,
    seed: int = 0,
    measure: bool = True,
) -> InitialisationReport:
    """Draw new weights for a model, in place, and report what was done layer by layer.

    The activation that follows each layer is found by running the sample, if there is one; else by symbolic tracing;
    else by the order of the modules. The report says which way was used.

    What `auto` does: `he` or `xavier`, whichever was derived for the activation that follows. Layers that end the
    model get gain 0.1, so that the first loss is that of chance (the lecture's first check; Goyal et al. 2017,
    arXiv:1706.02677, section 5.1, draw theirs with std 0.01). Layers that end a residual branch without
    normalisation are scaled by 1/sqrt(number of branches) (Radford et al. 2019, GPT-2, section 2.3).

    With every scheme but `pytorch`: biases are set to `bias` (to 0 in output layers), normalisations to scale 1,
    shift 0 and fresh running statistics; embeddings are drawn as dense layers with one input; recurrent weights as
    orthogonal matrices gate by gate, forget gates biased by 1 (Jozefowicz et al. 2015); frozen and unknown parameters
    are left alone. Other buffers, the model's mode and the global random numbers stay as they are.

    Args:
        model: Any module with its weights on a real device.
        scheme: `auto`, `pytorch` (leave the weights), `small-random`, `xavier`, `xavier-uniform`, `he`, `orthogonal`,
            `lsuv` (needs a sample), `constant`, `zero`.
        sample: A batch as the model takes it: a tensor, a tuple of arguments or a dict of arguments by name.
        std: Of `small-random`, 0.01 when not given.
        bias: First value of biases; 0.01 keeps more relu units alive at the start. `pytorch` leaves biases at 0.0.
        value: Of `constant`.
        zero_last_norm: Start the last normalisation of each residual branch at scale 0, so that the branch begins
            as nothing (Goyal et al. 2017, section 5.1).
        seed: Of the draws; the same seed gives the same weights on every device.
        measure: Whether to run the sample again and report what std each layer's output has then.

    Returns:
        What was done; with a sample also the std each layer's output then has.

    Raises:
        InputError: An unknown scheme, an option of another scheme, a sample that the model cannot take, or weights
            that have no values yet.

    Example:
        >>> model = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
        >>> report = initialize(model)
        >>> [(layer.followed_by, round(layer.gain, 3)) for layer in report.layers]
        [('relu', 1.414), ("the model's end", 0.1)]
    """
    _check(model, scheme, sample, std, bias, value)
    following = follow(model, sample)
    if zero_last_norm and (scheme == "pytorch" or not following.last_norms):
        raise InputError(
            "zero_last_norm found no normalisation at the end of a residual branch",
            legal="models with residual branches that end in a normalisation, and any scheme but pytorch",
            cause=f"looked for by {following.way}; a sample finds more" if scheme != "pytorch" else None,
        )
    setter = ParameterSetter(
        scheme=scheme,
        std=SMALL if std is None else std,
        value=0.0 if value is None else value,
        bias=bias,
        branches=following.sums,
        zeroed=frozenset(following.last_norms if zero_last_norm else ()),
        generator=torch.Generator().manual_seed(seed),
    )
    with torch.no_grad():
        for name, module in model.named_modules():
            setter.apply(name, module, following.layers.get(name, _UNKNOWN))
        parameters = dict(model.named_parameters())
        for follows in following.layers.values():
            if follows.raw is not None:
                setter.apply_raw(follows.raw, parameters, follows)
    layers = setter.layers
    if scheme == "lsuv" and sample is not None:
        layers = scale_to_unit_variance(model, sample, layers)
    if sample is not None and measure:
        layers = _with_achieved(model, sample, layers)
    return InitialisationReport(
        scheme=scheme,
        source=SOURCES[scheme],
        seed=seed,
        way=following.way,
        layers=tuple(layers),
        biases=setter.biases,
        normalisations=setter.normalisations,
        left=_left(model, setter),
    )


initialise = initialize  # the other spelling


def _check(
    model: nn.Module, scheme: str, sample: Sample | None, std: float | None, bias: float, value: float | None
) -> None:
    if scheme not in SCHEMES:
        nearest = difflib.get_close_matches(scheme, SCHEMES, n=1)
        write = f'scheme="{nearest[0]}"' if nearest else None
        raise InputError(f"there is no initialisation {scheme!r}", legal=", ".join(SCHEMES), write=write)
    if scheme == "lsuv" and sample is None:
        raise InputError(
            "initialisation lsuv needs a sample, and none was given",
            cause="it scales each layer by the variance the sample's data has there",
            write='initialize(model, "lsuv", sample=batch)',
        )
    if std is not None and scheme != "small-random":
        raise InputError(f"std = {std} was given with {scheme}", legal="std goes only with small-random")
    if std is not None and not (math.isfinite(std) and std > 0):
        raise InputError(f"std = {std} is not a standard deviation", legal="a number above 0")
    if (value is not None) != (scheme == "constant"):
        given = "constant needs a value" if value is None else f"value = {value} was given with {scheme}"
        raise InputError(given, legal="value goes only with constant, which needs it")
    if not math.isfinite(bias):
        raise InputError(f"bias = {bias} is not a number to start with", legal="a finite number, as a rule 0 or 0.01")
    for name, parameter in model.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter) or parameter.device.type == "meta":
            raise InputError(
                f"{name} has no values yet",
                cause="a lazy layer that has not seen a batch, or a model on the meta device",
                write="run one batch through the model, or model.to_empty(device='cpu'), first",
            )
        if parameter.is_inference():
            raise InputError(
                f"{name} was made for inference and cannot be changed",
                cause="the model was made inside torch.inference_mode()",
                write="make the model outside of it",
            )


def _with_achieved(model: nn.Module, sample: Sample, layers: list[LayerInitialisation]) -> list[LayerInitialisation]:
    """Each layer with the std its output has on the sample now."""
    after = follow(model, sample, measure=True)
    achieved = []
    for layer in layers:
        owner = layer.name.rpartition(".")[0]
        follows = after.layers.get(layer.name) or after.layers.get(owner)
        if follows is None or follows.output is None:
            achieved.append(layer)
            continue
        activated = follows.activated
        # Units of a dense layer lie along the last dimension, those of a convolution along the second.
        last = kind_of(model.get_submodule(owner)) == "dense" or (follows.raw is not None and len(layer.shape) == 2)
        never = None if activated is None else (activated.never_active_last if last else activated.never_active_first)
        achieved.append(
            dataclasses.replace(
                layer,
                output_std=follows.output.std,
                activation_std=activated.std if activated else None,
                never_active=never,
            )
        )
    return achieved


def _left(model: nn.Module, setter: ParameterSetter) -> tuple[LeftAlone, ...]:
    """Every parameter that was not set, with the reason."""
    left = []
    for name, parameter in model.named_parameters():
        if id(parameter) in setter.done:
            continue
        owner = model.get_submodule(name.rpartition(".")[0])
        why = setter.reasons.get(id(parameter)) or f"a parameter of {type(owner).__name__}, which is not known"
        left.append(LeftAlone(name, why))
    return tuple(left)
