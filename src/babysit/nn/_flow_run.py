"""The flow of a model by running a sample and following its tensors through every torch function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from babysit.nn._flow import NORMALISING, Flow, FlowStep, Measured, StepKind, classify_function, raw_weight
from babysit.nn._layers import kind_of
from babysit.nn._sample import Sample, run_sample, undisturbed
from babysit.record import ActivationFacts


def follow_sample(model: nn.Module, sample: Sample, *, measure: bool = False) -> Flow:
    """The model's flow for this sample; asked to measure, with the std of what layers and activations gave.

    Raises:
        InputError: The model raises on the sample.
    """
    flow = Flow("a run of the sample")
    recorder = _Recorder(model, flow, measure)
    for tensor in _tensors(sample):
        recorder.remember(tensor, flow.add(FlowStep("input", "input")))
    with undisturbed(model):
        handles = recorder.listen(model)
        try:
            with recorder:
                result = run_sample(model, sample)
        finally:
            for handle in handles:
                handle.remove()
    flow.add(FlowStep("output", "output", recorder.sources(_tensors(result))))
    return flow


class _Recorder(TorchFunctionMode):
    """Writes a step for each torch function that gives a tensor."""

    def __init__(self, model: nn.Module, flow: Flow, measure: bool) -> None:
        super().__init__()
        self.measure = measure
        self.flow = flow
        self.steps: dict[int, int] = {}
        # Tensors are known by their identity, which Python gives again when one is freed: keep them all.
        self.kept: list[Tensor] = []
        self.inside: list[str] = []
        self.kinds = {name: kind_of(module) for name, module in model.named_modules()}
        self.owners: dict[int, list[str]] = {}
        self.raw_names: dict[int, str] = {}
        for name, module in model.named_modules():
            for part, parameter in module.named_parameters(recurse=False):
                self.owners.setdefault(id(parameter), []).append(name)
                if self.kinds[name] is None:
                    self.raw_names.setdefault(id(parameter), f"{name}.{part}" if name else part)

    def listen(self, model: nn.Module) -> list[torch.utils.hooks.RemovableHandle]:
        """Know which layer is being computed, for weights that are themselves computed, as in weight norm."""
        handles = []
        for name, module in model.named_modules():
            if self.kinds[name] is not None:
                handles.append(module.register_forward_pre_hook(self._enter(name)))
                handles.append(module.register_forward_hook(self._leave, always_call=True))
        return handles

    def _enter(self, name: str) -> Callable[[nn.Module, Any], None]:
        def enter(module: nn.Module, arguments: Any) -> None:
            self.inside.append(name)

        return enter

    def _leave(self, module: nn.Module, arguments: Any, result: Any) -> None:
        self.inside.pop()

    def remember(self, tensor: Tensor, step: int) -> None:
        """That a tensor came out of a step."""
        self.kept.append(tensor)
        self.steps[id(tensor)] = step

    def sources(self, tensors: Iterator[Tensor]) -> tuple[int, ...]:
        """Steps that the tensors came out of, in order."""
        return tuple(dict.fromkeys(self.steps[id(tensor)] for tensor in tensors if id(tensor) in self.steps))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        given = list(_tensors((args, options)))
        sources = self.sources(iter(given))
        result = func(*args, **options)
        results = list(_tensors(result))
        name = getattr(func, "__name__", "")
        if name == "__setitem__":
            results = given[:1]
        if not sources or not results or name == "__get__":
            return result
        modules = self._modules(given, name)
        raw = None if modules else raw_weight(name, args, options, self.raw_names)
        kind, facts = ("layer", None) if raw else self._kind(name, modules, args, options)
        number = self.flow.add(
            FlowStep(
                kind,
                facts.name if facts else name.strip("_"),
                sources,
                (raw.name,) if raw else modules,
                facts,
                bool(self.inside) and self.inside[-1] in modules,
                results[0].ndim,
                _measured(results[0], facts) if self.measure and kind in ("layer", "activation") else None,
                raw,
            )
        )
        for tensor in results:
            self.remember(tensor, number)
        return result

    def _modules(self, given: list[Tensor], name: str) -> tuple[str, ...]:
        """Modules with weights whose parameters a call reads."""
        owners = [owner for tensor in given for owner in self.owners.get(id(tensor), ())]
        owners = [owner for owner in dict.fromkeys(owners) if self.kinds[owner] is not None]
        if len(owners) > 1:  # weights tied between an embedding and a layer
            looks_up = name.startswith("embedding")
            owners = [owner for owner in owners if (self.kinds[owner] == "embedding") == looks_up] or owners
        if not owners and self.inside and name in _WEIGHTED | NORMALISING:
            owners = [self.inside[-1]]
        return tuple(owners)

    def _kind(
        self, name: str, modules: tuple[str, ...], args: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[StepKind, ActivationFacts | None]:
        if modules and self.kinds[modules[0]] == "normalisation":
            return "normalisation", None
        if modules and name in _WEIGHTED:
            return "layer", None
        return classify_function(name, args[1:], options)


_WEIGHTED = {
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "bilinear",
    "embedding",
    "embedding_bag",
    "multi_head_attention_forward",
    "lstm",
    "gru",
    "rnn_tanh",
    "rnn_relu",
    "lstm_cell",
    "gru_cell",
    "rnn_tanh_cell",
    "rnn_relu_cell",
    "matmul",
    "__matmul__",
    "mm",
    "addmm",
    "bmm",
    "_native_multi_head_attention",
}


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists, dicts and the output classes that behave like dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)


def _measured(tensor: Tensor, facts: ActivationFacts | None) -> Measured | None:
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return None
    # Half precision would overflow in its own squares; float32 sums pairwise and is exact enough for a report.
    numbers = tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
    std, mean = torch.std_mean(numbers, correction=0)
    first = last = None
    if facts is not None and facts.can_die and facts.flat_below is not None and tensor.ndim >= 2:
        last = _share_never_above(facts.low, tensor, -1)
        first = last if tensor.ndim == 2 else _share_never_above(facts.low, tensor, 1)
    return Measured(std.item(), mean.item(), first, last)


def _share_never_above(floor: float, tensor: Tensor, dim: int) -> float:
    """Share of the units along a dimension whose largest output is the floor."""
    others = [number for number in range(tensor.ndim) if number != dim % tensor.ndim]
    return (tensor.amax(others) <= floor).double().mean().item()
