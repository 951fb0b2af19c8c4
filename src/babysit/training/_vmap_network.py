"""A network of many members through torch.func: for networks whose layers are not written out in `_stacked_layers.py`.

`vmap` computes the forward pass of all members at once, the gradients of the losses are written out, and autograd does
the backward pass. Each call of PyTorch then serves all members. A small convolutional network trains two to three times
as fast as its members do one by one; on larger images each member fills a core, and this gains nothing
(`benchmarks/stacked.py`).

A module may do anything in its `forward`. So `unlike_alone` computes two members both ways first: where a loss, a
gradient, a buffer or an answer differs, members are trained one by one.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from babysit.training._batches import epoch_batches
from babysit.training._random import seed_device
from babysit.training._stacked_layers import DropoutStreams, Memory
from babysit.training._stacked_loss import StackedLoss, stacked_loss
from babysit.training._stacked_parameters import StackedParameters
from babysit.training._trial_member import Member
from babysit.training._trial_starts import Start

# Largest difference, relative to the largest gradient, answer or statistic. Another order of additions in float32
# differs by less.
NEAR = 1e-3


class VmapNetwork:
    """The network of P members; used as `StackedNetwork` is.

    Args:
        network: Of any member: what it computes, not its numbers. It is changed.
        members: Parameters and buffers of each by name.
        streams: What dropout draws from; None without dropout.
        sample: Some preprocessed rows [n, ...].
        activations: Numbers that all layers together give for one row.

    Attributes:
        parameters: Values and gradients of the members.
        widest: Numbers of activations for one row of all members.
    """

    def __init__(
        self,
        network: nn.Module,
        members: Sequence[Mapping[str, Tensor]],
        streams: DropoutStreams | None,
        sample: Tensor,
        activations: int,
    ) -> None:
        # PyTorch warns of operations that vmap computes member by member. Here layouts are measured anyway.
        warnings.filterwarnings("ignore", "There is a performance drop because we have not yet", UserWarning)
        device = sample.device
        learned = [name for name, _ in network.named_parameters()]
        self.parameters = StackedParameters([{name: member[name] for name in learned} for member in members], device)
        self._buffers = {
            name: torch.stack([member[name] for member in members]).to(device) for name, _ in network.named_buffers()
        }
        self.widest = max(1, activations) * len(members)
        self._axes = sample.ndim
        self._streams = streams
        self._dropped = {} if streams is None else _mask_dropout(network, sample)
        # Each layer of dropout has a memory of its own, as all masks of a step are needed at a time.
        self._memories = {name: Memory(device) for name in self._dropped}
        self._learning, self._judging = network.train(), copy.deepcopy(network).eval()

    def enter(self, inputs: Tensor) -> Tensor:
        """Preprocessed inputs [rows, ...], as they are."""
        return inputs

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Outputs [P, outputs, rows] of inputs [rows, ...] that all share, or [P, rows, ...]."""
        assert not training, "see learn"
        return self._outputs(self._judging, self.parameters.value, inputs, {}).transpose(1, 2)

    def learn(self, inputs: Tensor, targets: Tensor, loss: StackedLoss) -> Tensor:
        """Losses [P] of a batch, with the parameters' gradients filled in.

        Args:
            inputs: [rows, ...], or [P, rows, ...].
            targets: [rows], or [P, rows].
            loss: Of all members, as one.
        """
        leaves = {name: value.detach().requires_grad_() for name, value in self.parameters.value.items()}
        masks = self._masks(targets.shape[-1])
        with torch.enable_grad():
            outputs = self._outputs(self._learning, leaves, inputs, masks)
        losses, gradient = loss(outputs.detach().transpose(1, 2), targets)
        found = torch.autograd.grad(outputs, [*leaves.values()], gradient.transpose(1, 2))
        for name, value in zip(leaves, found, strict=True):
            self.parameters.gradient[name].copy_(value)
        return losses

    def state_of(self, index: int) -> dict[str, Tensor]:
        """Parameters and buffers of a member by name, as views."""
        views = {**self.parameters.value, **self._buffers}
        return {name: view[index] for name, view in views.items()}

    def _outputs(
        self, network: nn.Module, parameters: Mapping[str, Tensor], inputs: Tensor, masks: Mapping[str, Tensor]
    ) -> Tensor:
        """[P, rows, outputs]."""

        def one(own: dict[str, Tensor], buffers: dict[str, Tensor], masks: dict[str, Tensor], rows: Tensor) -> Tensor:
            found: Tensor = functional_call(network, {**own, **buffers, **masks}, (rows,))
            return found

        each = vmap(one, in_dims=(0, 0, 0, 0 if inputs.ndim > self._axes else None))
        outputs: Tensor = each(dict(parameters), self._buffers, dict(masks), inputs)
        return outputs

    def _masks(self, rows: int) -> dict[str, Tensor]:
        """Of each layer of dropout [P, rows, ...], drawn in the layers' order."""
        masks = {}
        for name, shape in self._dropped.items():
            assert self._streams is not None
            drawn = self._streams.mask(rows, math.prod(shape), self._memories[name])
            whole = drawn.transpose(1, 2).reshape(len(drawn), rows, *shape)
            masks[f"{name}.mask"] = whole.expand(self.parameters.members, *whole.shape[1:])
        return masks


class _MaskedDropout(nn.Module):
    """In place of `nn.Dropout`: times a mask that is given."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.empty(0), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Some to 0, the others scaled up; in evaluation as they are."""
        return inputs * self.mask if self.training else inputs


