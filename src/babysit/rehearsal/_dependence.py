"""What depends on what: tested on a network's first passes, by gradients and by following its tensors.

It belongs to a rehearsal of its own, of a few steps, in which nothing else is measured: extra backward passes go
through the graph, and every function of PyTorch that the network calls is looked at.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from babysit.probes import first_tensor
from babysit.record import OUTPUTS, Event, Row
from babysit.rehearsal._perturbed import NetworkPass, PassesSeen, loss_on_padding, perturbed, rows_mixed
from babysit.rehearsal._where import where_in_script

STEPS = 3  # that are looked at
TESTED = 48  # answers whose gradients are taken
LEAST = 8  # of them, below which nothing is said
MATCHES, OTHERS_MATCH = 0.9, 0.7  # of the tested answers: at the distance that counts, and not at any other
LEAST_DIFFER = 3  # answers for which two distances have different tokens, so that they can be told apart
FARTHEST = 4  # positions that targets are looked for behind the last that an answer depends on
FAINT = 1e-6  # of the largest gradient: below, an answer does not depend on a position
PADDING = 5  # tokens of it at a row's end, from which on a row is tested
OWN = 0.05  # of an answer's gradient, on tokens that are not padding
# Standard deviation of first logits, from which on weights that an embedding and the output share are too large. The
# loss is then about half its square above that of even answers: 4.5 at 3. Embeddings of 0.02 (GPT-2) give about 0.5.
LOUD = 3.0
HEADS_KEPT = frozenset("contiguous clone float double half bfloat16 to type dropout detach".split())
READ_ON = frozenset(
    "scaled_dot_product_attention multi_head_attention_forward gru lstm rnn_tanh rnn_relu gru_cell lstm_cell".split()
)
RESHAPES = frozenset("reshape view flatten unflatten".split())


class Embedded(NamedTuple):
    """A lookup of tokens: their numbers, and what became of them."""

    tokens: Tensor  # [a, b], rows and positions in either order
    vectors: Tensor  # [a, b, units]


class Answer(NamedTuple):
    """One answer of a model of sequences."""

    target: int
    tokens: Tensor  # of the row that it depends on
    reach: list[int]  # positions in that row that it depends on
    position: int | None  # its own in that row, where the order of answers tells it

    def has_target_at(self, position: int) -> bool:
        """Whether the token at a position is the target, and the answer depends on it."""
        return position in self.reach and int(self.tokens[position]) == self.target

    def token(self, distance: int) -> int | None:
        """The token so far behind the last that the answer depends on; None beyond the row's end."""
        at = self.reach[-1] + distance
        return int(self.tokens[at]) if at < len(self.tokens) else None


