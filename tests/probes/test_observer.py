"""The observer's promises: it changes nothing, leaves nothing, and measures what a hand would."""

import gc
import random
import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.probes import Budget, Observer
from babysit.record import INPUTS, Trace, TraceStore

Net = Callable[[], nn.Module]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 8, num_layers=2, dropout=0.2, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.out(self.rnn(inputs.view(-1, 4, 6))[0][:, -1])
        return outputs


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        block = nn.TransformerEncoderLayer(6, 2, 12, dropout=0.1, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.out = nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.out(self.blocks(inputs.view(-1, 4, 6)).mean(1))
        return outputs


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.weight = nn.Linear(24, 8), nn.Linear(8, 8), nn.Parameter(torch.randn(8, 3) / 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = functional.relu_(self.fc1(inputs))
        hidden = hidden + torch.sigmoid(self.fc2(functional.dropout(hidden, 0.3, self.training)))
        return hidden @ self.weight


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 6)), nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.Dropout(0.2), nn.Flatten(), nn.Linear(24, 3),
    )  # fmt: skip


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(24, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 3))


NETS: dict[str, Net] = {
    "mlp": mlp, "cnn": convolutional, "lstm": Recurrent, "transformer": Attending, "functional": Functional,
}  # fmt: skip


def train(
    make: Net, watched: bool, steps: int = 12, overhead: float | None = None, loop: Callable[..., None] | None = None
) -> tuple[nn.Module, torch.optim.Optimizer, Trace, Observer]:
    """A short training with random batches; random numbers of all three libraries are drawn on the way."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  the global stream is what must be left alone
    random.seed(0)
    net = make()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    store = TraceStore(None)
    observer = Observer(net, [optimizer], store, overhead=overhead)
    if watched:
        observer.attach()
    try:
        for _ in range(steps):
            inputs, labels = torch.randn(16, 24), torch.randint(0, 3, (16,))
            optimizer.zero_grad()
            functional.cross_entropy(net(inputs), labels).backward()
            optimizer.step()
    finally:
        observer.detach()
        store.flush()
    return net, optimizer, store.read(), observer


def state(net: nn.Module, optimizer: torch.optim.Optimizer) -> list[Tensor]:
    moments = [value for moment in optimizer.state.values() for value in moment.values() if isinstance(value, Tensor)]
    gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    return [*net.state_dict().values(), *moments, *gradients, torch.get_rng_state()]


@pytest.mark.parametrize("overhead", [None, 0.01])
@pytest.mark.parametrize("name", NETS)
def test_training_is_bit_for_bit_the_same(name: str, overhead: float | None) -> None:
    alone = train(NETS[name], watched=False)
    numbers = np.random.random(), random.random()  # noqa: NPY002
    watched = train(NETS[name], watched=True, overhead=overhead)
    assert (np.random.random(), random.random()) == numbers  # noqa: NPY002
    for one, other in zip(state(*alone[:2]), state(*watched[:2]), strict=True):
        assert torch.equal(one, other)
    assert len(watched[2].layers_with("activation-std")) >= 2
    assert not [event for event in watched[2].events if event.kind == "unseen"]


def hooks_of(net: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    modules = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules())
    parameters = sum(len(getattr(found, "_post_accumulate_grad_hooks", None) or ()) for found in net.parameters())
    return modules + parameters + len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)


ORIGINALS = (functional.cross_entropy, torch.autograd.backward, torch.amp.GradScaler.scale)


class Fails(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.calls = nn.Linear(24, 3), 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        outputs: Tensor = self.fc(inputs)
        if self.calls == 4:
            raise ArithmeticError("in the forward pass")
        return outputs


@pytest.mark.parametrize("make", [mlp, Fails])
def test_nothing_is_left_behind_also_after_an_error(make: Net) -> None:
    made: list[nn.Module] = []

    def keep() -> nn.Module:
        made.append(make())
        return made[0]

    try:
        train(keep, watched=True)
    except ArithmeticError:
        assert make is Fails
    assert hooks_of(made[0], torch.optim.SGD(made[0].parameters())) == 0
    assert (functional.cross_entropy, torch.autograd.backward, torch.amp.GradScaler.scale) == ORIGINALS
    assert torch.overrides._get_current_function_mode_stack() == []


def test_no_graph_and_no_batch_is_kept_alive() -> None:
    net = mlp()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with Observer(net, [optimizer], TraceStore(None), overhead=None):
        dead = []
        for _ in range(3):
            inputs = torch.randn(8, 24)
            loss = functional.cross_entropy(net(inputs), torch.randint(0, 3, (8,)))
            loss.backward()
            optimizer.step()
            dead += [weakref.ref(inputs), weakref.ref(loss)]
            del inputs, loss
        net(torch.randn(8, 24))  # the next pass begins the next step, and lets go of the last one
        gc.collect()
        assert [found() for found in dead] == [None] * len(dead)


def test_the_update_ratio_is_the_true_one_under_every_optimizer() -> None:
    for make in (
        lambda found: torch.optim.SGD(found, lr=0.1, momentum=0.9, weight_decay=0.1),
        lambda found: torch.optim.Adam(found, lr=0.01),
        lambda found: torch.optim.RMSprop(found, lr=0.01),
    ):
        torch.manual_seed(0)
        net, store = mlp(), TraceStore(None)
        optimizer = make(net.parameters())
        wanted = []
        with Observer(net, [optimizer], store, overhead=None):
            for _ in range(4):
                for _ in range(3):  # accumulated
                    functional.cross_entropy(net(torch.randn(8, 24)), torch.randint(0, 3, (8,))).backward()
                nn.utils.clip_grad_norm_(net.parameters(), 0.5)
                before = net[0].weight.detach().clone()  # type: ignore[index]
                optimizer.step()
                optimizer.zero_grad()
                wanted.append(float((net[0].weight.detach() - before).norm() / before.norm()))  # type: ignore[index]
        store.flush()
        trace = store.read()
        assert trace.series("update-ratio", layer="0").values == pytest.approx(wanted, rel=1e-5)
        assert set(trace.series("backwards").values) == {3.0}
        assert all(factor <= 1 for factor in trace.series("clip-factor").values)


def test_a_mixed_precision_step_that_is_skipped_is_no_step() -> None:
    torch.manual_seed(0)
    net, store = mlp(), TraceStore(None)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    with Observer(net, [optimizer], store, overhead=None):
        for number in range(4):
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(torch.randn(8, 24)), torch.randint(0, 3, (8,)))
            scaler.scale(loss).backward()
            if number == 1:
                net[0].weight.grad.fill_(torch.inf)  # type: ignore[index]
            scaler.step(optimizer)
            scaler.update()
    store.flush()
    trace = store.read()
    assert trace.series("update-ratio", layer="0").steps == (0, 1, 2)  # four batches, three steps
    assert all(0.5 < loss < 3 for loss in trace.series("loss").values)  # unscaled
    assert all(norm < 20 for norm in trace.series("gradient-norm", layer="0").values[:1])


def test_tied_and_repeated_and_forgotten_modules() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.tied, self.forgotten = nn.Linear(24, 24), nn.Linear(24, 24), nn.Linear(2, 2)
            self.tied.weight = self.fc.weight
            self.out = nn.Linear(24, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.out(torch.relu(self.tied(torch.relu(self.fc(torch.relu(self.fc(inputs)))))))
            return outputs

    _, _, trace, _ = train(Odd, watched=True)
    names = [layer.name for layer in trace.layers]
    assert names == ["fc", "relu", "fc#2", "relu#2", "tied", "relu#3", "out"]
    assert trace.series("update-ratio", layer="fc").steps
    assert not trace.series("update-ratio", layer="tied").steps
    assert "forgotten" in [event.layer for event in trace.happened("unseen")]
    assert {event.layer for event in trace.happened("gradient-missing")} == {"forgotten.weight", "forgotten.bias"}


def test_a_nan_is_found_where_it_first_appeared() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.norm, self.log, self.out = nn.Linear(24, 8), nn.BatchNorm1d(8), Log(), nn.Linear(8, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.out(self.log(self.norm(self.fc(inputs))))
            return outputs

    class Log(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.log()

    _, _, trace, observer = train(Broken, watched=True)
    assert [(event.step, event.layer) for event in trace.happened("not-finite")] == [(0, "log")]
    assert observer.not_finite is not None


def test_the_budget_is_kept_whatever_steps_and_samples_cost() -> None:
    for seed in range(20):
        made = random.Random(seed)
        budget, now = Budget(0.02, first_steps=5), 0.0
        cost, step_time, sampled = made.uniform(0.001, 0.1), made.uniform(0.0005, 0.05), 0.0
        for step in range(20_000):
            wants = budget.wants(step, now)
            assert wants or step >= 5
            now += step_time
            if wants:
                budget.sampled(cost)
                now += cost
                sampled += cost if step >= 5 else 0.0
            else:
                budget.stepped(step_time)
        assert sampled <= 0.02 * now + 1e-9
        assert sampled > 0.005 * now or cost > 0.02 * now


def test_inputs_are_told_over_all_rows_seen() -> None:
    _, _, trace, _ = train(mlp, watched=True)
    assert trace.series("rows-seen", layer=INPUTS).values[0] == 16
    assert trace.series("value-std", layer=INPUTS).values[-1] == pytest.approx(1.0, abs=0.1)
    assert trace.facts["batch-size"] == "16"
    assert trace.facts["loss"] == "cross-entropy"
    assert trace.facts["classes"] == "3"


def test_a_compiled_network_is_trained_the_same_and_named_unseen() -> None:
    def compiled() -> nn.Module:
        return torch.compile(mlp(), backend="eager")  # type: ignore[return-value]

    torch._dynamo.reset()
    net, _, trace, _ = train(compiled, watched=True, steps=3)
    alone = train(compiled, watched=False, steps=3)
    for one, other in zip(net.state_dict().values(), alone[0].state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert any("compiled" in event.text for event in trace.happened("unseen"))
    assert trace.series("loss").steps == (0, 1, 2)