@torch.no_grad()
def _mask_dropout(network: nn.Module, sample: Tensor) -> dict[str, tuple[int, ...]]:
    """Put masks in place of dropout; the shape that each is applied to, for one row, in their order of calls."""
    found: dict[str, tuple[int, ...]] = {}
    hooks = []
    layers = {name: layer for name, layer in network.named_modules() if type(layer) is nn.Dropout}
    for name, layer in layers.items():

        def note(module: nn.Module, given: tuple[Tensor, ...], name: str = name) -> None:
            if name in found:
                raise ValueError("a layer of dropout is used twice")
            found[name] = tuple(given[0].shape[1:])

        hooks.append(layer.register_forward_pre_hook(note))
    try:
        network.eval()(sample)
    finally:
        for hook in hooks:
            hook.remove()
    for name in layers:
        above, _, last = name.rpartition(".")
        setattr(network.get_submodule(above), last, _MaskedDropout())
    return found


def unlike_alone(start: Start, member: Member) -> str:
    """Why members of a kind have to be trained one by one; empty where two of them come out together as they do alone.

    Both ways take two batches forward and backward, with the same random numbers, and then answer in evaluation mode.

    Args:
        start: Where the member began.
        member: Left as it is.
    """
    network, recipe = start.model.network, member.trial.recipe
    if any(value.dtype != torch.float32 for value in network.parameters()):
        return "its parameters are not all float32"
    if any(not value.requires_grad for value in network.parameters()):
        return "some of its parameters are frozen"
    if len({layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)}) > 1:
        return "its layers of dropout drop several shares"
    assert recipe.budget.batch_size is not None
    batches = epoch_batches(start.examples.train, recipe.budget.batch_size, recipe.seed, 0)
    cuts = [start.examples.cut(rows) for rows in (batches[0], batches[-1])]
    learned = {name for name, _ in network.named_parameters()}
    other = {name: value * 0.75 if name in learned else value for name, value in member.network.items()}
    states = [member.network, other]
    devices = [start.examples.device] if start.examples.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        expected = [_alone(start, member, state, cuts) for state in states]
        try:
            given = _together(start, member, states, cuts)
        except Exception as error:  # of vmap, or of the module under it
            text = str(error).strip().partition("\n")[0]
            return f"torch.func cannot compute it ({type(error).__name__}: {text[:120]})"
    for mine, wanted in zip(given, expected, strict=True):
        for kind, values in wanted.items():
            scale = max((float(value.abs().max()) for value in values if value.numel()), default=0.0)
            for value, right in zip(mine[kind], values, strict=True):
                if not torch.allclose(value, right, rtol=0.0, atol=NEAR * scale, equal_nan=True):
                    return f"its {kind} through torch.func differ from those alone"
    return ""


Seen = dict[str, list[Tensor]]  # losses, gradients, buffers and outputs of one member
_SEED = 0


def _alone(start: Start, member: Member, state: dict[str, Tensor], cuts: Sequence[tuple[Tensor, Tensor]]) -> Seen:
    network = start.fresh_network(member.trial.recipe).train()
    network.load_state_dict(state)
    seed_device(start.examples.device, _SEED)
    seen: Seen = {"losses": [], "gradients": []}
    with torch.enable_grad():
        for inputs, targets in cuts:
            loss = start.loss(network(inputs), targets)
            found = torch.autograd.grad(loss, [*network.parameters()])
            seen["losses"].append(loss.detach().float())
            seen["gradients"] += found
    seen["statistics"] = [value.double() for value in network.buffers()]
    with torch.no_grad():
        seen["answers"] = [network.eval()(cuts[0][0])]
    return seen


@torch.no_grad()
def _together(
    start: Start, member: Member, states: Sequence[dict[str, Tensor]], cuts: Sequence[tuple[Tensor, Tensor]]
) -> list[Seen]:
    recipe, device = member.trial.recipe, start.examples.device
    network = start.fresh_network(recipe)
    streams = streams_of([start] * len(states), [member] * len(states))
    if streams is not None:
        for generator in streams.generators:
            generator.manual_seed(_SEED)
    together = VmapNetwork(network, states, streams, cuts[0][0][:2], start.activations)
    loss = stacked_loss([recipe.loss] * len(states), getattr(start.loss, "weight", None), device)
    names = [name for name, _ in start.model.network.named_parameters()]
    buffers = [name for name, _ in start.model.network.named_buffers()]
    seen: list[Seen] = [{"losses": [], "gradients": []} for _ in states]
    for inputs, targets in cuts:
        losses = together.learn(inputs, targets, loss)
        for index, one in enumerate(seen):
            one["losses"].append(losses[index].clone())
            one["gradients"] += [together.parameters.gradient[name][index].clone() for name in names]
    answers = together.forward(cuts[0][0], training=False).transpose(1, 2)
    for index, one in enumerate(seen):
        one["statistics"] = [together.state_of(index)[name].double() for name in buffers]
        one["answers"] = [answers[index]]
    return seen


def streams_of(starts: Sequence[Start], members: Sequence[Member]) -> DropoutStreams | None:
    """What members' dropout draws from; None for a network without dropout."""
    if not any(isinstance(layer, nn.Dropout) for layer in starts[0].model.network.modules()):
        return None
    recipes = [member.trial.recipe for member in members]
    shares = [start.dropout(recipe) for start, recipe in zip(starts, recipes, strict=True)]
    return DropoutStreams([recipe.seed for recipe in recipes], shares, starts[0].examples.device)
