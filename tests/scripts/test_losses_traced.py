"""Losses written by hand are followed and known; sick ones are found, and healthy ones of every kind stay silent."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam

from babysit.diseases import diagnose, evidence_of_learning
from babysit.record import Finding, Row, Trace, TraceStore
from babysit.scripts import Patcher

ROWS, COLUMNS, CLASSES, STEPS = 96, 6, 4, 20


def trace_of(program: Callable[[], object]) -> Trace:
    torch.manual_seed(0)
    store = TraceStore(None)
    with Patcher(store) as patcher:
        program()
    patcher.tell(finished=False)
    scored = patcher.answers.at_the_end()
    if scored is not None:
        store.add([Row(max(0, patcher.steps - 1), "train", "", *scored)])
    return store.read()


def of_the_loss(trace: Trace) -> list[Finding]:
    """What is sick: a healthy program has nothing of it."""
    return [one for one in diagnose(trace) if one.severity == "sick"]


class Data:
    """Rows with classes, numbers and shares that depend on them, in batches."""

    def __init__(self) -> None:
        self.inputs = torch.randn(ROWS, COLUMNS)
        scores = self.inputs @ torch.randn(COLUMNS, CLASSES)
        self.classes, self.one_hot = scores.argmax(1), functional.one_hot(scores.argmax(1), CLASSES).float()
        self.numbers = scores[:, 0] / scores[:, 0].std()
        self.binary = (scores[:, 1] > 0).float()

    def batches(self, size: int = 24, steps: int = STEPS) -> Iterator[Tensor]:
        """Numbers of rows, shuffled."""
        while steps > 0:
            for part in torch.randperm(ROWS).split(size):
                steps -= 1
                yield part


def network(outputs: int, *last: nn.Module, inputs: int = COLUMNS) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 24), nn.Tanh(), nn.Linear(24, outputs), *last)


Loss = Callable[[Tensor, Data, Tensor], Tensor]  # outputs, data, numbers of the rows


def training(loss: Loss, outputs: int, *last: nn.Module, rate: float = 0.02) -> Callable[[], None]:
    def program() -> None:
        data, net = Data(), network(outputs, *last)
        optimizer = Adam(net.parameters(), rate)
        for rows in data.batches():
            value = loss(net(data.inputs[rows]), data, rows)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()

    return program


def shares(outputs: Tensor) -> Tensor:
    positive = functional.softsign(outputs) + 1
    return positive / positive.sum(1, keepdim=True)


KNOWN: dict[str, tuple[str, str, Callable[[], None]]] = {
    "squares": ("mse", "mean", training(lambda out, data, rows: ((out[:, 0] - data.numbers[rows]) ** 2).mean(), 1)),
    "half of squares": (
        "mse",
        "own",
        training(lambda out, data, rows: 0.5 * (out[:, 0] - data.numbers[rows]).pow(2).sum(), 1),
    ),
    "root of squares": (
        "mse",
        "own",
        training(lambda out, data, rows: (data.numbers[rows] - out[:, 0]).square().mean().sqrt(), 1),
    ),
    "absolute": ("l1", "mean", training(lambda out, data, rows: torch.abs(out[:, 0] - data.numbers[rows]).mean(), 1)),
    "clamped logarithm": (
        "nll",
        "mean",
        training(
            lambda out, data, rows: -(data.one_hot[rows] * out.clamp(1e-10, 1).log()).sum(1).mean(),
            CLASSES,
            nn.Softmax(1),
        ),
    ),
    "summed logarithm": (
        "nll",
        "own",
        training(lambda out, data, rows: -(data.one_hot[rows] * shares(out).log()).sum(), CLASSES),
    ),
    "picked by number": (
        "cross-entropy",
        "mean",
        training(
            lambda out, data, rows: -out.log_softmax(1)[torch.arange(len(rows)), data.classes[rows]].mean(), CLASSES
        ),
    ),
    "gathered": (
        "cross-entropy",
        "mean",
        training(
            lambda out, data, rows: (out.logsumexp(1) - out.gather(1, data.classes[rows, None])[:, 0]).mean(), CLASSES
        ),
    ),
    "two classes": (
        "bce",
        "mean",
        training(
            lambda out, data, rows: (
                -(
                    data.binary[rows] * (out[:, 0] + 1e-7).log()
                    + (1 - data.binary[rows]) * (1 - out[:, 0] + 1e-7).log()
                ).mean()
            ),
            1,
            nn.Sigmoid(),
        ),
    ),
    "two classes by logits": (
        "bce-with-logits",
        "mean",
        training(
            lambda out, data, rows: (
                out[:, 0].clamp(min=0) - out[:, 0] * data.binary[rows] + (-out[:, 0].abs()).exp().log1p()
            ).mean(),
            1,
        ),
    ),
    "hinge": (
        "hinge",
        "mean",
        training(
            lambda out, data, rows: (
                ((1 + out - out.gather(1, data.classes[rows, None])).clamp(min=0) * (1 - data.one_hot[rows]))
                .sum(1)
                .mean()
            ),
            CLASSES,
        ),
    ),
    "hinge of two": (
        "hinge",
        "mean",
        training(lambda out, data, rows: (1 - (2 * data.binary[rows] - 1) * out[:, 0]).relu().mean(), 1),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_loss_written_by_hand_is_known_and_learns(name: str) -> None:
    kind, reduction, program = KNOWN[name]
    trace = trace_of(program)
    assert (trace.facts["loss"], trace.facts["loss-reduction"]) == (kind, reduction)
    assert of_the_loss(trace) == []
    if kind != "hinge":  # whose constant answer is not known
        assert evidence_of_learning(trace).strength == "clear"


def blind(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    return (out.mean() - data.numbers[rows].mean()) ** 2 + (out.std() - data.numbers[rows].std()) ** 2


def flat(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    return ((out.argmax(1) - data.classes[rows]).float() ** 2).mean() + 0 * out.sum()


def half_missing(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    return -(data.binary[rows] * (out[:, 0] + 1e-7).log()).mean()


def crossed(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    return ((out - data.numbers[rows]) ** 2).mean()


def cut_off(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    return ((out[:, 0].relu() - data.numbers[rows]) ** 2).mean()


def signed_labels(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    targets = 2 * data.binary[rows] - 1
    return -(targets * (out[:, 0] + 1e-7).log() + (1 - targets) * (1 - out[:, 0] + 1e-7).log()).mean()


def of_others(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    targets = data.one_hot[rows][torch.randperm(len(rows))]
    return -(targets * out.log_softmax(1)).sum(1).mean()


def softmax_twice(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    return -(data.one_hot[rows] * out.log_softmax(1)).sum(1).mean()


SICK = {
    "blind": ("loss-ignores-outputs", training(blind, 1)),
    "flat": ("loss-ignores-outputs", training(flat, CLASSES)),
    "half missing": ("loss-ignores-outputs", training(half_missing, 1, nn.Sigmoid(), rate=0.003)),
    "crossed": ("loss-broadcasts", training(crossed, 1)),
    "cut off": ("wrong-output-activation", training(cut_off, 1)),
    "signed labels": ("wrong-loss", training(signed_labels, 1, nn.Sigmoid(), rate=0.001)),
    "targets of other rows": ("labels-unrelated", training(of_others, CLASSES)),
    "softmax twice": ("double-softmax", training(softmax_twice, CLASSES, nn.Softmax(1))),
}


@pytest.mark.parametrize("name", SICK)
def test_a_sick_loss_written_by_hand_is_named_first(name: str) -> None:
    wanted, program = SICK[name]
    found = diagnose(trace_of(program))
    assert found[0].name == wanted, [(one.name, one.severity) for one in found]
    assert found[0].severity == "sick"


# Healthy programs that look alike.


def contrastive(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    first, second = functional.normalize(out[:, :4], dim=1), functional.normalize(out[:, 4:], dim=1)
    likeness = first @ second.T / 0.2
    return (likeness.logsumexp(1) - likeness.diag()).mean()


def metric(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    """Triplets of a batch."""
    same = data.classes[rows, None] == data.classes[rows]
    distances = (out[:, None] - out).square().sum(2)
    hardest = (distances * same).amax(1) - (distances + 1e6 * same).amin(1) + 0.2
    return hardest.relu().mean()


def supervised_contrastive(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    unit = functional.normalize(out, dim=1)
    mask = (data.classes[rows, None] == data.classes[rows]).float() - torch.eye(len(rows))
    logits = unit @ unit.T / 0.3 - 1e9 * torch.eye(len(rows))
    return -((logits.log_softmax(1) * mask).sum(1) / mask.sum(1).clamp_min(1)).mean()


def ctc(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    logs = out.reshape(len(rows), 6, 5).log_softmax(2).transpose(0, 1)
    lengths = torch.full((len(rows),), 6), torch.full((len(rows),), 2)
    return functional.ctc_loss(logs, 1 + torch.stack((data.classes[rows], 3 - data.classes[rows]), 1), *lengths)


def focal(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    logs = out.log_softmax(1).gather(1, data.classes[rows, None])[:, 0]
    return -((1 - logs.exp()) ** 2 * logs).mean()


def smoothed(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    logs = out.log_softmax(1)
    picked = -logs.gather(1, data.classes[rows, None])[:, 0]
    return (0.9 * picked - 0.1 * logs.mean(1)).mean()


def dice(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    both = (out * data.one_hot[rows]).sum(1)
    return (1 - (2 * both + 1) / (out.sum(1) + data.one_hot[rows].sum(1) + 1)).mean()


def diffusion(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    return ((out - data.inputs[rows]) ** 2).mean()


def likelihood(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    mean, logarithm = out[:, 0], out[:, 1]
    return (0.5 * logarithm + (data.numbers[rows] - mean) ** 2 / (2 * logarithm.exp())).mean()


def quantiles(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    error, levels = data.numbers[rows, None] - out, torch.tensor([0.1, 0.5, 0.9])
    return torch.maximum(levels * error, (levels - 1) * error).mean()


def cox(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    """Of survival: rows are compared with those that live longer."""
    order = data.numbers[rows].argsort(descending=True)
    risk, event = out[order, 0], data.binary[rows][order]
    return -((risk - risk.logcumsumexp(0)) * event).sum() / event.sum()


def weighed(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    weights = torch.tensor([1.0, 2.0, 0.5, 1.5])[data.classes[rows]]
    return (weights * -out.log_softmax(1).gather(1, data.classes[rows, None])[:, 0]).sum() / weights.sum()


def penalised(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    return -(data.one_hot[rows] * out.log_softmax(1)).sum(1).mean() + 1e-3 * out.square().sum()


def two_heads(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    of_numbers = ((out[:, -1] - data.numbers[rows]) ** 2).mean()
    return of_numbers - 0.3 * (data.one_hot[rows] * out[:, :-1].log_softmax(1)).sum(1).mean()


def sets_alike(out: Tensor, data: Data, rows: Tensor) -> Tensor:
    """Outputs have the distribution of other rows, whichever (domain adaptation)."""
    others = data.inputs[torch.randint(ROWS, (len(rows),))]
    return (out.mean(0) - others.mean(0)).square().sum() + (out.std(0) - others.std(0)).square().sum()


def siamese() -> None:
    """Pairs are alike or not: where no margin is passed, it is a squared error of distances."""
    data, net = Data(), network(2)
    optimizer = Adam(net.parameters(), 0.01)
    for rows in data.batches():
        others = rows[torch.randperm(len(rows))]
        same = (data.classes[rows] == data.classes[others]).float()
        squares = (net(data.inputs[rows]) - net(data.inputs[others])).square().sum(1)
        loss = (0.5 * (same * squares + (1 - same) * (1 - (squares + 1e-9).sqrt()).relu().square())).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def vae() -> None:
    data, encoder, decoder = Data(), network(6), network(COLUMNS, inputs=3)
    optimizer = Adam([*encoder.parameters(), *decoder.parameters()], 0.01)
    for rows in data.batches():
        mean, logarithm = encoder(data.inputs[rows]).chunk(2, 1)
        made = decoder(mean + torch.randn_like(mean) * (0.5 * logarithm).exp())
        divergence = -0.5 * (1 + logarithm - mean**2 - logarithm.exp()).sum(1).mean()
        loss = ((made - data.inputs[rows]) ** 2).sum(1).mean() + divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def gan() -> None:
    data, maker, judge = Data(), network(COLUMNS, inputs=3), network(1)
    of_maker, of_judge = Adam(maker.parameters(), 0.003), Adam(judge.parameters(), 0.003)
    for rows in data.batches():
        made = maker(torch.randn(len(rows), 3))
        judged = (
            functional.softplus(-judge(data.inputs[rows])).mean() + functional.softplus(judge(made.detach())).mean()
        )
        of_judge.zero_grad()
        judged.backward()
        of_judge.step()
        of_maker.zero_grad()
        functional.softplus(-judge(made)).mean().backward()
        of_maker.step()


def policy_gradient() -> None:
    """One state of three, and the action that is rewarded there."""
    net, optimizer = network(3, inputs=3), None
    optimizer = Adam(net.parameters(), 0.01)
    for _ in range(STEPS):
        states = torch.randint(3, (32,))
        logs = net(functional.one_hot(states, 3).float()).log_softmax(1)
        actions = torch.multinomial(logs.exp(), 1)
        rewards = (actions[:, 0] == states).float()
        loss = -(logs.gather(1, actions)[:, 0] * (rewards - rewards.mean())).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def proximal_policy() -> None:
    net = network(4, inputs=3)
    optimizer = Adam(net.parameters(), 0.01)
    for _ in range(STEPS // 4):
        states = torch.randint(3, (32,))
        inputs = functional.one_hot(states, 3).float()
        with torch.no_grad():
            old = net(inputs)[:, :3].log_softmax(1)
            actions = torch.multinomial(old.exp(), 1)
        rewards = (actions[:, 0] == states).float()
        for _ in range(4):
            out = net(inputs)
            logs, values = out[:, :3].log_softmax(1), out[:, 3]
            ratio = (logs.gather(1, actions) - old.gather(1, actions)).exp()[:, 0]
            better = rewards - values.detach()
            gain = torch.min(ratio * better, ratio.clamp(0.8, 1.2) * better).mean()
            loss = -gain + 0.5 * ((values - rewards) ** 2).mean() + 0.01 * (logs.exp() * logs).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def deep_q() -> None:
    net = network(3, inputs=3)
    target = copy.deepcopy(net)
    optimizer = Adam(net.parameters(), 0.01)
    for step in range(STEPS):
        states, actions = torch.randint(3, (32,)), torch.randint(3, (32,))
        with torch.no_grad():
            following = target(functional.one_hot((states + 1) % 3, 3).float()).amax(1)
        wanted = (actions == states).float() + 0.5 * following
        values = net(functional.one_hot(states, 3).float()).gather(1, actions[:, None])[:, 0]
        loss = ((values - wanted) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == STEPS // 2:
            target.load_state_dict(net.state_dict())


def physics() -> None:
    """A differential equation: u'' = -u, u(0) = 0, u'(0) = 1."""
    net = network(1, inputs=1)
    optimizer = Adam(net.parameters(), 0.01)
    for _ in range(STEPS):
        places = (2 * torch.rand(32, 1)).requires_grad_()
        value = net(places)
        slope = torch.autograd.grad(value.sum(), places, create_graph=True)[0]
        second = torch.autograd.grad(slope.sum(), places, create_graph=True)[0]
        loss = ((second + value) ** 2).mean() + (net(torch.zeros(1, 1)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def energies() -> None:
    """Real rows get low energies, made ones high."""
    data, net = Data(), network(1)
    optimizer = Adam(net.parameters(), 0.003)
    for rows in data.batches():
        real, made = net(data.inputs[rows]), net(torch.randn(len(rows), COLUMNS))
        loss = real.mean() - made.mean() + 0.1 * (real**2 + made**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def masked_tokens() -> None:
    """Some tokens are hidden, and only those are counted."""
    texts = (torch.arange(8) + torch.randint(12, (ROWS, 1))) % 12
    net = nn.Sequential(nn.Embedding(13, 8), nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 96))
    optimizer = Adam(net.parameters(), 0.01)
    for _ in range(STEPS):
        rows = torch.randint(ROWS, (24,))
        hidden = torch.rand(24, 8) < 0.3
        logs = net(texts[rows].masked_fill(hidden, 12)).reshape(24, 8, 12).log_softmax(2)
        lost = -logs.gather(2, texts[rows][..., None])[..., 0]
        loss = (lost * hidden).sum() / hidden.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


HEALTHY: dict[str, Callable[[], None]] = {
    "contrastive": training(contrastive, 8),
    "metric": training(metric, 5),
    "supervised contrastive": training(supervised_contrastive, 5),
    "ctc": training(ctc, 30),
    "focal": training(focal, CLASSES),
    "smoothed": training(smoothed, CLASSES),
    "dice": training(dice, CLASSES, nn.Softmax(1)),
    "reconstruction": training(diffusion, COLUMNS),
    "likelihood": training(likelihood, 2),
    "quantiles": training(quantiles, 3),
    "survival": training(cox, 1),
    "weighed": training(weighed, CLASSES),
    "penalised": training(penalised, CLASSES),
    "two heads": training(two_heads, CLASSES + 1),
    "sets alike": training(sets_alike, COLUMNS),
    "siamese": siamese,
    "vae": vae,
    "gan": gan,
    "policy gradient": policy_gradient,
    "ppo": proximal_policy,
    "dqn": deep_q,
    "physics": physics,
    "energies": energies,
    "masked tokens": masked_tokens,
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_loss_of_another_kind_is_not_called_sick(name: str) -> None:
    assert of_the_loss(trace_of(HEALTHY[name])) == []


@pytest.mark.parametrize("name", ["squares", "clamped logarithm", "summed logarithm"])
def test_following_a_loss_changes_nothing(name: str) -> None:
    """Weights and random numbers are bit for bit those of the training that nobody watches."""

    def weights() -> list[Tensor]:
        torch.manual_seed(3)
        data, net = Data(), network(CLASSES, nn.Dropout(0.2))
        optimizer = SGD(net.parameters(), 0.05)
        for rows in data.batches(steps=8):
            out = functional.dropout(net(data.inputs[rows]), 0.1)
            loss = -(data.one_hot[rows] * out.log_softmax(1)).sum(1).mean() + torch.rand(()) * out.square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return [*(one.detach().clone() for one in net.parameters()), torch.rand(3)]

    alone, watched = weights(), []
    with Patcher(TraceStore(None)):
        watched = weights()
    assert all(torch.equal(one, other) for one, other in zip(alone, watched, strict=True))
    assert torch._C._len_torch_function_stack() == 0
    assert math.isfinite(float(alone[0].sum()))


def bare(rate: float = 0.3, first: float = 0.3, sign: float = -1.0) -> None:
    """Without a Module or an optimizer."""
    data = Data()
    weights = [(first * torch.randn(COLUMNS, 24)).requires_grad_(), (first * torch.randn(24, CLASSES)).requires_grad_()]
    for rows in data.batches():
        scores = (data.inputs[rows] @ weights[0]).tanh() @ weights[1]
        (-(data.one_hot[rows] * scores.log_softmax(1)).sum(1).mean()).backward()
        with torch.no_grad():
            for one in weights:
                assert one.grad is not None
                one += sign * rate * one.grad
                one.grad = None


def asked_for(sign: float = -1.0, *, optimizer: bool = False) -> Callable[[], None]:
    """With `torch.autograd.grad`, and weights changed by hand, or by an optimizer that is given the gradient."""

    def program() -> None:
        data, net = Data(), network(CLASSES)
        weights = list(net.parameters())
        stepping = SGD(weights, 0.3)
        for rows in data.batches():
            loss = -(data.one_hot[rows] * net(data.inputs[rows]).log_softmax(1)).sum(1).mean()
            slopes = torch.autograd.grad(loss, weights)
            for one, slope in zip(weights, slopes, strict=True):
                one.grad = -sign * slope
                if not optimizer:
                    one.data.add_(slope, alpha=0.3 * sign)
            if optimizer:
                stepping.step()

    def by_hand() -> None:
        data, net = Data(), network(CLASSES)
        weights = list(net.parameters())
        for rows in data.batches():
            loss = -(data.one_hot[rows] * net(data.inputs[rows]).log_softmax(1)).sum(1).mean()
            for one, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                with torch.no_grad():
                    one.add_(slope, alpha=0.3 * sign)

    return program if optimizer else by_hand


@pytest.mark.parametrize("program", [bare, asked_for(), asked_for(optimizer=True)])
def test_a_training_without_module_optimizer_or_backward_is_watched(program: Callable[[], None]) -> None:
    trace = trace_of(program)
    assert trace.facts["loss"] == "cross-entropy"
    assert len(trace.series("loss").values) >= STEPS - 1
    assert of_the_loss(trace) == []
    assert evidence_of_learning(trace).strength == "clear"


@pytest.mark.parametrize("program", [asked_for(1.0), asked_for(1.0, optimizer=True)])
def test_a_gradient_that_is_turned_round_by_hand_is_found(program: Callable[[], None]) -> None:
    assert diagnose(trace_of(program))[0].name == "gradient-sign-flipped"


def follows(update: Callable[[nn.Module, nn.Module, int], object]) -> Callable[[], None]:
    def program() -> None:
        data, net = Data(), network(CLASSES)
        follower = copy.deepcopy(net)
        optimizer = Adam(net.parameters(), 0.01)
        for step, rows in enumerate(data.batches()):
            with torch.no_grad():
                likely = follower(data.inputs[rows]).softmax(1)
            logs = net(data.inputs[rows]).log_softmax(1)
            loss = -((0.9 * data.one_hot[rows] + 0.1 * likely) * logs).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            update(follower, net, step)

    return program


def averaged(follower: nn.Module, net: nn.Module, _: int) -> None:
    with torch.no_grad():
        for own, new in zip(follower.parameters(), net.parameters(), strict=True):
            own.lerp_(new, 0.05)


def rebound(follower: nn.Module, net: nn.Module, _: int) -> None:
    for own, new in zip(follower.parameters(), net.parameters(), strict=True):
        own = torch.nn.Parameter(0.95 * own + 0.05 * new)


def copied(follower: nn.Module, net: nn.Module, _: int) -> None:
    state, new = follower.state_dict(), net.state_dict()
    for name in state:
        state[name] = 0.95 * state[name] + 0.05 * new[name]


def loaded(follower: nn.Module, net: nn.Module, step: int) -> None:
    if step % 25 == 24:
        follower.load_state_dict(net.state_dict())


@pytest.mark.parametrize(
    ("update", "sick"), [(averaged, False), (loaded, False), (print, False), (rebound, True), (copied, True)]
)
def test_an_average_that_never_changes_is_found(
    update: Callable[[nn.Module, nn.Module, int], object], sick: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {one.name for one in diagnose(trace_of(follows(update)))}
    assert ("network-never-updated" in names) == sick
    capsys.readouterr()


@pytest.mark.parametrize("every", [1, 20])
def test_gradients_that_a_guard_skips_are_found_where_it_skips_every_step(every: int) -> None:
    def program() -> None:
        data, net = Data(), network(1)
        optimizer = Adam(net.parameters(), 0.01)
        for step, rows in enumerate(data.batches()):
            out = net(data.inputs[rows])[:, 0]
            loss = ((out - data.numbers[rows]) ** 2).mean()
            if step % every == 0:
                loss = loss + (out - out.detach()).square().sum().sqrt()
            optimizer.zero_grad()
            loss.backward()
            if all(one.grad is not None and one.grad.isfinite().all() for one in net.parameters()):
                optimizer.step()

    names = [one.name for one in diagnose(trace_of(program))]
    assert (names[:1] == ["gradients-not-finite"]) == (every == 1)
    assert every == 1 or "gradients-not-finite" not in names


def test_a_loss_with_its_arguments_exchanged_is_seen() -> None:
    loss = training(lambda out, data, rows: functional.mse_loss(data.numbers[rows], out[:, 0]), 1)
    trace = trace_of(loss)
    assert trace.facts["loss"] == "mse"
    assert evidence_of_learning(trace).strength == "clear"
