"""How the parameters of one module are set: the schemes applied to each kind of layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from babysit.nn._flow import RawWeight
from babysit.nn._following import Follows
from babysit.nn._initialisation_report import LayerInitialisation
from babysit.nn._layers import Fans, fans, in_groups, kind_of
from babysit.nn._schemes import Scheme, draw_normal, draw_orthogonal, draw_uniform

OUTPUT_GAIN = 0.1
NO_GAIN: tuple[Scheme, ...] = ("small-random", "constant", "zero", "xavier-uniform")
Draw = Callable[[torch.Size], Tensor]


@dataclass
class ParameterSetter:
    """A scheme with its options, and what it has done so far.

    Attributes:
        scheme: How weights are drawn.
        std: Of `small-random`.
        value: Of `constant`.
        bias: First value of biases.
        branches: Residual branches in the model.
        zeroed: Names of normalisations that start at scale 0.
        generator: Where the numbers come from.
        layers: Weights that were drawn.
        biases: Biases that were set.
        normalisations: Normalisations that were set.
        done: Identities of the parameters that were set.
        reasons: Why parameters were left, by identity.
    """

    scheme: Scheme
    std: float
    value: float
    bias: float
    branches: int
    zeroed: frozenset[str]
    generator: torch.Generator
    layers: list[LayerInitialisation] = field(default_factory=list)
    biases: dict[str, str] = field(default_factory=dict)
    normalisations: dict[str, float] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    reasons: dict[int, str] = field(default_factory=dict)

    def apply(self, name: str, module: nn.Module, follows: Follows) -> None:
        """Set the parameters that a module itself holds."""
        kind = kind_of(module)
        if kind is None:
            return
        if self.scheme == "pytorch":
            self._leave(name, module, kind == "normalisation", follows)
        elif kind == "normalisation":
            self._normalise(name, module)
        elif kind == "embedding":
            self._embed(name, module, follows)
        elif kind == "recurrent":
            self._recur(name, module)
        elif kind == "attention":
            self._attend(name, module)
        else:
            self._weigh(name, module, follows)

    def _leave(self, name: str, module: nn.Module, normalisation: bool, follows: Follows) -> None:
        for part, parameter in module.named_parameters(recurse=False):
            full = _join(name, part)
            if part == "bias" and self.bias != 0.0 and not normalisation and parameter.requires_grad:
                self._fill(full, parameter, self.bias)
                continue
            self.reasons[id(parameter)] = "the scheme leaves what PyTorch drew"
            if part.startswith("weight") and parameter.ndim >= 2:
                fan_in = fans(module, parameter).fan_in if part == "weight" else parameter.shape[1]
                std = _std(parameter)
                self.layers.append(
                    LayerInitialisation(
                        full,
                        tuple(parameter.shape),
                        "pytorch",
                        std * math.sqrt(fan_in),
                        fan_in,
                        std,
                        follows.meets,
                        "left as it was drawn",
                    )
                )

    def _weigh(self, name: str, module: nn.Module, follows: Follows) -> None:
        """A dense, convolutional or bilinear layer."""
        weight = module.weight
        assert isinstance(weight, Tensor)
        sizes = fans(module, weight)
        scheme, gain, why = self._choice(follows)
        groups = in_groups(module)

        def draw(shape: torch.Size) -> Tensor:
            return self._draw(scheme, shape, gain, sizes, groups)

        self._set(name, module, "weight", draw, scheme, gain, sizes.fan_in, follows.meets, why)
        self._set_bias(name, module, follows)

    def apply_raw(self, raw: RawWeight, parameters: Mapping[str, Tensor], follows: Follows) -> None:
        """Set a weight that is a parameter of no layer, and its bias."""
        weight = parameters[raw.name]
        if self.scheme == "pytorch":
            self.reasons[id(weight)] = "the scheme leaves what PyTorch drew"
            return
        if not self._may_set(weight):
            return
        fan_in = raw.fan_in(weight)
        scheme, gain, why = self._choice(follows)
        if scheme == "lsuv":
            scheme, why = "orthogonal", f"{why}; a parameter of no layer is not scaled"
        shape = weight.shape if raw.outputs_first else weight.mT.shape
        drawn = self._draw(scheme, shape, gain, Fans(fan_in, weight.numel() // fan_in))
        weight.copy_(drawn if raw.outputs_first else drawn.mT)
        has_gain = scheme not in NO_GAIN
        self.layers.append(
            LayerInitialisation(
                raw.name,
                tuple(weight.shape),
                scheme,
                gain if has_gain else None,
                fan_in,
                _std(drawn),
                follows.meets,
                why,
            )
        )
        if raw.bias is not None:
            plain = self.value if self.scheme == "constant" else 0.0
            keeps = follows.is_output or self.scheme in ("constant", "zero")
            self._fill(raw.bias, parameters[raw.bias], plain if keeps else self.bias)

    def _choice(self, follows: Follows) -> tuple[Scheme, float, str]:
        """Scheme, gain and reason for a layer, from what follows it."""
        scheme = self.scheme
        facts = follows.facts
        gain = facts.gain if facts is not None else 1.0
        met = f"{facts.scheme} for {facts.name}" if facts is not None else f"no activation before {follows.meets}"
        if scheme in ("he", "orthogonal", "lsuv"):
            return scheme, gain, met
        if scheme != "auto":
            return scheme, 1.0, "the same for every layer"
        if follows.is_output:
            return "xavier", OUTPUT_GAIN, "an output layer begins small, so that the first loss is that of chance"
        drawn: Scheme = facts.scheme if facts is not None else "xavier"
        if follows.ends_branch:
            share = 1 / math.sqrt(self.branches)
            return drawn, gain * share, f"{met}; ends one of {self.branches} residual branches: times {share:.3g}"
        return drawn, gain, met

    def _draw(self, scheme: Scheme, shape: torch.Size, gain: float, sizes: Fans, groups: int = 1) -> Tensor:
        if scheme == "small-random":
            return draw_normal(shape, self.std, self.generator)
        if scheme == "constant":
            return torch.full(shape, self.value)
        if scheme == "zero":
            return torch.zeros(shape)
        if scheme == "xavier-uniform":
            return draw_uniform(shape, sizes, self.generator)
        if scheme in ("orthogonal", "lsuv"):
            return draw_orthogonal(shape, gain, groups, self.generator)
        return draw_normal(shape, gain / math.sqrt(sizes.fan_in), self.generator)

    def _set_bias(self, name: str, module: nn.Module, follows: Follows) -> None:
        bias = module._parameters.get("bias")
        if bias is None:
            return
        full = _join(name, "bias")
        if self.scheme == "constant":
            self._fill(full, bias, self.value)
        else:
            self._fill(full, bias, 0.0 if follows.is_output or self.scheme == "zero" else self.bias)

    def _embed(self, name: str, module: nn.Module, follows: Follows) -> None:
        """A dense layer whose input has a single one: fan in 1."""
        weight = module.weight
        assert isinstance(weight, Tensor)
        scheme: Scheme = self.scheme if self.scheme in ("small-random", "constant", "zero") else "xavier"
        why = "a row is picked by a single one: fan in 1"
        self._set(
            name,
            module,
            "weight",
            lambda shape: self._draw(scheme, shape, 1.0, Fans(1, 1)),
            scheme,
            1.0,
            1,
            follows.meets,
            why,
        )
        padding = getattr(module, "padding_idx", None)
        if padding is not None and id(weight) in self.done:
            weight[padding] = 0.0

    def _recur(self, name: str, module: nn.Module) -> None:
        """Gate by gate: xavier for inputs, orthogonal for the state, forget gates open."""
        gates = 4 if isinstance(module, nn.LSTM | nn.LSTMCell) else 3 if isinstance(module, nn.GRU | nn.GRUCell) else 1
        plain = self.scheme in ("small-random", "constant", "zero")
        for part, parameter in list(module.named_parameters(recurse=False)):
            if part.startswith("weight"):
                state = part.startswith("weight_hh")
                scheme: Scheme = self.scheme if plain else "orthogonal" if state else "xavier"
                blocks = 1 if part.startswith("weight_hr") else gates
                sizes = Fans(parameter.shape[1], parameter.shape[0] // blocks)

                def draw(
                    shape: torch.Size, scheme: Scheme = scheme, sizes: Fans = sizes, blocks: int = blocks
                ) -> Tensor:
                    return self._draw(scheme, shape, 1.0, sizes, blocks)

                why = f"{blocks} gates, each {'keeps the state in length' if state else 'fed by its inputs'}"
                self._set(name, module, part, draw, scheme, 1.0, sizes.fan_in, "its own gates", why)
            else:
                self._fill(_join(name, part), parameter, self.value if self.scheme == "constant" else 0.0)
                # PyTorch adds two biases: one of them alone opens the gate, the second of i, f, g, o.
                if gates == 4 and part.startswith("bias_ih") and not plain and parameter.requires_grad:
                    parameter[parameter.shape[0] // 4 : parameter.shape[0] // 2] = 1.0
                    self.biases[_join(name, part)] = "0, forget gates 1"

    def _attend(self, name: str, module: nn.Module) -> None:
        """Queries, keys and values are three layers in one weight; the output projection is a layer of its own."""
        plain = self.scheme in ("small-random", "constant", "zero", "xavier-uniform")
        scheme: Scheme = self.scheme if plain else "orthogonal" if self.scheme in ("orthogonal", "lsuv") else "xavier"
        for part, parameter in list(module.named_parameters(recurse=False)):
            if part.endswith("proj_weight"):
                blocks = 3 if part == "in_proj_weight" else 1
                sizes = Fans(parameter.shape[1], parameter.shape[0] // blocks)

                def draw(shape: torch.Size, sizes: Fans = sizes, blocks: int = blocks) -> Tensor:
                    return self._draw(scheme, shape, 1.0, sizes, blocks)

                self._set(name, module, part, draw, scheme, 1.0, sizes.fan_in, "attention", "linear into the softmax")
            elif part == "in_proj_bias":
                self._fill(_join(name, part), parameter, self.value if self.scheme == "constant" else 0.0)
            else:
                self.reasons[id(parameter)] = "a learned key or value has no fan"

    def _normalise(self, name: str, module: nn.Module) -> None:
        scale = 0.0 if name in self.zeroed else 1.0
        weight, bias = module._parameters.get("weight"), module._parameters.get("bias")
        if weight is not None and self._may_set(weight):
            weight.fill_(scale)
            self.normalisations[name] = scale
        if bias is not None and self._may_set(bias):
            bias.zero_()
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.reset_running_stats()

    def _set(
        self,
        name: str,
        module: nn.Module,
        part: str,
        draw: Draw,
        scheme: Scheme,
        gain: float,
        fan_in: int,
        followed_by: str,
        why: str,
    ) -> None:
        """Draw one weight, also where a parametrisation computes it from other parameters."""
        weight = getattr(module, part)
        sources = _sources(module, part, weight)
        settable = [self._may_set(source) for source in sources]
        if not settable or not all(settable):
            return
        drawn = draw(weight.shape).to(weight)
        if parametrize.is_parametrized(module, part):
            try:
                setattr(module, part, drawn)
                _settle(module, part)
            except (RuntimeError, NotImplementedError, ValueError) as error:
                for source in sources:
                    self.done.discard(id(source))
                    self.reasons[id(source)] = f"its parametrisation takes no weight: {error}"
                return
            drawn = getattr(module, part)
        elif part in module._parameters:
            weight.copy_(drawn)
        else:
            direction, length = sources
            direction.copy_(drawn)
            length.copy_(torch.norm_except_dim(drawn, 2, 0).view_as(length))
        has_gain = scheme not in NO_GAIN
        self.layers.append(
            LayerInitialisation(
                _join(name, part),
                tuple(weight.shape),
                scheme,
                gain if has_gain else None,
                fan_in,
                _std(drawn),
                followed_by,
                why,
            )
        )

    def _fill(self, name: str, parameter: Tensor, value: float) -> None:
        if self._may_set(parameter):
            parameter.fill_(value)
            self.biases[name] = f"{value:g}"

    def _may_set(self, parameter: Tensor) -> bool:
        """Once each, and not what is frozen."""
        if id(parameter) in self.done:
            return False
        if not parameter.requires_grad:
            self.reasons[id(parameter)] = "it is frozen: requires_grad is False"
            return False
        self.done.add(id(parameter))
        return True


def _sources(module: nn.Module, part: str, weight: Tensor) -> list[Tensor]:
    """The parameters that a weight is made of; more than itself under weight norm and its kin."""
    if parametrize.is_parametrized(module, part):
        return list(module.parametrizations[part].parameters(recurse=False))  # type: ignore[index, union-attr]
    if part in module._parameters:
        return [weight]
    pair = [module._parameters.get(f"{part}_v"), module._parameters.get(f"{part}_g")]
    return [parameter for parameter in pair if parameter is not None] if None not in pair else []


def _settle(module: nn.Module, part: str) -> None:
    """Let a parametrisation that refines an estimate at each use, as spectral norm does, get used to the new weight."""
    chain = module.parametrizations[part]  # type: ignore[index]
    training = [(inner, inner.training) for inner in chain.modules()]  # type: ignore[union-attr]
    chain.train()  # type: ignore[union-attr]
    for _ in range(15):
        getattr(module, part)
    for inner, mode in training:
        inner.training = mode


def _std(weight: Tensor) -> float:
    """Over all numbers, population form."""
    return weight.detach().float().std(correction=0).item()


def _join(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part
