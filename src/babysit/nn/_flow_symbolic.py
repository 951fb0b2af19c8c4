"""The flow of a model by symbolic tracing: no sample is needed, data-dependent branches cannot be followed."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import torch.fx
from torch import nn

from babysit.nn._activations import facts_of
from babysit.nn._flow import Flow, FlowStep, StepKind, classify_function, is_number_function, passes_through, raw_weight
from babysit.nn._layers import kind_of
from babysit.nn._sample import attributes_restored


class _Tracer(torch.fx.Tracer):
    """Stops at layers, normalisations and activations, and looks into everything else."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one step."""
        if kind_of(m) is not None or facts_of(m) is not None:
            return True
        # A ready-made block such as a transformer layer is torch.nn's own too, and holds what is looked for.
        holds_layers = any(kind_of(part) is not None for part in m.modules())
        return not holds_layers and super().is_leaf_module(m, module_qualified_name)


def trace_symbolically(model: nn.Module) -> Flow | None:
    """The model's flow, None when it cannot be traced without data."""
    try:
        with attributes_restored(model), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = _Tracer().trace(model)
    except Exception:  # a user's forward may raise anything when it meets a symbol
        return None
    return _flow(model, graph)


def _flow(model: nn.Module, graph: torch.fx.Graph) -> Flow:
    flow = Flow("symbolic tracing")
    numbers: dict[torch.fx.Node, int] = {}
    first_names = {id(module): name for name, module in model.named_modules()}
    for node in graph.nodes:
        if node.op == "get_attr":
            continue
        parameters = [source for source in node.all_input_nodes if source.op == "get_attr"]
        owners = tuple(dict.fromkeys(_owner(model, str(source.target), first_names) for source in parameters))
        sources = tuple(numbers[source] for source in node.all_input_nodes if source in numbers)
        numbers[node] = flow.add(_step(model, node, sources, owners, flow, first_names))
    return flow


def _owner(model: nn.Module, target: str, first_names: dict[int, str]) -> str:
    """The module that holds a parameter."""
    return first_names.get(id(model.get_submodule(target.rpartition(".")[0])), "")


def _step(
    model: nn.Module,
    node: torch.fx.Node,
    sources: tuple[int, ...],
    owners: tuple[str, ...],
    flow: Flow,
    first_names: dict[int, str],
) -> FlowStep:
    if node.op == "placeholder":
        return FlowStep("input", node.name)
    if node.op == "output":
        return FlowStep("output", "output", sources)
    if node.op == "call_module":
        return _module_step(model, str(node.target), sources, first_names)
    name = _function_name(node.target)
    if is_number_function(name) or (sources and all(flow.steps[source].kind == "number" for source in sources)):
        return FlowStep("number", name, sources)
    weighted = tuple(owner for owner in owners if kind_of(model.get_submodule(owner)) is not None)
    if weighted:
        kind: StepKind = "normalisation" if kind_of(model.get_submodule(weighted[0])) == "normalisation" else "layer"
        return FlowStep(kind, name, sources, weighted)
    raw = raw_weight(name, node.args, node.kwargs, _raw_names(model, node))
    if raw:
        return FlowStep("layer", name, sources, (raw.name,), raw=raw)
    kind, facts = classify_function(name, node.args[1:], dict(node.kwargs))
    return FlowStep(kind, facts.name if facts else name, sources, owners, facts)


def _raw_names(model: nn.Module, node: torch.fx.Node) -> dict[int, str]:
    """Names of the parameters that a call reads, by the symbol that stands for each."""
    symbols = [source for source in node.all_input_nodes if source.op == "get_attr"]
    if not symbols:
        return {}
    first_names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {}
    for symbol in symbols:
        owner, _, part = str(symbol.target).rpartition(".")
        name = first_names.get(id(getattr(model.get_submodule(owner), part)))
        if name is not None:
            found[id(symbol)] = name
    return found


def _module_step(model: nn.Module, target: str, sources: tuple[int, ...], first_names: dict[int, str]) -> FlowStep:
    module = model.get_submodule(target)
    name = first_names[id(module)]
    facts = facts_of(module)
    if facts is not None:
        # An identity changes nothing: what matters is what comes after it.
        return FlowStep("pass" if facts.name == "identity" else "activation", facts.name, sources, (name,), facts)
    kind = kind_of(module)
    if kind == "normalisation":
        return FlowStep("normalisation", type(module).__name__, sources, (name,), called=True)
    if kind is not None:
        inner = (f"{name}.{part}" for part, child in module.named_modules() if part and kind_of(child) is not None)
        return FlowStep("layer", type(module).__name__, sources, (name, *inner), called=True)
    return FlowStep("pass" if passes_through(type(module).__name__) else "other", type(module).__name__, sources)


def _function_name(target: Any) -> str:
    if isinstance(target, str):
        return target
    if target is operator.getitem:
        return "getitem"
    return str(getattr(target, "__name__", target))
