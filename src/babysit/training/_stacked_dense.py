"""Dense layers, embeddings and dropout of many members."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from babysit.nn import CategoryEmbedding
from babysit.training._stacked_layer import Memory


class StackedLinear:
    """`nn.Linear` of P members.

    Args:
        weight: [P, units, features].
        bias: [P, units], or None.
        weight_gradient: Where the weights' gradient goes.
        bias_gradient: Where the biases' goes.
        one_product: Whether members that share their rows are computed as one large product, rather than a batch.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, weight_gradient: Tensor, bias_gradient: Tensor | None,
        *, one_product: bool = True,
    ) -> None:  # fmt: skip
        self._weight, self._bias = weight, bias
        self._weight_gradient, self._bias_gradient = weight_gradient, bias_gradient
        self._one_product = one_product
        self._memory = Memory(weight.device)
        self._inputs = weight

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """W x + b."""
        members, units, features = self._weight.shape
        rows = inputs.shape[-1]
        self._inputs = inputs
        outputs = self._outputs(training, (members, units, rows))
        if inputs.ndim == 2 and self._one_product:
            torch.mm(self._weight.view(members * units, features), inputs, out=outputs.view(members * units, rows))
        else:
            torch.bmm(self._weight, _of_all(inputs, members), out=outputs)
        if self._bias is not None:
            outputs += self._bias.unsqueeze(2)
        return outputs

    def _outputs(self, training: bool, shape: tuple[int, ...]) -> Tensor:
        # Validation comes in other sizes and seldom: nothing is kept for it.
        return self._memory.get("outputs", shape) if training else torch.empty(shape, device=self._weight.device)

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """dW = dz x', db = dz summed over rows, dx = W' dz."""
        members, units, features = self._weight.shape
        inputs, rows = self._inputs, gradient.shape[2]
        if inputs.ndim == 2 and self._one_product:
            torch.mm(
                gradient.view(members * units, rows),
                inputs.t(),
                out=self._weight_gradient.view(members * units, features),
            )
        else:
            torch.bmm(gradient, _of_all(inputs, members).transpose(1, 2), out=self._weight_gradient)
        if self._bias_gradient is not None:
            torch.sum(gradient, dim=2, out=self._bias_gradient)
        if not needed:
            return None
        result = self._memory.get("gradient", (members, features, rows))
        return torch.bmm(self._weight.transpose(1, 2), gradient, out=result)


def _of_all(inputs: Tensor, members: int) -> Tensor:
    """Shared inputs [features, rows] as every member's, without a copy."""
    return inputs.expand(members, -1, -1) if inputs.ndim == 2 else inputs


class StackedEmbedding:
    """`CategoryEmbedding` of P members: numbers pass, each code becomes the member's own vector for it.

    Args:
        layer: Of one member, for its sizes.
        weights: Of each category, [P, levels, size].
        gradients: Where their gradients go.
    """

    def __init__(self, layer: CategoryEmbedding, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        self._numbers, self._features = layer.numbers, layer.out_features
        self._weights, self._gradients = weights, gradients
        self._memory = Memory(weights[0].device)
        self._codes: list[Tensor] = []  # of each category: which of all members' vectors, [P * rows]

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """[features, rows] or [P, features, rows] to [P, out_features, rows]."""
        members, rows = self._weights[0].shape[0], inputs.shape[-1]
        shape = (members, self._features, rows)
        outputs = self._memory.get("outputs", shape) if training else inputs.new_empty(shape)
        outputs[:, : self._numbers] = inputs[..., : self._numbers, :]
        self._codes = []
        place = self._numbers
        for column, weight in enumerate(self._weights):
            levels, size = weight.shape[1:]
            codes = inputs[..., self._numbers + column, :].long().expand(members, rows)
            first = torch.arange(members, device=weight.device).unsqueeze(1) * levels
            everywhere = (codes + first).flatten()
            self._codes.append(everywhere)
            vectors = weight.view(members * levels, size).index_select(0, everywhere).view(members, rows, size)
            outputs[:, place : place + size] = vectors.transpose(1, 2)
            place += size
        return outputs

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """Each vector gets the sum over the rows that had its code."""
        place = self._numbers
        for everywhere, total in zip(self._codes, self._gradients, strict=True):
            members, levels, size = total.shape
            total.zero_()
            rows = gradient[:, place : place + size].transpose(1, 2).reshape(-1, size)
            total.view(members * levels, size).index_add_(0, everywhere, rows)
            place += size
        return None


class DropoutStreams:
    """The random streams that members' dropout draws from, each a member's own.

    Members of one seed and one share draw the same numbers, as they would alone: these are drawn once.

    Args:
        seeds: Of each member.
        shares: Of activations dropped, of each member.
        device: Where masks are drawn.
    """

    def __init__(self, seeds: Sequence[int], shares: Sequence[float], device: torch.device) -> None:
        keys = [*zip(seeds, shares, strict=True)]
        self.kinds = list(dict.fromkeys(keys))
        self.kind_of = [self.kinds.index(key) for key in keys]
        self.generators = [torch.Generator(device) for _ in self.kinds]
        kept = torch.tensor([1 / (1 - share) for _, share in self.kinds], device=device)
        self._factors = kept.view(-1, 1, 1)
        self._members = torch.tensor(self.kind_of, device=device)

    def mask(self, rows: int, units: int, memory: Memory) -> Tensor:
        """0 or 1 / (1 - share) for each activation, [P, units, rows], or [1, units, rows] where all draw the same.

        Drawn row by row as PyTorch's dropout draws for one member.
        """
        drawn = memory.get("drawn", (len(self.kinds), rows, units))
        for (_, share), generator, place in zip(self.kinds, self.generators, drawn, strict=True):
            place.bernoulli_(1 - share, generator=generator)
        scaled = memory.get("scaled", (len(self.kinds), units, rows))
        torch.mul(drawn.transpose(1, 2), self._factors, out=scaled)
        if len(self.kinds) == 1 or self.kind_of == [*range(len(self.kinds))]:
            return scaled
        masks = memory.get("masks", (len(self.kind_of), units, rows))
        return torch.index_select(scaled, 0, self._members, out=masks)


class StackedDropout:
    """`nn.Dropout` of P members, each with its own share.

    Args:
        streams: Shared by the network's dropout layers.
        device: Where it computes.
    """

    def __init__(self, streams: DropoutStreams, device: torch.device) -> None:
        self._streams = streams
        self._memory = Memory(device)
        self._mask = torch.empty(0)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Some activations to 0, the others scaled up."""
        if not training:
            return inputs
        _, units, rows = inputs.shape
        self._mask = self._streams.mask(rows, units, self._memory)
        return torch.mul(inputs, self._mask, out=self._memory.get("outputs", tuple(inputs.shape)))

    def backward(self, gradient: Tensor, needed: bool) -> Tensor | None:
        """The same activations' gradients."""
        return gradient.mul_(self._mask)
