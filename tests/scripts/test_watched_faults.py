"""Faults that show as a program runs: schedules, scalers, evaluations, rows, latent units; sick and healthy ones."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, lr_scheduler
from torch.utils.data import DataLoader, Dataset, TensorDataset

from babysit.diseases import DISEASES
from babysit.record import INPUTS, Trace, TraceStore
from babysit.scripts import Patcher


def traced(program: Callable[[], object], probes: str = "start") -> Trace:
    """What is seen of a program that comes to its own end."""
    torch.manual_seed(0)
    random.seed(0)
    store = TraceStore(None)
    with Patcher(store, probes=probes) as patcher:
        program()
    patcher.tell(finished=True)
    return store.read()


def found(program: Callable[[], object]) -> set[str]:
    """Names of diseases and facts that are proven by events."""
    told = {event.kind for event in traced(program).events}
    return told & (DISEASES.keys() | {"schedule-before-optimizer"})


# Schedules.


def scheduled(
    make: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler | None],
    *,
    every: str = "epoch",
    epochs: int = 6,
    remade: bool = False,
) -> None:
    net = nn.Linear(3, 2)
    optimizer = SGD(net.parameters(), lr=0.1)
    schedule = make(optimizer)
    if remade:
        optimizer = SGD(net.parameters(), lr=0.1)
    for _ in range(epochs):
        if every == "epoch, first" and schedule is not None:
            schedule.step()
        for _ in range(10):
            optimizer.zero_grad()
            functional.mse_loss(net(torch.randn(8, 3)), torch.randn(8, 2)).backward()
            optimizer.step()
            if every == "batch" and schedule is not None:
                schedule.step()
        if every == "epoch" and schedule is not None:
            schedule.step(1.0) if isinstance(schedule, lr_scheduler.ReduceLROnPlateau) else schedule.step()


def warm(steps: int) -> Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]:
    return lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / steps))


def in_parts(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
    first = lr_scheduler.LinearLR(optimizer, 0.1, total_iters=2)
    return lr_scheduler.SequentialLR(optimizer, [first, lr_scheduler.CosineAnnealingLR(optimizer, 60)], [2])


INERT = "learning-rate-schedule-inert"
SCHEDULES: dict[str, tuple[Callable[[], None], set[str]]] = {
    "never stepped": (lambda: scheduled(lambda one: lr_scheduler.StepLR(one, 2), every="never"), {INERT}),
    "plateau, never stepped": (lambda: scheduled(lr_scheduler.ReduceLROnPlateau, every="never"), {INERT}),
    "of another optimizer": (lambda: scheduled(lambda one: lr_scheduler.StepLR(one, 2), remade=True), {INERT}),
    "one cycle of batches, stepped by epoch": (
        lambda: scheduled(lambda one: lr_scheduler.OneCycleLR(one, 0.5, total_steps=60)),
        {INERT},
    ),
    "cosine of batches, stepped by epoch": (
        lambda: scheduled(lambda one: lr_scheduler.CosineAnnealingLR(one, T_max=60)),
        {INERT},
    ),
    "warm-up of batches, stepped by epoch": (lambda: scheduled(warm(100)), {INERT}),
    "before its optimizer": (
        lambda: scheduled(lambda one: lr_scheduler.StepLR(one, 2), every="epoch, first"),
        {"schedule-before-optimizer"},
    ),
    "each epoch": (lambda: scheduled(lambda one: lr_scheduler.StepLR(one, 2)), set()),
    "plateau": (lambda: scheduled(lr_scheduler.ReduceLROnPlateau), set()),
    "one cycle": (
        lambda: scheduled(lambda one: lr_scheduler.OneCycleLR(one, 0.5, total_steps=60), every="batch"),
        set(),
    ),
    "cosine": (lambda: scheduled(lambda one: lr_scheduler.CosineAnnealingLR(one, T_max=6)), set()),
    "restarts": (
        lambda: scheduled(lambda one: lr_scheduler.CosineAnnealingWarmRestarts(one, 2), every="batch"),
        set(),
    ),
    "warm-up": (lambda: scheduled(warm(30), every="batch"), set()),
    "steps that come later": (lambda: scheduled(lambda one: lr_scheduler.MultiStepLR(one, [30, 60])), set()),
    "in parts": (lambda: scheduled(in_parts, every="batch"), set()),
    "none": (lambda: scheduled(lambda one: None), set()),
    "averaged weights later": (lambda: averaged_later(), set()),
}


def averaged_later() -> None:
    """A second schedule, of averaged weights, begins after more epochs than there are."""

    def both(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        torch.optim.swa_utils.SWALR(optimizer, swa_lr=0.05)
        return lr_scheduler.ExponentialLR(optimizer, 0.9)

    scheduled(both)


@pytest.mark.parametrize(("program", "wanted"), SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.filterwarnings("ignore:Detected call of")
def test_schedules(program: Callable[[], None], wanted: set[str]) -> None:
    assert found(program) == wanted


def test_a_training_that_is_not_over_says_nothing_of_its_schedule() -> None:
    store = TraceStore(None)
    with Patcher(store, probes="start") as patcher:
        SCHEDULES["never stepped"][0]()
    patcher.tell(finished=False)
    assert not store.read().happened(INERT)


# Scalers.


def scaled(order: str, *, enabled: bool = True) -> None:
    net = nn.Linear(3, 2)
    optimizer = SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", enabled=enabled)
    for _ in range(4):
        optimizer.zero_grad()
        loss = functional.mse_loss(net(torch.randn(8, 3)), torch.randn(8, 2))
        if order == "not scaled":
            scaler.scale(loss)
            loss.backward()
        elif order == "accumulated":
            (scaler.scale(loss) / 2).backward()
        else:
            scaler.scale(loss).backward()
        if order in ("unscaled", "unscaled, own step"):
            scaler.unscale_(optimizer)
        if order in ("unscaled", "clipped"):
            nn.utils.clip_grad_norm_((one for one in net.parameters()), 1.0)
        if order.endswith("own step"):
            optimizer.step()
        else:
            scaler.step(optimizer)
        if order != "own step":
            scaler.update()


def scaled_beside(*, unscaled: bool) -> None:
    """Two optimizers, of which one has a scaler."""
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    first, second = SGD(one.parameters(), lr=0.1), SGD(other.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(4):
        first.zero_grad()
        scaler.scale(functional.mse_loss(one(torch.randn(8, 3)), torch.randn(8, 2))).backward()
        if unscaled:
            scaler.unscale_(first)
        nn.utils.clip_grad_norm_(one.parameters(), 1.0)
        scaler.step(first)
        scaler.update()
        second.zero_grad()
        functional.mse_loss(other(torch.randn(8, 3)), torch.randn(8, 2)).backward()
        nn.utils.clip_grad_norm_(other.parameters(), 1.0)
        second.step()


MISUSED = {"scaler-misused"}
SCALERS: dict[str, tuple[Callable[[], None], set[str]]] = {
    "clipped as they are": (lambda: scaled("clipped"), MISUSED),
    "its own step": (lambda: scaled("own step"), MISUSED),
    "not scaled": (lambda: scaled("not scaled"), MISUSED),
    "one of two, clipped as they are": (lambda: scaled_beside(unscaled=False), MISUSED),
    "unscaled, then clipped": (lambda: scaled("unscaled"), set()),
    "unscaled, its own step": (lambda: scaled("unscaled, own step"), set()),
    "accumulated": (lambda: scaled("accumulated"), set()),
    "not enabled": (lambda: scaled("clipped", enabled=False), set()),
    "one of two": (lambda: scaled_beside(unscaled=True), set()),
}


@pytest.mark.parametrize(("program", "wanted"), SCALERS.values(), ids=SCALERS)
def test_scalers(program: Callable[[], None], wanted: set[str]) -> None:
    assert found(program) == wanted


# The same rows evaluated twice.


class Classifier(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.first, self.last, self.kind = nn.Linear(6, 16), nn.Linear(16, 3), kind
        self.registered, self.unregistered = nn.Dropout(0.4), [nn.Dropout(0.4)]
        self.spread = nn.Linear(16, 16)

    def forward(self, rows: Tensor) -> Tensor:
        hidden = self.first(rows).relu()
        if self.kind == "functional":
            hidden = functional.dropout(hidden, 0.4)
        elif self.kind == "functional, by mode":
            hidden = functional.dropout(hidden, 0.4, training=self.training)
        elif self.kind == "in a list":
            hidden = self.unregistered[0](hidden)
        elif self.kind == "by hand" or (self.kind == "by hand, by mode" and self.training):
            hidden = hidden * (torch.rand_like(hidden) > 0.4) / 0.6
        elif self.kind == "noise":
            hidden = hidden + 0.3 * torch.randn_like(hidden)
        elif self.kind == "bottleneck":  # a variational one, sampled on purpose
            hidden = hidden + torch.randn_like(hidden) * self.spread(hidden).exp()
        elif self.kind == "attention":
            heads = hidden.reshape(len(hidden), 2, 4, 2)
            mixed = functional.scaled_dot_product_attention(heads, heads, heads, dropout_p=0.4)
            hidden = mixed.reshape(len(hidden), 16)
        else:
            hidden = self.registered(hidden)
        answers: Tensor = self.last(hidden)
        return answers


def evaluated(kind: str, *, passes: int = 1, layers_on: bool = False, rows: int = 1) -> None:
    net = Classifier(kind)
    optimizer = Adam(net.parameters(), lr=0.01)
    inputs = torch.randn(64, 6)
    labels = inputs[:, :3].argmax(1)
    for _ in range(3):
        net.train()
        for at in range(0, 64, 16):
            optimizer.zero_grad()
            functional.cross_entropy(net(inputs[at : at + 16]), labels[at : at + 16]).backward()
            optimizer.step()
        net.eval()
        if layers_on:
            for one in net.modules():
                if isinstance(one, nn.Dropout):
                    one.train()
        with torch.no_grad():
            torch.stack([net(inputs.repeat(rows, 1)) for _ in range(passes)]).mean(0)


TWICE = "evaluation-not-repeatable"
EVALUATIONS: dict[str, tuple[Callable[[], None], set[str]]] = {
    "functional dropout": (lambda: evaluated("functional"), {TWICE}),
    "dropout in a list": (lambda: evaluated("in a list"), {TWICE}),
    "dropout by hand": (lambda: evaluated("by hand"), {TWICE}),
    "dropout in attention": (lambda: evaluated("attention"), {TWICE}),
    "noise": (lambda: evaluated("noise"), {TWICE}),
    "registered dropout": (lambda: evaluated("registered"), set()),
    "functional dropout by mode": (lambda: evaluated("functional, by mode"), set()),
    "dropout by hand, by mode": (lambda: evaluated("by hand, by mode"), set()),
    "Monte Carlo, functional": (lambda: evaluated("functional", passes=8), set()),
    "Monte Carlo, layers on": (lambda: evaluated("registered", passes=8, layers_on=True), set()),
    "Monte Carlo, rows repeated": (lambda: evaluated("functional", rows=5), set()),
    "variational bottleneck": (lambda: evaluated("bottleneck"), set()),
}


@pytest.mark.parametrize(("program", "wanted"), EVALUATIONS.values(), ids=EVALUATIONS)
def test_evaluations(program: Callable[[], None], wanted: set[str]) -> None:
    assert found(program) == wanted


def test_what_is_drawn_for_the_second_look_is_given_back() -> None:
    def program() -> list[float]:
        evaluated("functional")
        return torch.rand(3).tolist()

    torch.manual_seed(0)
    plain = program()
    drawn: list[float] = []
    traced(lambda: drawn.extend(program()))
    assert drawn == plain


# Rows that come again.


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """Pictures, each time mirrored or not."""

    def __init__(self, how: str, count: int = 48) -> None:
        self.pictures, self.how = torch.randn(count, 1, 6, 6), how
        self.masks = (self.pictures > 0.5).float()
        self.labels = torch.randint(0, 3, (count,))
        self.points = torch.rand(count, 1)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture, mask, label = self.pictures[index], self.masks[index], self.labels[index]
        flip, also = torch.rand(2) < 0.5
        if self.how == "both":
            return (picture.flip(-1), mask.flip(-1)) if flip else (picture, mask)
        if self.how == "pictures alone":
            return (picture.flip(-1) if flip else picture), mask
        if self.how == "each by itself":
            return (picture.flip(-1) if flip else picture), (mask.flip(-1) if also else mask)
        if self.how == "masks alone":
            return picture, (mask.flip(-1) if also else mask)
        if self.how == "labels stay":
            return (picture.flip(-1) if flip else picture), label
        if self.how == "labels change hands":
            return (picture.flip(-1), (3 - label) % 3) if flip else (picture, label)
        if self.how == "labels at random":
            return picture, torch.randint(0, 3, ())
        if self.how == "labels with noise":
            return picture, (torch.randint(0, 3, ()) if torch.rand(()) < 0.2 else label)
        if self.how == "points turned":
            return picture, (1 - self.points[index] if flip else self.points[index])
        if self.how == "points with noise":
            return picture, self.points[index] + 0.1 * torch.randn(1)
        return picture, label


def pictured(how: str) -> None:
    masks, points = how in ("both", "pictures alone", "each by itself", "masks alone"), how.startswith("points")
    ends = nn.Conv2d(4, 1, 1) if masks else nn.Sequential(nn.Flatten(), nn.Linear(144, 1 if points else 3))
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), ends)
    optimizer = Adam(net.parameters(), lr=0.01)
    loader = DataLoader(Pictures(how), batch_size=16, shuffle=True)
    for _ in range(6):
        for pictures, wanted in loader:
            optimizer.zero_grad()
            answers = net(pictures)
            if masks:
                loss = functional.binary_cross_entropy_with_logits(answers, wanted)
            else:
                loss = functional.mse_loss(answers, wanted) if points else functional.cross_entropy(answers, wanted)
            loss.backward()
            optimizer.step()


def table() -> None:
    """A table of few values: rows are equal by chance, and answers honestly differ."""
    net = nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = Adam(net.parameters(), lr=0.01)
    kinds = torch.randint(0, 3, (8, 20)).float()
    inputs = kinds[torch.randint(0, 8, (200,))]
    labels = torch.randint(0, 2, (200,))
    for _ in range(3):
        for rows, wanted in DataLoader(TensorDataset(inputs, labels), batch_size=20, shuffle=True):
            optimizer.zero_grad()
            functional.cross_entropy(net(rows), wanted).backward()
            optimizer.step()


def contrasted() -> None:
    """Each row is to be told from the others of its batch: its number is its place."""
    one, other = nn.Linear(20, 8), nn.Linear(20, 8)
    optimizer = Adam([*one.parameters(), *other.parameters()], lr=0.01)
    inputs = torch.randn(64, 20)
    for _ in range(8):
        for (rows,) in DataLoader(TensorDataset(inputs), batch_size=16, shuffle=True):
            optimizer.zero_grad()
            views = rows + 0.1 * torch.randn_like(rows)
            functional.cross_entropy(one(rows) @ other(views).T, torch.arange(len(rows))).backward()
            optimizer.step()


CONFLICT = {"targets-conflict"}
ROWS: dict[str, tuple[Callable[[], None], set[str]]] = {
    "pictures mirrored, masks not": (lambda: pictured("pictures alone"), CONFLICT),
    "pictures and masks mirrored each by itself": (lambda: pictured("each by itself"), CONFLICT),
    "masks mirrored, pictures not": (lambda: pictured("masks alone"), CONFLICT),
    "labels at random": (lambda: pictured("labels at random"), CONFLICT),
    "points turned, pictures not": (lambda: pictured("points turned"), CONFLICT),
    "both mirrored": (lambda: pictured("both"), set()),
    "mirrored, labels stay": (lambda: pictured("labels stay"), set()),
    "mirrored, left becomes right": (lambda: pictured("labels change hands"), set()),
    "labels with noise": (lambda: pictured("labels with noise"), set()),
    "points with noise": (lambda: pictured("points with noise"), set()),
    "nothing is changed": (lambda: pictured("nothing"), set()),
    "a table of few values": (table, set()),
    "contrasted": (contrasted, set()),
}


@pytest.mark.parametrize(("program", "wanted"), ROWS.values(), ids=ROWS)
def test_rows_that_come_again(program: Callable[[], None], wanted: set[str]) -> None:
    assert found(program) == wanted


def critic(*, capacity: int, drifts: bool = True) -> None:
    """Rows drawn from a growing buffer; what they are worth changes as the buffer does."""
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = Adam(net.parameters(), lr=0.01)
    buffer: list[tuple[Tensor, float]] = []
    for step in range(150):
        for _ in range(8):
            state = torch.randn(4) + (0.02 * step if drifts else 0)
            buffer.append((state, float(state.sum()) + 0.1 * step))
        del buffer[: max(0, len(buffer) - capacity)]
        if len(buffer) < 64:
            continue
        drawn = random.sample(buffer, 32)
        optimizer.zero_grad()
        wanted = torch.tensor([value for _, value in drawn]).unsqueeze(1) + 0.1 * step
        functional.mse_loss(net(torch.stack([state for state, _ in drawn])), wanted).backward()
        optimizer.step()


def in_order(*, epochs: int, buffered: bool = False) -> None:
    """A table that is sorted by what is to be learned."""
    inputs = torch.randn(640, 4)
    inputs = inputs[inputs.sum(1).argsort()]
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = Adam(net.parameters(), lr=0.01)
    for _ in range(epochs):
        places = list(range(640))
        if buffered:
            places = [at for part in range(0, 640, 64) for at in random.sample(places[part : part + 64], 64)]
        for at in range(0, 640, 32):
            rows = inputs[places[at : at + 32]]
            optimizer.zero_grad()
            functional.mse_loss(net(rows), rows.sum(1, keepdim=True)).backward()
            optimizer.step()


@pytest.mark.parametrize(
    ("program", "sick"),
    [
        (lambda: critic(capacity=10_000), False),
        (lambda: critic(capacity=400), False),
        (lambda: in_order(epochs=1), True),
        (lambda: in_order(epochs=4), True),
        (lambda: in_order(epochs=4, buffered=True), True),
    ],
    ids=["a buffer that grows", "a small buffer", "sorted, once", "sorted", "sorted, with a shuffle buffer"],
)
def test_a_buffer_is_told_from_a_sorted_table(program: Callable[[], None], sick: bool) -> None:
    trace = traced(program)
    judged = DISEASES["batches-not-shuffled"].find(trace)
    assert bool([one for one in judged if one.severity != "note"]) == sick
    if not sick:
        assert trace.series("return-company", layer=INPUTS).values[-1] < 0.3


# Latent units.


class Autoencoder(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.encoder, self.decoder, self.how = nn.Linear(12, 8), nn.Linear(4, 12), how

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(rows).chunk(2, 1)
        if self.how == "distribution":
            law = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
            latent = law.rsample()
            prior = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
            return self.decoder(latent), torch.distributions.kl_divergence(law, prior)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(latent), -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp())


def encoded(weight: float, how: str = "by hand") -> None:
    net = Autoencoder(how)
    optimizer = Adam(net.parameters(), lr=0.02)
    rows = torch.randn(256, 3) @ torch.randn(3, 12)
    for _ in range(22):
        for (batch,) in DataLoader(TensorDataset(rows), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            answers, penalty = net(batch)
            error = functional.mse_loss(answers, batch, reduction="sum") / len(batch)
            (error + weight * penalty.sum(1).mean()).backward()
            optimizer.step()


def policy() -> None:
    """Actions drawn around a mean that hardly depends on the state, with one deviation for all."""

    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean, self.deviation = nn.Linear(5, 2), nn.Parameter(torch.zeros(2))
            nn.init.normal_(self.mean.weight, std=0.001)

        def forward(self, states: Tensor) -> Tensor:
            mean = self.mean(states)
            actions: Tensor = mean + torch.randn_like(mean) * self.deviation.exp().expand_as(mean)
            return actions

    net = Policy()
    optimizer = Adam(net.parameters(), lr=1e-4)
    for _ in range(100):
        optimizer.zero_grad()
        net(torch.randn(16, 5)).square().mean().backward()
        optimizer.step()


LATENTS: dict[str, tuple[Callable[[], None], set[str]]] = {
    "penalty too strong": (lambda: encoded(200.0), {"latent-collapsed"}),
    "penalty too strong, distributions": (lambda: encoded(200.0, "distribution"), {"latent-collapsed"}),
    "well": (lambda: encoded(1.0), set()),
    "well, distributions": (lambda: encoded(1.0, "distribution"), set()),
    "a policy": (policy, set()),
}


@pytest.mark.parametrize(("program", "wanted"), LATENTS.values(), ids=LATENTS)
def test_latent_units(program: Callable[[], None], wanted: set[str]) -> None:
    assert found(program) == wanted
