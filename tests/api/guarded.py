"""Thirty trainings that fail and thirty that are rough and sound, each small: what a guard has to tell apart."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Step = Callable[[int], None]
Made = tuple[nn.Module, list[torch.optim.Optimizer], Step, int]  # what is watched, what a step does, how many
Scenario = Callable[[], Made]
CENTRES = torch.randn(4, 16, generator=torch.Generator().manual_seed(7)) * 1.5


def blobs(rows: int = 64) -> tuple[Tensor, Tensor]:
    """Four kinds of rows that a small network learns within some dozen steps."""
    labels = torch.randint(0, 4, (rows,))
    return CENTRES[labels] + torch.randn(rows, 16), labels


def mlp(
    out: int = 4, width: int = 32, activation: type[nn.Module] = nn.ReLU, depth: int = 2, norm: bool = False
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(depth):
        layers += [
            nn.Linear(16 if number == 0 else width, width),
            *([nn.BatchNorm1d(width)] if norm else []),
            activation(),
        ]
    return nn.Sequential(*layers, nn.Linear(width, out))


def classifier(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int = 300,
    *,
    before: Callable[[int, Tensor], Tensor] = lambda step, inputs: inputs,
    change: Callable[[int, Tensor], Tensor] = lambda step, loss: loss,
    between: Callable[[int], Any] = lambda step: None,
    after: Callable[[int], Any] = lambda step: None,
    scheduler: Any = None,
) -> Made:
    """A plain training with places to break it at."""

    def step(number: int) -> None:
        inputs, labels = blobs()
        optimizer.zero_grad()
        change(number, functional.cross_entropy(net(before(number, inputs)), labels)).backward()
        between(number)
        optimizer.step()
        after(number)
        if scheduler is not None:
            scheduler.step()

    return net, [optimizer], step, steps


def regression(
    net: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 300, noise: float = 0.1, scale: float = 1.0
) -> Made:
    weights = torch.linspace(-1, 1, 16)

    def step(number: int) -> None:
        inputs = torch.randn(64, 16)
        targets = (inputs @ weights)[:, None] * scale + torch.randn(64, 1) * noise * scale
        optimizer.zero_grad()
        functional.mse_loss(net(inputs), targets).backward()
        optimizer.step()

    return net, [optimizer], step, steps


def sgd(net: nn.Module, lr: float = 0.05, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=lr, **{"momentum": 0.9, **options})


def adam(net: nn.Module, lr: float = 3e-3) -> torch.optim.Optimizer:
    return torch.optim.Adam(net.parameters(), lr=lr)


def filled(net: nn.Module, fill: Callable[[nn.Linear], Any]) -> nn.Module:
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.Linear):
                fill(layer)
    return net


# Trainings that fail.


def nan_loss(at: int, make: Callable[[nn.Module], torch.optim.Optimizer] = sgd) -> Made:
    net = mlp()
    return classifier(net, make(net), change=lambda step, loss: loss * math.nan if step == at else loss)


def nan_input(at: int) -> Made:
    net = mlp()
    return classifier(net, adam(net), before=lambda step, inputs: inputs / 0 * 0 if step == at else inputs)


def nan_gradient(at: int) -> Made:
    net = mlp()

    def spoil(step: int) -> None:
        if step == at:
            next(iter(net.parameters())).grad.fill_(math.inf)  # type: ignore[union-attr]

    return classifier(net, adam(net), between=spoil)


def rate_jumps(at: int, to: float, make: Callable[[nn.Module], torch.optim.Optimizer] = sgd) -> Made:
    net = mlp()
    optimizer = make(net)

    def jump(step: int) -> None:
        if step == at:
            optimizer.param_groups[0]["lr"] = to

    return classifier(net, optimizer, between=jump, steps=400)


def sqrt_of_zero(at: int) -> Made:
    net = mlp()
    return classifier(
        net, sgd(net), change=lambda step, loss: loss + torch.sqrt((net(torch.ones(2, 16)) * (step < at)).abs().sum())
    )


def log_of_nothing(at: int) -> Made:
    net = mlp()
    return classifier(
        net, sgd(net), change=lambda step, loss: loss - 0.01 * torch.log((loss * (step < at)).clamp(min=0))
    )


def regression_rate(lr: float, **options: Any) -> Made:
    net = mlp(1)
    return regression(net, sgd(net, lr), **options)


def weights_scaled(at: int, by: float) -> Made:
    net = mlp()

    def scale(step: int) -> None:
        if step == at:
            with torch.no_grad():
                for one in net.parameters():
                    one.mul_(by)

    return classifier(net, sgd(net), between=scale, steps=400)


def dead_units() -> Made:
    net = filled(mlp(), lambda layer: layer.bias.fill_(-100.0) if layer.out_features == 32 else None)
    return classifier(net, sgd(net), steps=450)


def zeros() -> Made:
    net = filled(mlp(activation=nn.Tanh), lambda layer: (layer.weight.zero_(), layer.bias.zero_()))
    return classifier(net, sgd(net), steps=450)


def deep_sigmoids() -> Made:
    net = mlp(activation=nn.Sigmoid, depth=12)
    return classifier(net, sgd(net), steps=450)


def no_rate() -> Made:
    net = mlp()
    return classifier(net, sgd(net, 0.0), steps=450)


def tiny_weights() -> Made:
    net = filled(mlp(activation=nn.Tanh, depth=6), lambda layer: (layer.weight.mul_(1e-3), layer.bias.zero_()))
    return classifier(net, sgd(net), steps=450)


def constant_inputs() -> Made:
    net = mlp()
    return classifier(net, sgd(net), before=lambda step, inputs: torch.zeros_like(inputs), steps=450)


def saturated() -> Made:
    net = filled(mlp(activation=nn.Sigmoid), lambda layer: layer.bias.fill_(60.0) if layer.out_features == 32 else None)
    return classifier(net, sgd(net), steps=450)


def growing_penalty() -> Made:
    net = mlp()
    optimizer = sgd(net)
    return classifier(
        net, optimizer, change=lambda step, loss: loss - 0.1 * sum((one**2).sum() for one in net.parameters())
    )


def scaler_lost() -> Made:
    net = mlp()
    optimizer = sgd(net)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

    def step(number: int) -> None:
        inputs, labels = blobs()
        if number >= 60:
            inputs = inputs * math.nan  # a damaged file: no step is taken any more
        optimizer.zero_grad()
        scaler.scale(functional.cross_entropy(net(inputs), labels)).backward()
        scaler.step(optimizer)
        scaler.update()

    return net, [optimizer], step, 300


FAILS: dict[str, Scenario] = {
    "nan-loss-at-0": lambda: nan_loss(0),
    "nan-loss-at-5": lambda: nan_loss(5),
    "nan-loss-at-80-adam": lambda: nan_loss(80, adam),
    "nan-loss-at-250": lambda: nan_loss(250),
    "nan-loss-rmsprop": lambda: nan_loss(70, lambda net: torch.optim.RMSprop(net.parameters(), 1e-3)),
    "nan-input-at-40": lambda: nan_input(40),
    "nan-input-at-200": lambda: nan_input(200),
    "inf-gradient-at-30": lambda: nan_gradient(30),
    "inf-gradient-at-150": lambda: nan_gradient(150),
    "rate-1e8-at-50": lambda: rate_jumps(50, 1e8),
    "rate-1e4-at-120": lambda: rate_jumps(120, 1e4),
    "rate-1e3-at-200": lambda: rate_jumps(200, 1e3),
    "rate-1e6-adam": lambda: rate_jumps(60, 1e6, adam),
    "rate-100-from-start": lambda: rate_jumps(0, 100.0),
    "rate-30-from-start": lambda: rate_jumps(0, 30.0),
    "sqrt-of-zero": lambda: sqrt_of_zero(90),
    "log-of-nothing": lambda: log_of_nothing(70),
    "regression-rate-10": lambda: regression_rate(10.0),
    "regression-rate-1": lambda: regression_rate(1.0),
    "regression-large-targets": lambda: regression_rate(0.1, scale=1000.0),
    "weights-times-1e3": lambda: weights_scaled(100, 1e3),
    "weights-times-1e30": lambda: weights_scaled(100, 1e30),
    "dead-units": dead_units,
    "zeros": zeros,
    "deep-sigmoids": deep_sigmoids,
    "rate-0": no_rate,
    "tiny-weights": tiny_weights,
    "constant-inputs": constant_inputs,
    "saturated": saturated,
    "scaler-lost": scaler_lost,
    "runaway-penalty": growing_penalty,
}

# Trainings that are rough and sound.


def spikes(every: int, by: float) -> Made:
    net = mlp()
    return classifier(net, adam(net), before=lambda step, inputs: inputs * by if step % every == every - 1 else inputs)


def loss_spikes(every: int, by: float) -> Made:
    net = mlp()
    clip = lambda step: nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # noqa: E731
    return classifier(
        net, sgd(net), change=lambda step, loss: loss * (by if step % every == every - 1 else 1), between=clip
    )


def warm_restarts(lr: float, period: int) -> Made:
    net = mlp()
    optimizer = sgd(net, lr)
    return classifier(
        net, optimizer, 400, scheduler=torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, period)
    )


def one_cycle(most: float) -> Made:
    net = mlp(norm=True)
    optimizer = sgd(net)
    return classifier(
        net, optimizer, 300, scheduler=torch.optim.lr_scheduler.OneCycleLR(optimizer, most, total_steps=301)
    )


def long_warm_up() -> Made:
    net = mlp()
    optimizer = sgd(net)
    return classifier(net, optimizer, 500, scheduler=torch.optim.lr_scheduler.LinearLR(optimizer, 1e-6, 1.0, 400))


def skipped_nans(every: int) -> Made:
    """A program that leaves out bad batches by itself."""
    net = mlp()
    optimizer = adam(net)

    def step(number: int) -> None:
        inputs, labels = blobs()
        loss = functional.cross_entropy(net(inputs * (math.nan if number % every == 0 else 1)), labels)
        optimizer.zero_grad()
        if torch.isfinite(loss):
            loss.backward()
            optimizer.step()

    return net, [optimizer], step, 300


def backward_of_nans(every: int) -> Made:
    """The same, but for the backward pass."""
    net = mlp()
    optimizer = adam(net)

    def step(number: int) -> None:
        inputs, labels = blobs()
        loss = functional.cross_entropy(net(inputs * (math.nan if number % every == 0 else 1)), labels)
        optimizer.zero_grad()
        loss.backward()
        if torch.isfinite(loss):
            optimizer.step()

    return net, [optimizer], step, 300


def scaled(start: float, overflow: int) -> Made:
    """Mixed precision: gradients overflow at first and now and then, and the scaler leaves those steps out."""
    net = mlp()
    optimizer = sgd(net)
    scaler = torch.amp.GradScaler("cpu", init_scale=start, growth_interval=50)

    def step(number: int) -> None:
        inputs, labels = blobs()
        optimizer.zero_grad()
        scaler.scale(functional.cross_entropy(net(inputs), labels)).backward()
        if number < 12 or number % overflow == 0:
            next(iter(net.parameters())).grad.fill_(math.inf)  # type: ignore[union-attr]
        scaler.step(optimizer)
        scaler.update()

    return net, [optimizer], step, 300


def policy(lr: float, noise: float) -> Made:
    """REINFORCE in a game of one move: losses of either sign, with a level that means nothing."""
    net = mlp(4)
    optimizer = adam(net, lr)

    def step(number: int) -> None:
        inputs, best = blobs(32)
        logits = net(inputs)
        actions = torch.distributions.Categorical(logits=logits).sample()
        reward = (actions == best).float() * 10 + torch.randn(32) * noise
        chosen = functional.log_softmax(logits, 1).gather(1, actions[:, None])[:, 0]
        optimizer.zero_grad()
        (-(chosen * (reward - 2.5)).mean()).backward()
        optimizer.step()

    return net, [optimizer], step, 400


def value_of_returns(grows_to: float) -> Made:
    """A critic whose returns grow while the player becomes better: its loss grows, and it is sound."""
    net = mlp(1)
    optimizer = adam(net)
    weights = torch.linspace(-1, 1, 16)

    def step(number: int) -> None:
        inputs = torch.randn(64, 16)
        level = 1 + grows_to * number / 400
        targets = ((inputs @ weights)[:, None] + 1) * level + torch.randn(64, 1) * level
        optimizer.zero_grad()
        functional.mse_loss(net(inputs), targets).backward()
        optimizer.step()

    return net, [optimizer], step, 400


def temporal_difference() -> Made:
    """Q-learning with a target network that is copied now and then."""
    net, target = mlp(4), mlp(4)
    target.load_state_dict(net.state_dict())
    optimizer = adam(net, 1e-3)

    def step(number: int) -> None:
        if number % 50 == 0:
            target.load_state_dict(net.state_dict())
        states, best = blobs()
        after, _ = blobs()
        actions = torch.randint(0, 4, (64,))
        with torch.no_grad():
            wanted = (actions == best).float() + 0.9 * target(after).max(1).values
        optimizer.zero_grad()
        functional.smooth_l1_loss(net(states).gather(1, actions[:, None])[:, 0], wanted).backward()
        optimizer.step()

    return net, [optimizer], step, 400


def game(of: int, lr: float = 2e-3) -> Made:
    """Two networks against each other; the judge (0) or the forger (1) is watched."""
    forger, judge = mlp(16), mlp(1)
    theirs = [torch.optim.Adam(one.parameters(), lr, betas=(0.5, 0.999)) for one in (judge, forger)]

    def step(number: int) -> None:
        real, _ = blobs()
        made = forger(torch.randn(64, 16))
        theirs[0].zero_grad()
        loss = functional.binary_cross_entropy_with_logits(judge(real), torch.ones(64, 1))
        (loss + functional.binary_cross_entropy_with_logits(judge(made.detach()), torch.zeros(64, 1))).backward()
        theirs[0].step()
        theirs[1].zero_grad()
        functional.binary_cross_entropy_with_logits(judge(made), torch.ones(64, 1)).backward()
        theirs[1].step()

    return (judge, forger)[of], [theirs[of]], step, 400


def wasserstein() -> Made:
    """A critic whose loss is no error: it may fall below any number."""
    critic, forger = mlp(1), mlp(16)
    of_critic, of_forger = (
        torch.optim.RMSprop(critic.parameters(), 1e-3),
        torch.optim.RMSprop(forger.parameters(), 1e-3),
    )

    def step(number: int) -> None:
        real, _ = blobs()
        made = forger(torch.randn(64, 16))
        of_critic.zero_grad()
        (critic(made.detach()).mean() - critic(real).mean()).backward()
        of_critic.step()
        for one in critic.parameters():
            one.data.clamp_(-0.3, 0.3)
        of_forger.zero_grad()
        (-critic(made).mean()).backward()
        of_forger.step()

    return critic, [of_critic], step, 300


def noisy_labels(share: float) -> Made:
    net = mlp()
    optimizer = adam(net)

    def step(number: int) -> None:
        inputs, labels = blobs()
        labels = torch.where(torch.rand(64) < share, torch.randint(0, 4, (64,)), labels)
        optimizer.zero_grad()
        functional.cross_entropy(net(inputs), labels).backward()
        optimizer.step()

    return net, [optimizer], step, 400


def fine_tuned() -> Made:
    """It begins near zero, and meets other rows then."""
    net = mlp()
    made = classifier(net, adam(net, 1e-2))
    for number in range(150):
        made[2](number)
    optimizer = adam(net)
    return classifier(net, optimizer, 250, before=lambda step, inputs: inputs if step < 60 else inputs.roll(3, 1))


def accumulated() -> Made:
    net = mlp()
    optimizer = sgd(net)

    def step(number: int) -> None:
        optimizer.zero_grad()
        for _ in range(4):
            inputs, labels = blobs(8)
            (functional.cross_entropy(net(inputs), labels) / 4).backward()
        optimizer.step()

    return net, [optimizer], step, 200


def second_order() -> Made:
    net = mlp()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=4, line_search_fn="strong_wolfe")

    inputs, labels = blobs(256)

    def step(number: int) -> None:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(inputs), labels) + 1e-3 * sum(
                (one**2).sum() for one in net.parameters()
            )
            loss.backward()
            return loss

        optimizer.step(closure)

    return net, [optimizer], step, 60


def annealed(to: float) -> Made:
    net = mlp()
    return classifier(net, adam(net), change=lambda step, loss: loss + to * step / 300 * net(CENTRES).pow(2).mean())


def heavy_tails() -> Made:
    net = mlp(1)
    optimizer = adam(net)

    def step(number: int) -> None:
        inputs = torch.randn(64, 16)
        targets = inputs[:, :1] + torch.distributions.StudentT(1.2).sample((64, 1)).clamp(-200, 200) * 0.2
        optimizer.zero_grad()
        functional.mse_loss(net(inputs), targets).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    return net, [optimizer], step, 400


def likelihood() -> Made:
    """A density: its loss falls below zero."""
    net = mlp(2)
    optimizer = adam(net)

    def step(number: int) -> None:
        inputs = torch.randn(64, 16)
        mean, log_scale = net(inputs).chunk(2, 1)
        error = (inputs[:, :1] * 0.01 - mean) * torch.exp(-log_scale)
        optimizer.zero_grad()
        (log_scale + error**2 / 2).mean().backward()
        optimizer.step()

    return net, [optimizer], step, 400


def slow_start() -> Made:
    net = mlp(activation=nn.Sigmoid, depth=3)
    return classifier(net, adam(net, 3e-4), 500)


def plain(make: Callable[[nn.Module], torch.optim.Optimizer], **options: Any) -> Made:
    net = mlp(**options)
    return classifier(net, make(net))


SOUND: dict[str, Scenario] = {
    "spikes-of-inputs": lambda: spikes(40, 30.0),
    "rare-huge-inputs": lambda: spikes(90, 1000.0),
    "spikes-of-losses": lambda: loss_spikes(25, 100.0),
    "spikes-of-1e4": lambda: loss_spikes(60, 1e4),
    "warm-restarts": lambda: warm_restarts(0.2, 50),
    "hot-restarts": lambda: warm_restarts(0.3, 20),
    "one-cycle": lambda: one_cycle(0.5),
    "long-warm-up": long_warm_up,
    "skips-nans": lambda: skipped_nans(20),
    "skips-nans-often": lambda: skipped_nans(3),
    "skips-steps-of-nans": lambda: backward_of_nans(10),
    "fp16": lambda: scaled(65536.0, 37),
    "fp16-often": lambda: scaled(2.0**24, 9),
    "policy": lambda: policy(3e-3, 1.0),
    "policy-of-noise": lambda: policy(3e-3, 20.0),
    "returns-grow": lambda: value_of_returns(10.0),
    "returns-grow-far": lambda: value_of_returns(60.0),
    "q-learning": temporal_difference,
    "game-judge": lambda: game(0),
    "game-forger": lambda: game(1),
    "wasserstein": wasserstein,
    "noisy-labels": lambda: noisy_labels(0.4),
    "very-noisy-labels": lambda: noisy_labels(0.85),
    "fine-tuned": fine_tuned,
    "accumulated": accumulated,
    "second-order": second_order,
    "annealed": lambda: annealed(5.0),
    "heavy-tails": heavy_tails,
    "likelihood": likelihood,
    "slow-start": slow_start,
    "high-rate": lambda: plain(lambda net: sgd(net, 0.3), norm=True),
    "large-targets": lambda: regression(net := mlp(1), adam(net, 1e-2), scale=300.0),
}


def scenarios() -> Iterator[tuple[str, Scenario, bool]]:
    """All of them, with whether they fail."""
    for name, scenario in FAILS.items():
        yield name, scenario, True
    for name, scenario in SOUND.items():
        yield name, scenario, False
