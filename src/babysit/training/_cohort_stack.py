"""Members of one kind trained as one computation.

    for each step:
        a batch fetched and preprocessed once, forward, losses, backward, each member's own step

Members of one kind have the same network with other numbers, the same loss, optimizer, batch size and step. All else
may differ: rate, schedule, momentum, penalties, dropout, smoothing, first weights, seed, fold.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn

from babysit.training._batches import EVALUATION_ROWS, Examples, epoch_batches
from babysit.training._judging import judged
from babysit.training._phase import PhaseNumbers
from babysit.training._random import stream_seed
from babysit.training._stacked_loss import stacked_loss
from babysit.training._stacked_network import StackedNetwork
from babysit.training._stacked_optimizer import StackedOptimizer
from babysit.training._step import rate_at
from babysit.training._trial_alone import LOOK_EVERY, Look
from babysit.training._trial_member import Member
from babysit.training._trial_starts import Start
from babysit.training._vmap_network import VmapNetwork, streams_of

# Numbers of one layer's activations in an evaluation's piece: some megabytes, which a cache holds.
PIECE = 2**20


def kind_of(member: Member, start: Start) -> Hashable:
    """What members of one stack have in common: what is not here is each member's own.

    Networks of the same shapes may still be different functions; their signature says what each layer is.
    """
    recipe = member.trial.recipe
    return (
        start.kind,
        recipe.loss.name,
        recipe.loss.class_weights,
        "adam" if recipe.optimizer.name == "adamw" else recipe.optimizer.name,
        recipe.optimizer.nesterov,
        recipe.preprocessing,
        recipe.budget.batch_size,
        len(start.examples.train),
        member.course.step,
        len(start.examples.validation),
        # Balanced weights are counted on a fold's rows.
        member.trial.fold if recipe.loss.class_weights == "balanced" else None,
    )


class Stack:
    """P members as one computation, from Members and back to them.

    Args:
        starts: Where each began.
        members: Of one kind; brought up to date by `train`.
        constants: What a constant answer costs each, on its training rows.
    """

    def __init__(self, starts: Sequence[Start], members: Sequence[Member], constants: Sequence[float]) -> None:
        self._starts, self._members, self._constants = starts, members, constants
        recipes = [member.trial.recipe for member in members]
        first = starts[0]
        self._examples = first.examples
        device = self._examples.device
        batch_size = recipes[0].budget.batch_size
        assert batch_size is not None
        self._batch_size = batch_size
        self._per_epoch = members[0].steps_per_epoch(len(self._examples.train))
        self._steps = [member.steps(len(self._examples.train)) for member in members]
        # Members of one fold and one seed see the same batches; each such stream is fetched once.
        streams = [(member.trial.fold, recipe.seed) for member, recipe in zip(members, recipes, strict=True)]
        self._streams = list(dict.fromkeys(streams))
        self._stream_of = [self._streams.index(stream) for stream in streams]
        self._stream_starts = [starts[self._stream_of.index(number)] for number in range(len(self._streams))]
        self._dropout = streams_of(starts, members)
        states = [member.network for member in members]
        self.network: StackedNetwork | VmapNetwork
        if first.no_rule:
            own, sample = first.fresh_network(recipes[0]), self._examples.cut(self._examples.train[:2])[0]
            self.network = VmapNetwork(own, states, self._dropout, sample, first.activations)
        else:
            network = first.model.network
            assert isinstance(network, nn.Sequential)
            self.network = StackedNetwork(network, states, self._dropout, device)
        weight = getattr(first.loss, "weight", None)
        self._loss = stacked_loss([recipe.loss for recipe in recipes], weight, device)
        self._optimizer = StackedOptimizer(
            self.network.parameters,
            [recipe.optimizer for recipe in recipes],
            [recipe.regularisation for recipe in recipes],
            [member.optimizer for member in members],
            members[0].course.step,
        )
        self._waiting: list[tuple[Tensor, int]] = []
        self._looked = 0.0
        self._rehearsed: list[Tensor] | None = None

    @torch.no_grad()
    def train(self, until: int, look: Look) -> None:
        """Train all until `until` steps are taken, each has ended, or `look` says to stop."""
        members = self._members
        until = min(until, *self._steps)
        began = self._looked = time.monotonic()
        step = members[0].course.step
        asked = False
        self._resume_streams()
        while step < until and not asked and not all(member.course.ended for member in members):
            epoch, batch = divmod(step, self._per_epoch)
            if batch == 0:
                self._begin_epoch(epoch)
            for batches in zip(*(o[batch : batch + until - step] for o in self._orders(epoch)), strict=True):
                self._step(batches, step)
                step += 1
                if time.monotonic() - self._looked > LOOK_EVERY:
                    asked = self._look(look)
                    if asked or all(member.course.ended for member in members):
                        break
            asked = self._look(look) or asked
            if step % self._per_epoch == 0:
                self._end_epoch(epoch)
        self._hand_back(step, time.monotonic() - began)

    @torch.no_grad()
    def rehearse(self) -> None:
        """Take the first step of the epoch under way, to see how long it takes; the members are left as they are."""
        step = self._members[0].course.step
        if self._rehearsed is None:
            self._rehearsed = [order[0] for order in self._orders(step // self._per_epoch)]
        self._step(self._rehearsed, step)
        self._waiting.clear()

    def _orders(self, epoch: int) -> list[tuple[Tensor, ...]]:
        """Batches of an epoch, of each stream."""
        return [
            epoch_batches(start.examples.train, self._batch_size, seed, epoch)
            for (_, seed), start in zip(self._streams, self._stream_starts, strict=True)
        ]

    def _step(self, batches: Sequence[Tensor], step: int) -> None:
        rates = [
            rate_at(recipe.schedule, recipe.optimizer.lr or 0.0, step, steps, member.plateau)
            for member, steps in zip(self._members, self._steps, strict=True)
            for recipe in [member.trial.recipe]
        ]
        inputs, targets = self._cut(batches)
        losses = self.network.learn(inputs, targets, self._loss)
        self._optimizer.step(rates)
        self._waiting.append((losses, len(batches[0])))

    def _cut(self, batches: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Inputs [features, rows] and targets [rows] that all share, or [P, features, rows] and [P, rows]."""
        cuts = [start.examples.cut(rows) for start, rows in zip(self._stream_starts, batches, strict=True)]
        if len(cuts) == 1:
            inputs, targets = cuts[0]
            return self.network.enter(inputs), targets
        inputs = torch.stack([self.network.enter(inputs) for inputs, _ in cuts])
        targets = torch.stack([targets for _, targets in cuts])
        if self._stream_of == [*range(len(self._streams))]:
            return inputs, targets
        chosen = torch.tensor(self._stream_of, device=inputs.device)
        return inputs.index_select(0, chosen), targets.index_select(0, chosen)

    def _look(self, look: Look) -> bool:
        """Read the losses of the last steps: the one place that waits for the device."""
        self._looked = time.monotonic()
        if not self._waiting:
            return False
        losses = torch.stack([losses for losses, _ in self._waiting], dim=1).tolist()
        rows = [rows for _, rows in self._waiting]
        self._waiting.clear()
        for member, own, constant in zip(self._members, losses, self._constants, strict=True):
            member.course.hear(own, rows, constant)
        return look(
            [(member.trial.number, len(rows), own[-1]) for member, own in zip(self._members, losses, strict=True)]
        )

    def _begin_epoch(self, epoch: int) -> None:
        if self._dropout is not None:
            for (seed, _), generator in zip(self._dropout.kinds, self._dropout.generators, strict=True):
                generator.manual_seed(stream_seed(seed, "network", epoch))

    def _resume_streams(self) -> None:
        if self._dropout is None:
            return
        for member, kind in zip(self._members, self._dropout.kind_of, strict=True):
            if member.random is not None:
                # A copy, as PyTorch 2.13 reads a view from the beginning of its storage, and crashes.
                self._dropout.generators[kind].set_state(member.random.clone())

    def _end_epoch(self, epoch: int) -> None:
        """Measure where an epoch's loss decides something: plateaus and patience."""
        watching = [member.watches_epochs and not member.course.ended for member in self._members]
        if not any(watching):
            return
        for index, (member, numbers) in enumerate(zip(self._members, self.measure(), strict=True)):
            if watching[index]:
                member.epoch_ended(epoch, numbers.loss, self.network.state_of(index))

    def _hand_back(self, step: int, seconds: float) -> None:
        """Bring the members up to date; their tensors are views of the stack's."""
        within = step % self._per_epoch
        for index, member in enumerate(self._members):
            member.network = self.network.state_of(index)
            member.optimizer = self._optimizer.state_of(index)
            member.random = None
            if within and self._dropout is not None:
                member.random = self._dropout.generators[self._dropout.kind_of[index]].get_state()
            member.seconds += seconds / len(self._members)

    @torch.no_grad()
    def measure(self) -> list[PhaseNumbers]:
        """Validation loss and score of each with its present weights, as `measure_phase` measures one."""
        # Seeds order training rows alone: what is validated differs by fold.
        step = max(member.course.step for member in self._members)
        own = [judged(start, member, step) for start, member in zip(self._starts, self._members, strict=True)]
        by_fold = {id(each): each for each in own}
        examples, places = [*by_fold.values()], [*by_fold]
        of_member = [places.index(id(each)) for each in own]
        rows = [each.validation for each in examples]
        size = max(1, min(EVALUATION_ROWS, PIECE // self.network.widest))
        # Pieces of the preprocessed rows where these are kept, else of the row numbers.
        sources = [r if each.held_out is None else each.held_out for each, r in zip(examples, rows, strict=True)]
        outputs = torch.cat(
            [
                self._evaluate(examples, of_member, pieces)
                for pieces in zip(*(source.split(size) for source in sources), strict=True)
            ],
            dim=2,
        )
        wanted = [each.targets[r.to(each.targets.device)] for each, r in zip(examples, rows, strict=True)]
        targets = wanted[0] if len(wanted) == 1 else torch.stack(wanted)[of_member]
        total = torch.zeros(len(of_member), dtype=torch.float64, device=outputs.device)
        for given, right in zip(outputs.split(EVALUATION_ROWS, 2), targets.split(EVALUATION_ROWS, -1), strict=True):
            total += self._loss(given, right)[0].double() * right.shape[-1]
        losses = (total / targets.shape[-1]).tolist()
        name, scores = self._scores(outputs, targets)
        return [PhaseNumbers(loss, name, score) for loss, score in zip(losses, scores, strict=True)]

    def _evaluate(self, examples: Sequence[Examples], of_member: list[int], pieces: Sequence[Tensor]) -> Tensor:
        """Outputs [P, outputs, rows] of a piece of each fold's validation rows."""
        cuts = [
            self.network.enter(piece if each.held_out is not None else each.cut(piece)[0])
            for each, piece in zip(examples, pieces, strict=True)
        ]
        return self.network.forward(cuts[0] if len(cuts) == 1 else torch.stack(cuts)[of_member], training=False)

    def _scores(self, outputs: Tensor, targets: Tensor) -> tuple[str, list[float]]:
        """Accuracy or R2 of each member."""
        if not targets.is_floating_point():
            found = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(dim=1)
            return "accuracy", (found == targets).double().mean(dim=1).tolist()
        errors = (self._examples.link(outputs[:, 0]) - targets).double().square().sum(dim=1)
        wanted = targets.double()
        spread = (wanted - wanted.mean(dim=-1, keepdim=True)).square().sum(dim=-1)
        return "r2", torch.where(spread > 0, 1 - errors / spread, torch.nan).tolist()
