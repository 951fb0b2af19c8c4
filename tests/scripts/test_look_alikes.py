"""Healthy programs that look like those whose parts depend on what they should not: nothing is found in them."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from babysit.diseases import DISEASES, diagnose
from babysit.record import TraceStore
from babysit.scripts import Patcher

WORDS, LENGTH, ROWS, UNITS, STEPS = 19, 8, 12, 16, 5

Loss = Callable[[], Tensor]


def stepped(optimizer: Optimizer, loss_of: Loss, steps: int = STEPS, after: Callable[[int], object] = id) -> None:
    for step in range(steps):
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()
        after(step)


def tokens(length: int = LENGTH, rows: int = ROWS) -> Tensor:
    return torch.randint(2, WORDS, (rows, length))


def classes(answers: Tensor, wanted: Tensor) -> Tensor:
    return functional.cross_entropy(answers.reshape(-1, answers.shape[-1]), wanted.reshape(-1))


class Encoder(nn.Module):
    """PyTorch's own layers, with any mask."""

    def __init__(self, mask: Tensor | None, *, places: bool = True, outputs: int = WORDS) -> None:
        super().__init__()
        self.embedding, self.mask = nn.Embedding(WORDS, UNITS), mask
        self.places = nn.Parameter(torch.randn(32, UNITS) if places else torch.zeros(32, UNITS), requires_grad=places)
        layer = nn.TransformerEncoderLayer(UNITS, 2, 32, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.out = nn.Linear(UNITS, outputs)

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.embedding(ids) + self.places[: ids.shape[1]]
        answers: Tensor = self.out(self.layers(vectors, mask=self.mask))
        return answers


def language(mask: Tensor | None, pairs: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
    net = Encoder(mask)

    def loss() -> Tensor:
        inputs, wanted = pairs(tokens())
        return classes(net(inputs), wanted)

    stepped(Adam(net.parameters(), 1e-3), loss)


def causal_mask(length: int) -> Tensor:
    return torch.full((length, length), -math.inf).triu(1)


def causal() -> None:
    language(causal_mask(LENGTH - 1), lambda ids: (ids[:, :-1], ids[:, 1:]))


def bidirectional() -> None:
    def hidden(ids: Tensor) -> tuple[Tensor, Tensor]:
        chosen = torch.rand(ids.shape) < 0.3
        return ids.masked_fill(chosen, 1), ids.masked_fill(~chosen, -100)

    language(None, hidden)


def prefix() -> None:
    """The first positions see each other, and no loss is taken there."""
    mask = causal_mask(LENGTH - 1)
    mask[:, :3] = 0

    def pairs(ids: Tensor) -> tuple[Tensor, Tensor]:
        wanted = ids[:, 1:].clone()
        wanted[:, :2] = -100
        return ids[:, :-1], wanted

    language(mask, pairs)


def packed() -> None:
    embedding, layer, out = nn.Embedding(WORDS, UNITS, padding_idx=0), nn.LSTM(UNITS, UNITS), nn.Linear(UNITS, WORDS)

    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.layer, self.out = embedding, layer, out

        def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
            sequences = nn.utils.rnn.pack_padded_sequence(
                self.embedding(ids), lengths, batch_first=True, enforce_sorted=False
            )
            states = nn.utils.rnn.pad_packed_sequence(self.layer(sequences)[0], batch_first=True)[0]
            answers: Tensor = self.out(states)
            return answers

    net = Packed()

    def loss() -> Tensor:
        ids, lengths = tokens(24), torch.randint(4, 12, (ROWS,))
        lengths[0] = 23
        ids[torch.arange(24) > lengths.unsqueeze(1)] = 0
        wanted = ids[:, 1:]
        return functional.cross_entropy(net(ids[:, :-1], lengths).transpose(1, 2), wanted, ignore_index=0)

    stepped(Adam(net.parameters(), 1e-3), loss)


class Masked(nn.Module):
    """A masked autoencoder: some patches are hidden, and all are answered."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.hidden = nn.Linear(6, UNITS), nn.Parameter(torch.randn(UNITS))
        self.places = nn.Parameter(torch.randn(LENGTH, UNITS))
        self.layer = nn.TransformerEncoderLayer(UNITS, 2, 32, batch_first=True)
        self.out = nn.Linear(UNITS, 6)

    def forward(self, patches: Tensor, chosen: Tensor) -> Tensor:
        vectors = torch.where(chosen.unsqueeze(-1), self.hidden, self.inputs(patches))
        answers: Tensor = self.out(self.layer(vectors + self.places))
        return answers


def masked_autoencoder() -> None:
    net = Masked()

    def loss() -> Tensor:
        patches, chosen = torch.randn(ROWS, LENGTH, 6), torch.rand(ROWS, LENGTH) < 0.5
        return functional.mse_loss(net(patches, chosen)[chosen], patches[chosen])

    stepped(Adam(net.parameters(), 1e-3), loss)


class Sinks(nn.Module):
    """Attention that may look nowhere: one more logit stands in each row."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.project = nn.Embedding(WORDS, UNITS), nn.Linear(UNITS, 3 * UNITS)
        self.sink, self.out = nn.Parameter(torch.zeros(1)), nn.Linear(UNITS, WORDS)

    def forward(self, ids: Tensor) -> Tensor:
        inputs = self.embedding(ids)
        query, key, value = (
            one.reshape(*ids.shape, 2, -1).transpose(1, 2) for one in self.project(inputs).chunk(3, dim=-1)
        )
        scores = query @ key.transpose(-1, -2) + causal_mask(ids.shape[1])
        nowhere = self.sink.expand(*scores.shape[:-1], 1)
        weights = torch.cat([scores, nowhere], -1).softmax(-1)[..., :-1]
        mixed = (weights @ value).transpose(1, 2).reshape(*ids.shape, UNITS)
        answers: Tensor = self.out(inputs + mixed)
        return answers


def sinks() -> None:
    net = Sinks()

    def loss() -> Tensor:
        ids = tokens()
        return classes(net(ids[:, :-1]), ids[:, 1:])

    stepped(Adam(net.parameters(), 1e-3), loss)


def target_network() -> None:
    """Values of actions, by a network that is copied now and then; states come from a buffer."""
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    target = copy.deepcopy(net)
    buffer = [(torch.randn(4), random.randrange(2), random.random(), torch.randn(4)) for _ in range(200)]

    def loss() -> Tensor:
        drawn = random.sample(buffer, 16)
        states, after = torch.stack([one[0] for one in drawn]), torch.stack([one[3] for one in drawn])
        actions = torch.tensor([one[1] for one in drawn]).unsqueeze(1)
        with torch.no_grad():
            wanted = torch.tensor([one[2] for one in drawn]) + 0.9 * target(after).max(1).values
        return functional.mse_loss(net(states).gather(1, actions).squeeze(1), wanted)

    def copied(step: int) -> None:
        if step % 20 == 19:
            target.load_state_dict(net.state_dict())

    stepped(Adam(net.parameters(), 1e-2), loss, 60, copied)


def averaged() -> None:
    """Weights averaged from the third step on; the average is evaluated."""
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    kept = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    inputs = torch.randn(64, 4)

    def average(step: int) -> None:
        if step > 2:
            kept.update_parameters(net)

    stepped(Adam(net.parameters(), 1e-2), lambda: classes(net(inputs), inputs[:, :3].argmax(1)), 12, average)
    kept.eval()
    with torch.no_grad():
        kept(inputs)


def connectionist() -> None:
    net = nn.GRU(5, 7, batch_first=True)

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = net

        def forward(self, frames: Tensor) -> Tensor:
            answers: Tensor = self.layer(frames)[0].log_softmax(-1).transpose(0, 1)
            return answers

    reader = Reader()

    def loss() -> Tensor:
        labels, lengths = torch.randint(1, 7, (ROWS, 4)), torch.randint(1, 5, (ROWS,))
        frames = torch.full((ROWS,), 20)
        return functional.ctc_loss(reader(torch.randn(ROWS, 20, 5)), labels, frames, lengths)

    stepped(Adam(reader.parameters(), 1e-3), loss)


class Translator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(WORDS, UNITS), nn.Embedding(WORDS, UNITS)
        self.places = nn.Parameter(torch.randn(32, UNITS))
        self.layers = nn.Transformer(UNITS, 2, 1, 1, 32, batch_first=True)
        self.out = nn.Linear(UNITS, WORDS)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        padding = source == 0
        hidden = self.layers(
            self.source(source) + self.places[: source.shape[1]],
            self.target(target) + self.places[: target.shape[1]],
            tgt_mask=causal_mask(target.shape[1]),
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        answers: Tensor = self.out(hidden)
        return answers


def teacher_forcing() -> None:
    net = Translator()

    def loss() -> Tensor:
        ids, lengths = tokens(24), torch.randint(4, 12, (ROWS,))
        lengths[0] = 24
        ids[torch.arange(24) >= lengths.unsqueeze(1)] = 0
        wanted = ids.flip(1)
        return functional.cross_entropy(net(ids, wanted[:, :-1]).transpose(1, 2), wanted[:, 1:], ignore_index=0)

    stepped(Adam(net.parameters(), 1e-3), loss)


def graph() -> None:
    """Nodes depend on their neighbours by design."""

    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, UNITS), nn.Linear(UNITS, 3)

        def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
            answers: Tensor = self.last((edges @ self.first(nodes)).relu())
            return answers

    net, nodes = Graph(), torch.randn(40, 6)
    edges = (torch.rand(40, 40) < 0.1).float() + torch.eye(40)
    edges = edges / edges.sum(1, keepdim=True)
    stepped(Adam(net.parameters(), 1e-2), lambda: classes(net(nodes, edges), nodes[:, :3].argmax(1)), 20)


def normalised() -> None:
    net = nn.Sequential(nn.Linear(6, UNITS), nn.BatchNorm1d(UNITS), nn.ReLU(), nn.Linear(UNITS, 3))
    inputs = torch.randn(96, 6)
    optimizer = Adam(net.parameters(), 1e-2)
    loader = DataLoader(TensorDataset(inputs, inputs[:, :3].argmax(1)), batch_size=32, shuffle=True)
    for _ in range(3):
        for rows, labels in loader:
            stepped(optimizer, lambda rows=rows, labels=labels: classes(net(rows), labels), 1)  # type: ignore[misc]
        net.eval()
        with torch.no_grad():
            net(inputs)
        net.train()


def set_transformer() -> None:
    """Sets of tokens, whose order does not matter: no places, and a mean over all of them."""
    net = Encoder(None, places=False, outputs=4)

    def loss() -> Tensor:
        ids = tokens()
        return classes(net(ids).mean(1), ids.sum(1) % 4)

    stepped(Adam(net.parameters(), 1e-3), loss)


def diffusion() -> None:
    class Denoiser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(5, 32), nn.SiLU(), nn.Linear(32, 4))

        def forward(self, noisy: Tensor, time: Tensor) -> Tensor:
            answers: Tensor = self.layers(torch.cat([noisy, time], 1))
            return answers

    net, points = Denoiser(), torch.randn(64, 4)

    def loss() -> Tensor:
        time = torch.rand(64, 1)
        noise = torch.randn_like(points)
        return functional.mse_loss(net((1 - time) * points + time * noise, time), noise)

    stepped(Adam(net.parameters(), 1e-3), loss, 20)
    net.eval()
    with torch.no_grad():
        sample = torch.randn(64, 4)
        for at in range(5, 0, -1):
            sample = sample - 0.1 * net(sample, torch.full((64, 1), at / 5)) + 0.01 * torch.randn_like(sample)


class Agent(nn.Module):
    """Actor and critic in one."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.actor, self.critic = nn.Linear(4, 16), nn.Linear(16, 2), nn.Linear(16, 1)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(states).tanh()
        return self.actor(hidden), self.critic(hidden).squeeze(1)


def proximal() -> None:
    """Several epochs over each rollout, whose rewards drift."""
    net = Agent()
    optimizer = Adam(net.parameters(), 1e-3)
    for rollout in range(4):
        states = torch.randn(64, 4).cumsum(0) * 0.1 + rollout
        with torch.no_grad():
            law = torch.distributions.Categorical(logits=net(states)[0])
            actions = law.sample()
            before = law.log_prob(actions)
        for at in [part for _ in range(3) for part in torch.randperm(64).split(16)]:
            logits, values = net(states[at])
            law = torch.distributions.Categorical(logits=logits)
            ratio = (law.log_prob(actions[at]) - before[at]).exp()
            returns = states[at].sum(1) + rollout
            advantage = returns - values.detach()
            gain = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()
            optimizer.zero_grad()
            (functional.mse_loss(values, returns) - gain - 0.01 * law.entropy().mean()).backward()
            optimizer.step()


def scaled() -> None:
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer, scaler, inputs = Adam(net.parameters(), 1e-2), torch.amp.GradScaler("cpu"), torch.randn(64, 4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        scaler.scale(classes(net(inputs), inputs[:, :3].argmax(1))).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        schedule.step()


HEALTHY: tuple[Callable[[], None], ...] = (
    causal,
    bidirectional,
    prefix,
    packed,
    masked_autoencoder,
    sinks,
    target_network,
    averaged,
    connectionist,
    teacher_forcing,
    graph,
    normalised,
    set_transformer,
    diffusion,
    proximal,
    scaled,
)


@pytest.mark.parametrize("probes", ["dependence", "start"])
@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.__name__)
def test_nothing_is_found_in_it(program: Callable[[], None], probes: str) -> None:
    torch.manual_seed(0)
    random.seed(0)
    store = TraceStore(None)
    with Patcher(store, probes=probes) as patcher:
        program()
    patcher.tell(finished=True)
    found = [one for one in diagnose(store.read()) if one.severity != "note"]
    assert [(one.name, one.evidence) for one in found if DISEASES[one.name].group == "dependence"] == []
    assert "batches-not-shuffled" not in {one.name for one in found}
