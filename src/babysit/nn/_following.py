"""What follows each layer: its activation, a normalisation, a sum with a shortcut, or the end of the model."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import nn

from babysit.nn._activations import facts_of
from babysit.nn._flow import Flow, FlowStep, Measured, RawWeight, with_hand_written_silu
from babysit.nn._flow_run import follow_sample
from babysit.nn._flow_symbolic import trace_symbolically
from babysit.nn._layers import kind_of
from babysit.nn._sample import Sample
from babysit.record import ActivationFacts, InputError

Way = Literal["symbolic tracing", "a run of the sample", "the order of modules"]
_CARRIES = {"pass", "sum", "product", "normalisation"}


@dataclass(frozen=True)
class Follows:
    """What comes after one layer.

    Attributes:
        facts: About the first activation its output reaches, None when there is none.
        meets: The step that ends the search when no activation was found, for the report.
        is_output: Whether no other layer comes after it.
        normalised: A normalisation lies before the activation.
        ends_branch: Its output is added to a shortcut, and no normalisation between sets its size.
        calls: How often the layer is used in one forward pass.
        called: Whether the layer's module is called, rather than its weights read by another's forward.
        dimensions: Of its output, when a sample was run.
        output: Its output for the sample, when one was run.
        activated: The activation's output for the sample, when one was run.
        raw: The weight, when it is a parameter of a module that is not a layer of PyTorch's.
    """

    facts: ActivationFacts | None = None
    meets: str = "nothing"
    is_output: bool = False
    normalised: bool = False
    ends_branch: bool = False
    calls: int = 1
    called: bool = True
    dimensions: int | None = None
    output: Measured | None = None
    activated: Measured | None = None
    raw: RawWeight | None = None


@dataclass(frozen=True)
class Following:
    """What comes after each layer of a model.

    Attributes:
        way: How it was found out.
        layers: By the layer's name; by its weight's, where the weight is a parameter of no layer.
        sums: How many sums of a branch and its shortcut there are.
        last_norms: Normalisations that end a branch.
        folds: Layers and the normalisation that reads their output and nothing else does.
    """

    way: Way
    layers: dict[str, Follows]
    sums: int = 0
    last_norms: tuple[str, ...] = ()
    folds: tuple[tuple[str, str], ...] = ()


def follow(model: nn.Module, sample: Sample | None = None, *, measure: bool = False) -> Following:
    """Find out what follows each layer: by the sample if there is one, else by tracing, else by the modules' order.

    The model's mode, buffers, attributes and the random numbers stay as they are.

    Args:
        model: Any module.
        sample: A batch as the model takes it: a tensor, a tuple of arguments or a dict of arguments by name.
        measure: Whether to also measure what layers and activations give for the sample.

    Raises:
        InputError: The model raises on the sample, or is scripted.

    Example:
        >>> found = follow(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)))
        >>> found.way, found.layers["0"].facts.name, found.layers["2"].is_output
        ('symbolic tracing', 'tanh', True)
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise InputError(
            "a scripted model cannot be inspected",
            legal="a model whose forward is Python",
            cause="it was made by torch.jit.script or torch.jit.trace",
            write="hand over the model before it is scripted",
        )
    flow = follow_sample(model, sample, measure=measure) if sample is not None else trace_symbolically(model)
    return _in_order(model) if flow is None else _Walk(flow).following()