class Dependence:
    """Looks at the first passes of a network.

    Args:
        tell: Where events go.
    """

    def __init__(self, tell: Callable[[list[Event | Row]], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()
        self._step = 0
        self._embedded: list[Embedded] = []
        self._call: NetworkPass | None = None
        self._targets: Tensor | None = None
        self._widths: list[int] = []
        self._before: Tensor | None = None  # what entered in the pass before
        self._rows_change = False
        self._axes: set[int] = set()

    @contextlib.contextmanager
    def looking(self, module: nn.Module, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Iterator[None]:
        """Around a pass of the network."""
        if self._step >= STEPS:
            yield
            return
        self._call, self._targets = NetworkPass(module, arguments, options), None
        self._embedded = []
        with _Following(self._reshaped, self._embedded) as following:
            yield
        first = first_tensor([arguments, options])
        if first is not None and first.ndim > 1:
            self._widths.append(first.shape[1])
        if first is not None:
            before, self._before = self._before, first.detach().clone()
            self._rows_change |= before is not None and not torch.equal(before, self._before)
        self._axes |= following.axes

    def loss_computed(self, name: str, outputs: Tensor, targets: Tensor, value: Tensor | None) -> None:
        """The network's answers and their targets enter a loss function; gradients can be taken once."""
        embedded, self._embedded = self._embedded, []
        if self._step >= STEPS or not outputs.requires_grad:
            return
        self._targets = targets.detach() if self._targets is None else self._targets
        classes = name in ("cross-entropy", "nll") and outputs.ndim > 1 and not targets.is_floating_point()
        with contextlib.suppress(Exception):  # whatever a program does with its tokens, it is not to fail by this
            if classes and embedded:
                answers = outputs if outputs.ndim == 2 else outputs.movedim(1, -1).flatten(0, -2)
                self._tokens(answers, targets.reshape(-1), embedded)
                if value is not None:
                    self._loss_on_padding(value, outputs, targets, embedded)
                if name == "cross-entropy" and self._step == 0 and self._call is not None:
                    self._tied(self._call.module, outputs)
            if outputs.ndim in (1, 2) and embedded:
                self._padding(outputs, embedded)

    def stepped(self) -> None:
        """A step was taken."""
        self._step += 1
        if self._step == STEPS and self._call is not None:
            seen = PassesSeen(self._targets, frozenset(self._axes), tuple(self._widths))
            with contextlib.suppress(Exception):  # a network may be anything, and refuse to be copied
                for kind, text in perturbed(self._call, seen):
                    self._once(kind, text, "outputs")
            with contextlib.suppress(Exception):
                # Where each step has the same rows, they may be the nodes of one graph, which depend on each other.
                mixing = rows_mixed(self._call, self._targets) if self._rows_change else None
                if mixing is not None:
                    self._tell([Row(self._step, "train", OUTPUTS, "row-mixing", mixing)])
        if self._step >= STEPS:
            self._call, self._targets, self._embedded, self._before = None, None, [], None

    def _loss_on_padding(self, value: Tensor, outputs: Tensor, targets: Tensor, embedded: list[Embedded]) -> None:
        for one in embedded:
            found = loss_on_padding(value, outputs, targets, one.tokens)
            if found is not None:
                self._once(*found, where_in_script() or "loss")

    def _tied(self, network: nn.Module, outputs: Tensor) -> None:
        """Weights that an embedding and the output share, and first logits that are far too large."""
        parts = list(network.modules())
        looked_up = {id(one.weight): one.weight for one in parts if isinstance(one, nn.Embedding)}
        shared = [one.weight for one in parts if isinstance(one, nn.Linear) and id(one.weight) in looked_up]
        shared = shared or [one for one in looked_up.values() if _is_product_with(outputs, one)]
        spread = float(outputs.detach().float().std())
        if not shared or not spread > LOUD:
            return
        size = float(shared[0].detach().float().std())
        text = (
            f"the output shares its weights with the embedding; their standard deviation is {size:.3g}, and that of the"
            f" first logits {spread:.3g} (limit {LOUD:g}): with {shared[0].shape[1]} units,"
            f" {1 / math.sqrt(shared[0].shape[1]):.2g} is the usual one"
        )
        self._once("tied-weights-badly-scaled", text, "outputs")

    @property
    def done(self) -> bool:
        """Whether there is nothing left to look at."""
        return self._step >= STEPS

    def _once(self, kind: str, text: str, line: str = "") -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._tell([Event(self._step, kind, f"{line}: {text}" if line else f"tokens: {text}")])

    def _reshaped(self, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        text = f"[{_sizes(before)}] is reshaped to [{_sizes(after)}], and its axes are not permuted"
        self._once("positions-mixed", text, where_in_script())

    def _tokens(self, answers: Tensor, targets: Tensor, embedded: list[Embedded]) -> None:
        """Where the targets of a model of sequences stand among the tokens that its answers depend on."""
        counted = (targets >= 0).nonzero().reshape(-1)
        if len(counted) < LEAST or len(answers) != len(targets):
            return
        places = counted[torch.linspace(0, len(counted) - 1, min(TESTED, len(counted))).long()].tolist()
        for one in embedded:
            known = self._answers(answers, targets, places, one)
            if len(known) >= LEAST:
                self._judge(known)

    def _answers(self, answers: Tensor, targets: Tensor, places: list[int], one: Embedded) -> list[Answer]:
        """What the answers at some places depend on, each on the tokens of one row."""
        found = []
        for place in places:
            answer = answers[place]
            weights = torch.linspace(1.0, 2.0, answer.numel(), dtype=answer.dtype, device=answer.device)
            slope = _slope((answer * weights).sum(), one.vectors)
            if slope is not None:
                size = slope.abs().sum(-1)  # [a, b]
                depends = size > FAINT * float(size.max())
                found.append((place, depends.any(1).nonzero().reshape(-1), depends.any(0).nonzero().reshape(-1)))
        first_are_rows = all(len(rows) == 1 for _, rows, _ in found)
        if first_are_rows == all(len(columns) == 1 for _, _, columns in found):
            return []  # rows are mixed, or each answer depends on one token alone
        known = []
        for place, rows, columns in found:
            row, reach = (int(rows[0]), columns) if first_are_rows else (int(columns[0]), rows)
            tokens = one.tokens[row] if first_are_rows else one.tokens[:, row]
            position = _position(place, row, len(tokens), one.tokens.numel() // len(tokens), len(answers))
            known.append(Answer(int(targets[place]), tokens, reach.tolist(), position))
        return known

    def _judge(self, known: list[Answer]) -> None:
        placed = [answer for answer in known if answer.position is not None]
        ahead = [answer for answer in placed if answer.reach[-1] > (answer.position or 0)]
        if placed and 2 * len(ahead) > len(placed):
            # The last position of a row has no next token in it.
            hits = [
                answer.has_target_at((answer.position or 0) + 1)
                for answer in placed
                if (answer.position or 0) + 1 < len(answer.tokens)
            ]
            if len(hits) >= LEAST and sum(hits) >= MATCHES * len(hits):
                share = f"{sum(hits) / len(hits):.0%} of {len(hits)} tested answers"
                self._once("future-leaks", f"{share} have the next token for their target, and depend on it")
            return
        length = max(len(answer.tokens) for answer in known)
        if not placed and all(answer.reach[-1] == length - 1 for answer in known):
            return  # each sees the whole row, and which position it answers for is not known
        right = [distance for distance in range(FARTHEST + 1) if _is_right(known, distance)]
        if len(right) != 1:
            return
        text = f"nearly all of {len(known)} tested answers have"
        if right[0] == 0:
            self._once("targets-in-inputs", f"{text} the last token that they depend on for their target")
        elif right[0] > 1:
            self._once("targets-misaligned", f"{text} the token {right[0]} behind the last they depend on for target")

    def _padding(self, outputs: Tensor, embedded: list[Embedded]) -> None:
        """Whether answers of rows that end with padding depend on anything but that."""
        for one in embedded:
            for tokens, turned in ((one.tokens, False), (one.tokens.T, True)):
                if len(tokens) != len(outputs) or one.tokens.shape[0] == one.tokens.shape[1]:
                    continue
                padding = tokens[:, -1].mode().values
                tails = (tokens.flip(1) != padding).int().cumsum(1).eq(0).sum(1)
                tested = (tails >= PADDING).logical_and(tails < tokens.shape[1]).nonzero().reshape(-1)[:TESTED].tolist()
                own = []
                for row in tested:
                    slope = _slope(outputs[row].sum(), one.vectors)
                    if slope is None:
                        return
                    size = (slope[:, row] if turned else slope[row]).norm(dim=-1)
                    own.append(float(size[: tokens.shape[1] - int(tails[row])].sum() / size.sum().clamp_min(1e-30)))
                if len(own) >= LEAST and torch.tensor(own).median() < OWN:
                    share = float(torch.tensor(own).median())
                    text = f"of {len(own)} rows that end with padding, tokens before it have {share:.1%} (median)"
                    self._once("inputs-ignored", f"{text} of the gradient of the row's answer")


def _is_right(known: list[Answer], distance: int) -> bool:
    """Whether targets stand at a distance, also where tokens at other distances are others: in texts that repeat
    themselves the same token stands at several."""
    tokens = [(answer, answer.token(distance)) for answer in known]
    hits = [token == answer.target for answer, token in tokens if token is not None]
    if len(hits) < LEAST or sum(hits) < MATCHES * len(hits):
        return False
    for other in range(FARTHEST + 1):
        pairs = [(answer.target, token, answer.token(other)) for answer, token in tokens]
        differ = [(target == one, target == two) for target, one, two in pairs if one != two and None not in (one, two)]
        seen = sum(two is not None for *_, two in pairs) >= LEAST
        alike = len(differ) < LEAST_DIFFER or sum(two for _, two in differ) > (1 - OTHERS_MATCH) * len(differ)
        if other != distance and seen and alike:
            return False
    return True


def _is_product_with(outputs: Tensor, weight: Tensor) -> bool:
    """Whether logits come straight from a product with a weight, without a layer of their own."""
    waiting: list[Any] = [outputs.grad_fn]
    for _ in range(6):
        known = [node for node in waiting if node is not None and "Embedding" not in node.name()]
        waiting = [after for node in known for after, _ in node.next_functions][:8]
        if any(getattr(node, "variable", None) is weight for node in waiting):
            return True
    return False


def _slope(answer: Tensor, vectors: Tensor) -> Tensor | None:
    """The gradient of a number with respect to embedded tokens; None where it does not depend on them."""
    found: tuple[Tensor | None, ...] = torch.autograd.grad(answer, vectors, retain_graph=True, allow_unused=True)
    return None if found[0] is None else found[0].detach()


def _position(place: int, row: int, length: int, rows: int, answers: int) -> int | None:
    """The position of an answer in its row: answers stand row after row, or position after position."""
    for shown in (length, length - 1):  # the last may be left out
        if rows * shown == answers:
            if place // shown == row:
                return place % shown
            if place % rows == row:
                return place // rows
    return None


class _Following(TorchFunctionMode):
    """Follows attention's results to where they are reshaped, and remembers lookups of tokens.

    Heads of attention: [batch, heads, positions, units], the product of a softmax with values. A tensor that was split
    into heads without a permute is followed until it enters a product.
    """

    def __init__(self, mixed: Callable[[tuple[int, ...], tuple[int, ...]], None], embedded: list[Embedded]) -> None:
        super().__init__()
        self._mixed, self._embedded = mixed, embedded
        self.axes: set[int] = set()  # see `PassesSeen`
        self._marks: dict[int, str] = {}  # by the identity of a tensor: weights, heads or split
        self._split: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}  # shapes before and after the split
        self._alive: list[Any] = []  # so that no identity is given again

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        with contextlib.suppress(Exception):
            self._look(getattr(func, "__name__", ""), args, kwargs or {}, result)
        return result

    def _look(self, name: str, args: tuple[Any, ...], options: dict[str, Any], result: Any) -> None:
        if name in READ_ON:
            self.axes.add(0)
        elif name in ("softmax", "_softmax") and isinstance(result, Tensor):
            self.axes.add(result.shape[options.get("dim", args[1] if len(args) > 1 else -1)])
        if not isinstance(result, Tensor) or not args or not isinstance(args[0], Tensor):
            return
        first, mark = args[0], self._marks.get(id(args[0]))
        if name == "embedding":
            if first.ndim == 2 and result.ndim == 3 and result.requires_grad:
                self._embedded.append(Embedded(first.detach().clone(), result))
        elif name in ("softmax", "_softmax") and result.ndim == 4:
            self._put(result, "weights")
        elif name in ("matmul", "__matmul__") and result.ndim == 4:
            if mark == "weights":
                self._put(result, "heads")
            self._enters_product(args[:2])
        elif name == "scaled_dot_product_attention" and result.ndim == 4:
            self._put(result, "heads")
            self._enters_product(args[:3])
        elif name in HEADS_KEPT and mark is not None and result.shape == first.shape:
            self._put(result, mark)
        elif name in ("transpose", "permute", "mT") and mark == "split":
            self._put(result, "split")
            self._split[id(result)] = self._split[id(first)]
        elif name in RESHAPES:
            self._reshaped(first, mark, result)

    def _reshaped(self, before: Tensor, mark: str | None, after: Tensor) -> None:
        if mark == "heads":
            batch, heads, positions, units = before.shape
            joined = (batch, positions, heads * units)
            if heads > 1 and positions > 1 and tuple(after.shape) in (joined, (batch * positions, heads * units)):
                self._mixed(tuple(before.shape), tuple(after.shape))
        elif before.ndim == 3 and after.ndim == 3:
            first, second, width = before.shape
            if tuple(after.shape) == (second, first, width) and first != second and min(first, second) > 1:
                self._mixed(tuple(before.shape), tuple(after.shape))
        elif before.ndim == 4 and after.ndim == 4:
            # Channels that stand last, as images are stored, are brought to the front: no reading keeps their places.
            rows, high, wide, channels = before.shape
            moved = (rows, channels, high, wide)
            if tuple(after.shape) == moved != tuple(before.shape) and channels > 1 and high * wide > 1:
                self._mixed(tuple(before.shape), tuple(after.shape))
        elif before.ndim == 2 and after.ndim == 2 and not before.is_floating_point():
            if tuple(after.shape) == tuple(before.shape)[::-1] != tuple(before.shape) and min(before.shape) > 1:
                self._mixed(tuple(before.shape), tuple(after.shape))
        elif before.ndim == 3 and after.ndim == 4 and mark is None:
            batch, positions, width = before.shape
            heads, units = after.shape[1], after.shape[3]
            apart = after.shape[0] == batch and after.shape[2] == positions and heads * units == width
            if apart and heads > 1 and positions > 1 and heads != positions:
                self._put(after, "split")
                self._split[id(after)] = (tuple(before.shape), tuple(after.shape))

    def _enters_product(self, operands: tuple[Any, ...]) -> None:
        for one in operands:
            if self._marks.get(id(one)) == "split":
                self._mixed(*self._split[id(one)])

    def _put(self, tensor: Tensor, mark: str) -> None:
        self._marks[id(tensor)] = mark
        self._alive.append(tensor)


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
