"""One measured forward pass: every layer's outputs as they come, and the gradients that come back to them."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from babysit.nn import MaxPieces, activation_facts, facts_of
from babysit.probes._activations import FlatEnds, flat_in_inputs, flat_in_outputs, measure_activations
from babysit.probes._calls import Calls, WarningsAsWithout, nonlinearity_behind, parameters_among, role_of
from babysit.probes._fence import Aside, unnoticed
from babysit.probes._inputs import first_tensor
from babysit.probes._layers import activation_name, by_unit, describe, module_kind, unit_dimension
from babysit.probes._noise import noise_scale
from babysit.probes._numbers import MOST, as_float, readable, some_numbers, some_rows
from babysit.probes._pending import Pending
from babysit.probes._running_statistics import measure_running_statistics
from babysit.probes._units import UnitWindow, identical_share
from babysit.record import WEIGHTED, ActivationFacts, LayerKind, TraceLayer

MOST_COUNTED = 2**13  # numbers in a histogram: of forty bins, the fullest are right to within a few percent
MOST_PIECE_ROWS = 256  # rows whose winning maxout pieces are looked for
HOOK_SECONDS = 3e-6  # spent on calling a hook, a mode or a wrapper, beside the time spent inside; measured


class ForwardProbe:
    """Attaches to a network for one pass at a time.

    Args:
        network: Whose modules are measured.
        pending: Where numbers go.
        failed: Called with an error of babysit's own in a hook.
    """

    def __init__(self, network: nn.Module, pending: Pending, failed: Callable[[Exception], None]) -> None:
        self.layers: dict[str, TraceLayer] = {}
        self.called: set[nn.Module] = set()
        self.seconds = 0.0  # spent on measuring since it was last set to 0
        self.scale: float | Tensor = 1.0  # what the loss was multiplied by before its backward pass
        self.failures: dict[str, str] = {}  # layers that could not be measured, and why
        self.made_by: dict[int, str] = {}  # modules of the pass by the number of the node that made their outputs
        self.unregistered: dict[str, nn.Parameter] = {}  # that take part in a pass, and that the network does not know
        self._network = network
        self._pending = pending
        self._failed = failed
        # By identity, which holds as long as the network does.
        self._modules = {id(module): (name, module_kind(module)) for name, module in _visible(network)}
        self._windows: dict[str, UnitWindow] = {}
        self._mode: Calls | None = None
        self._warnings: WarningsAsWithout | None = None
        self.running = False  # whether a pass is being measured
        self._stack: list[tuple[str, bool]] = []  # modules under way: name, and whether measured as a whole
        self._calls: Counter[str] = Counter()
        self._known: set[int] = set()  # the network's parameters
        self._without_gradient: list[
            tuple[str, Tensor, str]
        ] = []  # calls since the last layer; of frozen layers' outputs
        self._bent = False  # whether a nonlinearity was seen since the last weighted layer
        self._thread = 0
        self._step = 0
        self._depth = 0
        self._last_weighted = ""  # kind of the last layer that says where units lie
        self._noisy = ""  # the last linear layer of the pass before: the noise scale is taken there
        self._last_linear = ""
        self._with_histograms = self._with_twins = False

    def begin(self, step: int, *, histograms: bool, twins: bool, further: bool = False) -> None:
        """Measure the pass that begins now, in this thread: what others call meanwhile is none of it.

        Args:
            step: The step.
            histograms: Whether histograms are wanted.
            twins: Whether identical units are looked for.
            further: Whether the pass goes on where another module's ended.
        """
        self._with_histograms, self._with_twins = histograms, twins
        if not further:
            self._step, self._depth, self._last_weighted = step, 0, ""
            self._noisy, self._last_linear = self._last_linear, ""
            self._calls.clear()
            self._without_gradient.clear()
            self.made_by.clear()
            self._bent = False
        self._thread = threading.get_ident()
        self._stack = []
        self._known = {id(parameter) for parameter in self._network.parameters()}
        self.running = True
        # Under a mode PyTorch's compiler would compile anew, and the mode's own code with it.
        if not any(unseen_inside(module) for module in self._network.modules()):
            self._mode = Calls(self._function_called, self._failed)
            self._mode.__enter__()  # type: ignore[no-untyped-call]
            self._warnings = WarningsAsWithout()

    def end(self) -> None:
        """Leave nothing behind. The last linear layer of this pass is known now."""
        mode, self._mode = self._mode, None
        self.running = False
        if self._warnings is not None:
            self._warnings.end()
            self._warnings = None
        if mode is not None:
            mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    @unnoticed
    def through(
        self,
        original: Callable[..., Any],
        module: nn.Module,
        arguments: tuple[Any, ...],
        options: dict[str, Any],
    ) -> Any:
        """A module is called while a pass is measured: call it, and measure what it gives."""
        known = self._modules.get(id(module)) if threading.get_ident() == self._thread else None
        if known is None or not self.running:
            return original(module, *arguments, **options)
        name, kind = known
        height = len(self._stack)
        self._stack.append((name, kind is not None))
        try:
            outputs = original(module, *arguments, **options)
        finally:
            del self._stack[height:]
        self.seconds += HOOK_SECONDS
        try:
            with Aside():
                self._left(name, kind, module, arguments, outputs)
        except Exception as error:
            self._failed(error)
        return outputs

    def _left(self, name: str, kind: LayerKind | None, module: nn.Module, arguments: Any, outputs: Any) -> None:
        self.called.add(module)
        found = first_tensor(outputs)
        if found is None or not readable(found) or not found.is_floating_point():
            return
        if found.grad_fn is not None:
            self.made_by.setdefault(found.grad_fn._sequence_nr(), name)
        if kind is None or any(whole for _, whole in self._stack):
            return
        entered = first_tensor(arguments)
        overwritten = bool(vars(module).get("inplace", False)) or entered is None or not readable(entered)
        self._guarded(name, kind, module, found, None if overwritten else entered, facts_of(module))

    def _function_called(
        self,
        function: Callable[..., Any],
        name: str,
        arguments: tuple[Any, ...],
        options: dict[str, Any],
        result: Tensor,
    ) -> None:
        start = time.perf_counter()
        self.seconds += HOOK_SECONDS
        if any(whole for _, whole in self._stack):
            return
        owner = self._stack[-1][0] if self._stack else ""
        full = f"{owner}.{name}" if owner else name
        if not result.requires_grad:
            self._called_without_gradient(function, full, name, arguments, options, result)
            return
        self._look_for_unregistered(full, arguments, options)
        entered = arguments[0] if arguments and isinstance(arguments[0], Tensor) else None
        if name == "max_pieces":
            self._maxout(full, result, entered, int(arguments[1]), int(arguments[2]))
            return
        facts = facts_of(function, *arguments[1:], **options)
        role = role_of(name, arguments, options, result)
        if facts is not None:
            overwritten = getattr(function, "__name__", "").endswith("_") or bool(options.get("inplace", False))
            self._guarded(full, "activation", None, result, None if overwritten else entered, facts)
        elif role in ("linear", "conv"):
            self._guarded(full, "linear" if role == "linear" else "conv", None, result, None, None)
        elif role == "function":
            self._layer(self._numbered(full), "function", result, None, "")
        self.seconds += time.perf_counter() - start

    def _called_without_gradient(
        self,
        function: Callable[..., Any],
        full: str,
        name: str,
        arguments: tuple[Any, ...],
        options: dict[str, Any],
        result: Tensor,
    ) -> None:
        """On outputs of frozen layers: added once a weighted layer follows; else it may be a statistic."""
        facts = facts_of(function, *arguments[1:], **options)
        if self._depth and (facts is not None or role_of(name, arguments, options, result) == "function"):
            self._without_gradient.append((self._numbered(full), result.detach(), facts.name if facts else ""))

    def _look_for_unregistered(self, full: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Weights that the network does not know of: layers in a plain list, say."""
        for parameter in parameters_among(arguments, options):
            if id(parameter) not in self._known:
                self._known.add(id(parameter))
                number = self._calls[full] + 1
                layer = full if number == 1 else f"{full}#{number}"
                self.unregistered.setdefault(f"{layer}.{'weight' if parameter.ndim > 1 else 'bias'}", parameter)

    def _guarded(
        self,
        name: str,
        kind: LayerKind,
        module: nn.Module | None,
        outputs: Tensor,
        inputs: Tensor | None,
        facts: ActivationFacts | None,
    ) -> None:
        start = time.perf_counter()
        name = self._numbered(name)
        try:
            with torch.no_grad():
                self._measure(name, kind, module, outputs, inputs, facts)
        except Exception as error:  # whatever goes wrong here must not end the training
            self.failures.setdefault(name, f"{type(error).__name__}: {error}")
        self.seconds += time.perf_counter() - start

    def _numbered(self, name: str) -> str:
        self._calls[name] += 1
        return name if self._calls[name] == 1 else f"{name}#{self._calls[name]}"

    def _layer(self, name: str, kind: LayerKind, outputs: Tensor, module: nn.Module | None, activation: str) -> int:
        """Note the layer in the order of calls. Returns where its units lie."""
        if kind in WEIGHTED:
            self._tell_without_gradient()
        self._bent = kind not in WEIGHTED and (self._bent or kind in ("activation", "function"))
        self._depth += kind in WEIGHTED
        dimension = unit_dimension(kind, outputs, self._last_weighted)
        if kind in WEIGHTED or kind == "batch-norm":
            self._last_weighted = kind
        if name not in self.layers:
            units = outputs.shape[dimension] if outputs.ndim > 1 else 1
            self.layers[name] = describe(name, kind, self._depth, units, module, activation)
        return dimension

    def _tell_without_gradient(self) -> None:
        waiting, self._without_gradient = self._without_gradient, []
        for name, result, activation in waiting:
            self._layer(name, "activation" if activation else "function", result, None, activation)

    def _measure(
        self,
        name: str,
        kind: LayerKind,
        module: nn.Module | None,
        outputs: Tensor,
        inputs: Tensor | None,
        facts: ActivationFacts | None,
    ) -> None:
        activation = facts.name if facts is not None else activation_name(module) if module is not None else ""
        if kind in WEIGHTED and self._depth and inputs is not None and not self._bent and name not in self.layers:
            # Functions of the user's own are seen by no mode.
            own = nonlinearity_behind(inputs.grad_fn)
            if own:
                owner = name.rpartition(".")[0]
                self._layer(self._numbered(f"{owner}.{own}" if owner else own), "function", inputs, None, "")
        dimension = self._layer(name, kind, outputs, module, activation)
        values = some_rows(outputs.detach())
        if kind == "dropout":
            self._add(name, "activation-zero-share", (values == 0).float().mean())
            return
        if kind == "pooling" or not values.numel():
            return
        weighted = kind in WEIGHTED and values.ndim > 1
        for quantity, value in measure_activations(values, dimension, by_unit=kind != "embedding").items():
            self._add(name, quantity, value)
        if self._with_histograms:
            self._pending.add_histogram(self._step, name, "activation", some_numbers(values, MOST_COUNTED))
        if isinstance(module, _BatchNorm) and inputs is not None:
            for quantity, value in measure_running_statistics(module, inputs.detach()).items():
                self._add(name, quantity, value)
        if kind == "activation":
            before = some_rows(inputs.detach()) if inputs is not None and inputs.shape == outputs.shape else None
            self._activation(name, values, before, dimension, facts, outputs.detach())
            if isinstance(module, MaxPieces) and inputs is not None:
                self._pieces(name, inputs, module.pieces, module.dim)
        if weighted and self._with_twins:
            self._add(name, "identical-units-share", identical_share(by_unit(values, dimension)))
        noise_inputs = None
        if kind == "linear" and outputs.ndim == 2:
            self._last_linear = name
            noise_inputs = inputs.detach() if name == self._noisy and inputs is not None and inputs.ndim == 2 else None
        if outputs.requires_grad and not outputs.is_leaf:  # a hook on weights that a module gives out would stay
            outputs.register_hook(self._returning(name, noise_inputs))

    def _activation(
        self,
        name: str,
        values: Tensor,
        before: Tensor | None,
        dimension: int,
        facts: ActivationFacts | None,
        whole: Tensor,
    ) -> None:
        by_inputs = False
        ends: FlatEnds | None = None
        if facts is not None and facts.name != "relu":  # whose flat end is zero, which is counted anyhow
            ends = flat_in_outputs(facts)
            if ends is None and before is not None:
                ends, by_inputs = flat_in_inputs(facts), True
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = UnitWindow(ends)
        inputs = before if by_inputs else None
        can_die = facts is not None and facts.can_die
        zeros, share = window.see(values, dimension, inputs=inputs, whole=whole if can_die else None)
        self._add(name, "activation-zero-share", zeros)
        if share is not None:
            self._add(name, "activation-flat-share", share)
        for quantity, value in window.measure().items():
            self._add(name, quantity, value)

    def _maxout(self, name: str, outputs: Tensor, entered: Tensor | None, pieces: int, dimension: int) -> None:
        """The pieces' own values are what enters; a piece is used when it wins for some row."""
        self._guarded(name, "activation", None, outputs, None, activation_facts("maxout"))
        if entered is not None:
            calls = self._calls[name]
            with torch.no_grad():
                self._pieces(name if calls == 1 else f"{name}#{calls}", entered, pieces, dimension)

    def _pieces(self, name: str, entered: Tensor, pieces: int, dimension: int) -> None:
        values = some_rows(entered.detach())[:MOST_PIECE_ROWS].movedim(dimension, -1)
        apart = values.reshape(-1, pieces, values.shape[-1] // pieces)
        winners = torch.nn.functional.one_hot(apart.argmax(1), pieces).any(0)
        self._add(name, "maxout-pieces-used", winners.mean(dtype=torch.float32))

    def _returning(self, name: str, inputs: Tensor | None) -> Callable[[Tensor], None]:
        """Measures the gradient that comes back to a layer's outputs. Holds no tensor of the graph."""
        step = self._step

        def hook(gradient: Tensor) -> None:
            start = time.perf_counter()
            try:
                with Aside(), torch.no_grad():
                    self._returned(step, name, inputs, gradient)
            except Exception as error:
                self._failed(error)
            self.seconds += time.perf_counter() - start + HOOK_SECONDS

        vars(hook)["__torch_unserializable__"] = True  # outputs are saved without a warning that a hook is not
        return hook

    def _returned(self, step: int, name: str, inputs: Tensor | None, gradient: Tensor) -> None:
        if not readable(gradient):
            return
        values = as_float(some_rows(gradient))
        if values.numel() <= 2 * MOST:
            size = torch.linalg.vector_norm(values) / max(1, values.numel()) ** 0.5
        else:
            size = some_numbers(values).square().mean().sqrt()
        self._pending.add(step, name, "activation-gradient-std", size / self.scale)
        if inputs is not None and gradient.ndim == 2:
            entered = as_float(inputs)
            scale = noise_scale(entered.square().sum(1), as_float(gradient).to(entered.dtype), entered)
            if scale is not None:
                self._pending.add(step, "", "gradient-noise-scale", scale)

    def _add(self, layer: str, quantity: str, value: float | Tensor) -> None:
        self._pending.add(self._step, layer, quantity, value)


def _visible(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Named modules that are called in Python: not those within a compiled or a scripted one."""
    hidden: set[nn.Module] = set()
    found = []
    for name, module in network.named_modules():
        if module in hidden:
            continue
        if unseen_inside(module):
            hidden.update(module.modules())
            continue
        found.append((name, module))
    return found


def unseen_inside(module: nn.Module) -> str:
    """Why nothing within a module can be seen; empty when it can."""
    if isinstance(module, torch.jit.ScriptModule):
        return "it is scripted"
    # Importing PyTorch's compiler takes a second; where it is not imported, nothing is compiled.
    compiler = sys.modules.get("torch._dynamo.eval_frame")
    if compiler is not None and isinstance(module, compiler.OptimizedModule):
        return "it is compiled"
    return "it is compiled" if module._compiled_call_impl is not None else ""