class _Walk:
    """Answers about one flow."""

    def __init__(self, flow: Flow) -> None:
        self.way = flow.way
        self.steps = with_hand_written_silu(flow.steps)
        flow.steps = self.steps
        self.users = flow.users()

    @cached_property
    def depths(self) -> list[int]:
        """Layers on the longest way from an input to each step."""
        depths: list[int] = []
        for step in self.steps:
            before = max((depths[source] for source in step.sources), default=0)
            depths.append(before + (step.kind == "layer"))
        return depths

    @cached_property
    def ancestors(self) -> list[frozenset[int]]:
        """Layers and inputs that each step depends on."""
        ancestors: list[frozenset[int]] = []
        for number, step in enumerate(self.steps):
            own = frozenset({number}) if step.kind in ("layer", "input") else frozenset()
            ancestors.append(own.union(*(ancestors[source] for source in step.sources)))
        return ancestors

    @cached_property
    def lead_to_layers(self) -> list[bool]:
        """Whether another layer comes after each step."""
        lead = [False] * len(self.steps)
        for number in reversed(range(len(self.steps))):
            lead[number] = any(self.steps[user].kind == "layer" or lead[user] for user in self.users[number])
        return lead

    def following(self) -> Following:
        """All answers."""
        branches = self._branches()
        ends = {name for layers, _ in branches for number in layers for name in self.steps[number].modules}
        norms = [name for _, norms in branches for number in norms for name in self.steps[number].modules]
        layers: dict[str, Follows] = {}
        for number, step in enumerate(self.steps):
            for name in step.modules if step.kind == "layer" else ():
                found = self._follows(number, name in ends)
                layers[name] = _together(layers[name], found) if name in layers else found
        return Following(self.way, layers, len(branches), tuple(dict.fromkeys(norms)), self._folds())

    def _follows(self, start: int, ends_branch: bool) -> Follows:
        """The nearest activation after a layer, breadth first through all steps that pass the data on."""
        step = self.steps[start]
        meets, normalised, seen = "the model's end", False, {start}
        waiting = deque((user, False) for user in self.users[start])
        found: FlowStep | None = None
        first_obstacle: str | None = None
        while waiting and found is None:
            number, through_norm = waiting.popleft()
            here = self.steps[number]
            if number in seen:
                continue
            seen.add(number)
            if here.kind == "activation":
                found, normalised = here, through_norm
            elif here.kind in _CARRIES:
                onwards = through_norm or here.kind == "normalisation"
                waiting.extend((user, onwards) for user in self.users[number])
                normalised = normalised or onwards
            elif here.kind not in ("number", "output"):
                first_obstacle = first_obstacle or here.label
        return Follows(
            facts=found.facts if found else None,
            meets=found.label if found else first_obstacle or meets,
            is_output=not self.lead_to_layers[start],
            normalised=normalised,
            ends_branch=ends_branch,
            called=step.called,
            dimensions=step.dimensions,
            output=step.measured,
            activated=found.measured if found else None,
            raw=step.raw,
        )

    def _branches(self) -> list[tuple[list[int], list[int]]]:
        """For each sum with a shortcut, the layers that end its branch bare, and the normalisations that end it."""
        branches = []
        for step in self.steps:
            if step.kind != "sum" or len(step.sources) != 2:
                continue
            left, right = step.sources
            if self.depths[left] == self.depths[right] or not self.ancestors[left] & self.ancestors[right]:
                continue
            deeper, shallower = (left, right) if self.depths[left] > self.depths[right] else (right, left)
            layers, norms = self._ends(deeper)
            # The shortcut has to leave from before the branch's own last layer.
            if (layers or norms) and not any(end in self.ancestors[shallower] for end in layers):
                branches.append((layers, norms))
        return branches

    def _ends(self, number: int) -> tuple[list[int], list[int]]:
        """Back from a sum's branch to the layers and normalisations it comes from."""
        layers, norms, waiting = [], [], [number]
        while waiting:
            here = waiting.pop()
            step = self.steps[here]
            if step.kind == "layer":
                layers.append(here)
            elif step.kind == "normalisation":
                norms.append(here)
            elif step.kind in ("pass", "product", "activation"):
                waiting.extend(step.sources)
        return layers, norms

    def _folds(self) -> tuple[tuple[str, str], ...]:
        times_used: dict[str, int] = {}
        for step in self.steps:
            for name in step.modules:
                times_used[name] = times_used.get(name, 0) + 1
        folds = []
        for step in self.steps:
            if step.kind != "normalisation" or len(step.modules) != 1 or len(step.sources) != 1:
                continue
            (source,) = step.sources
            layer = self.steps[source]
            alone = (
                layer.kind == "layer"
                and layer.called
                and step.called
                and len(layer.modules) == 1
                and len(self.users[source]) == 1
            )
            if alone and times_used[layer.modules[0]] == 1 and times_used[step.modules[0]] == 1:
                folds.append((layer.modules[0], step.modules[0]))
        return tuple(folds)


def _together(first: Follows, again: Follows) -> Follows:
    """A layer used more than once: the first use decides, unless only a later one meets an activation."""
    better = again if first.facts is None and again.facts is not None else first
    return Follows(
        better.facts,
        better.meets,
        first.is_output and again.is_output,
        better.normalised,
        first.ends_branch or again.ends_branch,
        first.calls + 1,
        first.called and again.called,
        better.dimensions,
        better.output,
        better.activated,
        first.raw,
    )


def _in_order(model: nn.Module) -> Following:
    """The next activation in the order the modules were written down; the only one there is, failing that."""
    modules = list(model.named_modules())
    layers = [name for name, module in modules if kind_of(module) not in (None, "normalisation")]
    known = [facts for _, module in modules if (facts := facts_of(module)) is not None and facts.name != "identity"]
    only = known[0] if known and all(facts == known[0] for facts in known) else None
    found: dict[str, Follows] = {}
    for position, (name, _) in enumerate(modules):
        if name not in layers:
            continue
        facts, normalised = _next_facts(modules[position + 1 :])
        is_output = name == layers[-1]
        if facts is None and not is_output:
            facts = only
        meets = facts.name if facts else "the model's end" if is_output else "another layer"
        found[name] = Follows(facts, meets, is_output, normalised)
    return Following("the order of modules", found)


def _next_facts(modules: list[tuple[str, nn.Module]]) -> tuple[ActivationFacts | None, bool]:
    normalised = False
    for _, module in modules:
        kind = kind_of(module)
        if kind == "normalisation":
            normalised = True
        elif kind is not None:
            return None, normalised
        elif (facts := facts_of(module)) is not None and facts.name != "identity":
            return facts, normalised
    return None, normalised
