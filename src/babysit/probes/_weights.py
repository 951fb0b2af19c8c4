"""Parameters around an optimizer's step: gradients before it, the true update after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from babysit.probes._fence import Aside
from babysit.probes._gradients import gradient_length, measure_gradient, sign_share
from babysit.probes._numbers import as_float, plain, some_numbers
from babysit.probes._pending import Pending
from babysit.probes._updates import Snapshot, descent_cosine, measure_update


def row_name(parameter: str) -> str:
    """What rows call a parameter: the module's name for its main weight, the parameter's own for all others.

    Example:
        >>> row_name("block.fc.weight"), row_name("block.fc.bias"), row_name("weight")
        ('block.fc', 'block.fc.bias', 'weight')
    """
    return parameter.removesuffix(".weight")


class WeightProbe:
    """Measures a network's parameters over the steps that are told to it.

    Args:
        network: Whose parameters; tied ones are measured once, under their first name.
        pending: Where numbers go.
        failed: Called with an error of babysit's own in a hook.
    """

    def __init__(self, network: nn.Module, pending: Pending, failed: Callable[[Exception], None]) -> None:
        self.named = {name: found for name, found in network.named_parameters() if plain(found)}
        self.good = Snapshot()  # the weights before the last measured step, whose loss was a number
        self.good_buffers = Snapshot()
        self._network = network
        self._pending = pending
        self._failed = failed
        self._names = {parameter: row_name(name) for name, parameter in self.named.items()}
        self._full = {parameter: name for name, parameter in self.named.items()}
        self._handles: list[RemovableHandle] = []
        self.watching = False  # whether gradients of this step are, or were, looked at
        self._began = -1  # the step before which the weights were looked at
        self._lengths: dict[nn.Parameter, Tensor] = {}  # of the gradient as backward left it

    def begin(self, scale: Callable[[], float | Tensor]) -> None:
        """Look at gradients as they are accumulated, from now to `end`; `scale` is what the loss was multiplied by."""
        self._lengths.clear()
        self.watching = True

        def accumulated(parameter: Tensor) -> None:
            try:
                if parameter.grad is not None and plain(parameter.grad):
                    with Aside(), torch.no_grad():
                        self._lengths[parameter] = gradient_length(parameter.grad) / scale()  # type: ignore[index]
            except Exception as error:
                self._failed(error)

        for parameter in self.named.values():
            if parameter.requires_grad and not is_lazy(parameter) and parameter.is_leaf:
                self._handles.append(parameter.register_post_accumulate_grad_hook(accumulated))

    def end(self) -> None:
        """Leave nothing behind."""
        self.leave()
        self.watching = False
        self._lengths.clear()

    def leave(self) -> None:
        """Take the hooks back; what they saw is still known."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def left_over(self, optimizers: Sequence[Optimizer]) -> float | Tensor:
        """Length of whatever gradient the parameters that are stepped hold now; all of them, where no optimizer is."""
        ours: list[nn.Parameter] = [found for optimizer in optimizers for found in self._ours(optimizer)]
        if not optimizers:
            ours = [found for found in self._names if found.requires_grad]
        lengths = [gradient_length(found.grad) for found in ours if found.grad is not None]
        return torch.linalg.vector_norm(torch.stack([length.cpu() for length in lengths])) if lengths else 0.0

    def keep(self, finite: Tensor | None) -> None:
        """Copy the weights before a step, unless the loss was no number."""
        self.good.take(self.named, finite)
        buffers = {name: found for name, found in self._network.named_buffers() if plain(found)}
        self.good_buffers.take(buffers, finite)

    def begin_with(self, step: int) -> None:
        """The weights as they are at the start, of all layers: also of those that no optimizer will step."""
        self._began = step
        for parameter, name in self._names.items():
            if not is_lazy(parameter) and parameter.ndim > 1 and parameter.is_floating_point():
                part = as_float(some_numbers(parameter.detach()))
                self._pending.add(step, name, "weight-std", part.std(correction=0))

    def before_step(self, step: int, optimizer: Optimizer) -> None:
        """Gradients as the optimizer finds them."""
        ours = self._ours(optimizer)
        scale = optimizer_scale(optimizer)
        for parameter in ours:
            assert parameter.grad is not None
            name = self._names[parameter]
            gradient = parameter.grad.detach()
            if parameter.ndim > 1:
                for quantity, value in measure_gradient(gradient).items():
                    scaled = quantity in ("gradient-mean", "gradient-std")
                    self._pending.add(step, name, quantity, value / scale if scaled else value)
                if not gradient.is_complex():
                    self._pending.add(step, name, "gradient-sign-share", sign_share(gradient))
            if parameter in self._lengths:
                self._pending.add(step, name, "gradient-norm", self._lengths[parameter])
        if ours and all(parameter in self._lengths for parameter in ours):
            device = ours[0].device
            raw = torch.stack([self._lengths[parameter].to(device) for parameter in ours])
            now = torch.stack(
                [gradient_length(grad).to(device) for grad in (found.grad for found in ours) if grad is not None]
            )
            whole = torch.linalg.vector_norm(raw)
            self._pending.add(step, "", "gradient-norm", whole)
            self._pending.add(step, "", "clip-factor", torch.linalg.vector_norm(now) / scale / whole)

    def after_step(self, step: int, optimizer: Optimizer, *, histograms: bool) -> None:
        """What the step did."""
        before, after, gradients = [], [], []
        for parameter in self._ours(optimizer):
            name = self._names[parameter]
            old = self.good.get(self._full[parameter])
            if old is None or parameter.grad is None:
                continue
            for quantity, value in measure_update(old, parameter).items():
                self._pending.add(step, name, quantity, value)
            if parameter.ndim < 2:  # biases and gains: a handful of numbers that their lengths tell
                continue
            part = as_float(some_numbers(parameter.detach()))
            std = part.std(correction=0)
            if step != self._began:  # at the first step it was taken before the weights changed
                self._pending.add(step, name, "weight-std", std)
            if std.device.type != "cpu" or not math.isfinite(std.item()):
                share = 1 - torch.isfinite(part).mean(dtype=torch.float32)
                self._pending.add(step, name, "weight-not-finite-share", share)
            if histograms:
                self._pending.add_histogram(step, name, "weight", part)
                if parameter.grad.layout is torch.strided:
                    self._pending.add_histogram(step, name, "gradient", some_numbers(parameter.grad))
            if parameter.grad.layout is torch.strided:
                before.append(old)
                after.append(parameter)
                gradients.append(parameter.grad)
        if len({parameter.device for parameter in after}) == 1:
            self._pending.add(step, "", "update-cosine", descent_cosine(before, after, gradients))

    def _ours(self, optimizer: Optimizer) -> list[nn.Parameter]:
        """The network's parameters that this optimizer steps and that have a gradient."""
        stepped = [found for group in optimizer.param_groups for found in group["params"]]
        return [found for found in stepped if found in self._names and found.grad is not None]


def optimizer_scale(optimizer: Optimizer) -> float | Tensor:
    """What gradients are still multiplied by when a fused optimizer undoes a GradScaler's work by itself."""
    scale = vars(optimizer).get("grad_scale")
    return scale if isinstance(scale, Tensor) else 1.0


def optimizer_facts(optimizers: Sequence[Optimizer]) -> dict[str, str]:
    """Names and settings that hold for the whole training."""
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    decay = next((group["weight_decay"] for group in groups if "weight_decay" in group), 0.0)
    return {
        "optimizer": ", ".join(type(optimizer).__name__.lower() for optimizer in optimizers),
        "weight-decay": f"{float(decay):g}",
    }


def rate_and_momentum(optimizer: Optimizer) -> dict[str, float]:
    """Learning rate and momentum of the first parameter group."""
    group = optimizer.param_groups[0]
    found = {"lr": float(group.get("lr", float("nan")))}
    momentum = group["betas"][0] if "betas" in group else group.get("momentum")
    if momentum is not None:
        found["momentum"] = float(momentum)
    return found
