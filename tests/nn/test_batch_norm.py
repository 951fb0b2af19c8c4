"""Batch norm put in and measured anew, each against an oracle, and the optimizer kept whole."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from babysit.nn import initialise, insert_batch_norm, recalibrate_batch_norm
from babysit.nn._following import follow
from babysit.record import InputError
from tests.nn.nets import Branching, Functional, PreNormTransformer, ResidualNet, Shared, normal, plain

# --- insertion ----------------------------------------------------------------------------------------------------

HIDDEN = ("first", "second", "third", "fourth", "fifth")
MODELS: list[tuple[str, Callable[[], nn.Module], Any, Tensor, tuple[str, ...]]] = [
    ("sequential", lambda: plain(3, 6, nn.ReLU).append(nn.Linear(6, 2)), None, normal(8, 6), ("0", "2", "4")),
    ("functional, traced", Functional, None, normal(8, 6), HIDDEN),
    ("functional, run", Branching, normal(8, 6), normal(8, 6), HIDDEN),
    (
        "residual",
        lambda: ResidualNet(2, batch_norm=False),
        None,
        normal(8, 3, 6, 6),
        ("stem", "blocks.0.conv1", "blocks.0.conv2", "blocks.1.conv1", "blocks.1.conv2"),
    ),
    (
        "one and three dimensions",
        lambda: nn.Sequential(
            nn.Conv1d(2, 4, 3), nn.Tanh(), nn.Unflatten(1, (4, 1, 1)), nn.ConvTranspose3d(4, 3, 2), nn.ELU(),
            nn.Flatten(), nn.LazyLinear(2),
        ),
        None,
        normal(8, 2, 9),
        ("0", "3"),
    ),
]  # fmt: skip
EACH = pytest.mark.parametrize(
    ("make", "sample", "inputs", "expected"), [m[1:] for m in MODELS], ids=[m[0] for m in MODELS]
)


def made(make: Callable[[], nn.Module], inputs: Tensor) -> nn.Module:
    model = make()
    model(inputs)  # lazy layers get their shape
    return model


@EACH
def test_goes_behind_every_layer_with_a_nonlinearity(
    make: Callable[[], nn.Module], sample: Any, inputs: Tensor, expected: tuple[str, ...]
) -> None:
    model = made(make, inputs).eval()
    before = model(inputs)
    done = insert_batch_norm(model, sample=sample)
    assert done.inserted == expected
    assert not any(module.training for module in model.modules())
    for name in expected:
        layer, norm = model.get_submodule(f"{name}.layer"), model.get_submodule(f"{name}.batch_norm")
        assert layer._parameters["bias"] is None
        assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)
    # Fresh statistics change nothing: the bias lives on as the shift.
    assert torch.allclose(model(inputs), before, atol=1e-3)
    model.train()
    found = follow(model, inputs)
    assert all(found.layers[f"{name}.layer"].normalised for name in expected)
    model(inputs).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    # A second time there is nothing left to do.
    assert insert_batch_norm(model, sample=sample).inserted == ()


def test_in_training_the_nonlinearity_gets_unit_variance() -> None:
    model = plain(4, 32, nn.Tanh).append(nn.Linear(32, 2))
    insert_batch_norm(model)
    seen: list[Tensor] = []
    for module in model:
        if isinstance(module, nn.Sequential):
            module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    model(100 * normal(256, 32) + 7)
    for output in seen:
        assert torch.allclose(output.std(0, correction=0), torch.ones(32), atol=1e-3)


@pytest.mark.parametrize(
    ("model", "sample", "skipped"),
    [
        (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2)), None, {"0": "already"}),
        (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), None, {"0": "no nonlinearity"}),
        (Shared(), None, {"layer": "3 times", "head": "output layer"}),
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), normal(5, 6, 3), {"0": "3 dimensions"}),
        (Branching(), None, {"first": "a sample would make it surer"}),
        (PreNormTransformer(), torch.arange(10).view(2, 5), {"encoder.layers.0.linear1": "3 dimensions"}),
    ],
)  # fmt: skip
def test_what_is_skipped_is_said(model: nn.Module, sample: Any, skipped: dict[str, str]) -> None:
    done = insert_batch_norm(model, sample=sample)
    for name, reason in skipped.items():
        assert name not in done.inserted
        assert reason in done.skipped[name]


def test_weights_read_by_another_forward_are_skipped() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            hidden = torch.relu(nn.functional.linear(inputs, self.layer.weight))
            return self.head(hidden)  # type: ignore[no-any-return]

    for sample in (None, normal(4, 3)):
        assert "read by another" in insert_batch_norm(Reader(), sample=sample).skipped["layer"]


OPTIMIZERS: list[Callable[[Any], torch.optim.Optimizer]] = [
    lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
    lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    lambda parameters: torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.1, fused=True),
    lambda parameters: torch.optim.RMSprop(parameters, lr=0.01, foreach=True),
]


@pytest.mark.parametrize("make", OPTIMIZERS)
@pytest.mark.parametrize("named", [False, True])
def test_the_optimizer_stays_whole(make: Callable[[Any], torch.optim.Optimizer], named: bool) -> None:
    model = plain(3, 6, nn.ReLU).append(nn.Linear(6, 2))
    inputs = normal(16, 6)
    optimizer = make(list(model.named_parameters()) if named else list(model.parameters()))

    def step() -> None:
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()

    step()
    first = model.get_submodule("0")
    old_bias, weight = first._parameters["bias"], first._parameters["weight"]
    assert weight is not None
    state = copy.deepcopy(optimizer.state[weight])
    decay = optimizer.param_groups[0]["weight_decay"]
    insert_batch_norm(model, optimizer=optimizer)
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert {id(parameter) for parameter in held} == {id(parameter) for parameter in model.parameters()}
    assert len(held) == len(list(model.parameters()))
    assert not any(key is old_bias for key in optimizer.state)
    for key, value in state.items():  # the weight's own momentum is not lost
        assert torch.equal(torch.as_tensor(optimizer.state[weight][key]), torch.as_tensor(value))
    for group in optimizer.param_groups:
        norms = {
            id(parameter)
            for module in model.modules()
            if isinstance(module, nn.BatchNorm1d)
            for parameter in module.parameters()
        }
        if any(id(parameter) in norms for parameter in group["params"]):
            assert group["weight_decay"] == 0
        else:
            assert group["weight_decay"] == decay
        assert group["lr"] == optimizer.param_groups[0]["lr"]
        if named:
            assert len(group["param_names"]) == len(group["params"])
    assert len(optimizer.param_groups) == (2 if decay else 1)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    step()
    # Scales and shifts of every layer move; dead units may hold single numbers still.
    assert all(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step()


def test_frozen_layers_stay_out_of_the_optimizer_and_lbfgs_is_refused() -> None:
    model = plain(2, 4, nn.ReLU).append(nn.Linear(4, 2))
    model.get_submodule("0").requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    insert_batch_norm(model, optimizer=optimizer)
    assert not any(parameter.requires_grad for parameter in model.get_submodule("0").parameters())
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    plain_model = plain(2, 4, nn.ReLU)
    with pytest.raises(InputError, match="LBFGS"):
        insert_batch_norm(plain_model, optimizer=torch.optim.LBFGS(plain_model.parameters()))
    assert isinstance(plain_model[0], nn.Linear)


def test_a_badly_begun_deep_net_learns_with_it_and_not_without() -> None:
    def losses(batch_norm: bool) -> list[float]:
        inputs = normal(256, 20)
        targets = (inputs[:, 0] > 0).long()
        model = plain(8, 30, nn.ReLU)
        model[0] = nn.Linear(20, 30)
        model.append(nn.Linear(30, 2))
        initialise(model, "small-random", std=0.01)
        if batch_norm:
            insert_batch_norm(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        history = []
        for _ in range(60):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.append(loss.item())
        return history

    without, with_norm = losses(batch_norm=False)[-1], losses(batch_norm=True)[-1]
    assert without == pytest.approx(math.log(2), abs=0.01)
    assert with_norm < 0.2


# --- recalibration ------------------------------------------------------------------------------------------------


def test_one_layer_gets_the_moments_of_all_rows() -> None:
    rows = (1000 + 3 * normal(101, 5, 4, 3)).double()
    model = nn.Sequential(nn.BatchNorm2d(5)).double()
    assert recalibrate_batch_norm(model, iter(torch.split(rows, 17))) == ("0",)
    numbers = rows.transpose(0, 1).flatten(1)  # the last batch is smaller, and counts less
    assert torch.allclose(model[0].running_mean, numbers.mean(1), rtol=1e-12)  # type: ignore[arg-type]
    assert torch.allclose(model[0].running_var, numbers.var(1), rtol=1e-9)  # type: ignore[arg-type]


def test_equal_batches_agree_with_pytorchs_cumulative_average() -> None:
    """The oracle for deep nets: momentum None averages batch means; variances differ by those between batches."""
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4), nn.BatchNorm1d(4))
    batch = normal(64, 6)
    twin = copy.deepcopy(model)
    torch.optim.swa_utils.update_bn([batch] * 3, twin)
    assert recalibrate_batch_norm(model, [batch] * 3) == ("1", "4")
    for name in ("1", "4"):
        ours, theirs = model.get_submodule(name), twin.get_submodule(name)
        assert torch.allclose(ours.running_mean, theirs.running_mean, atol=1e-6)  # type: ignore[arg-type]
        # Three times the same 64 rows: their unbiased variance divides by 63, that of all 192 by 191.
        expected = theirs.running_var * (63 / 64) * (192 / 191)  # type: ignore[operator]
        assert torch.allclose(ours.running_var, expected, rtol=1e-4)  # type: ignore[arg-type]
        assert ours.num_batches_tracked == 3


def test_recalibration_disturbs_nothing_else() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.BatchNorm1d(8, momentum=0.3), nn.BatchNorm1d(8)).train()
    model[3].eval()
    model[0].register_buffer("own", torch.zeros(2))
    generator, modes = torch.get_rng_state(), [module.training for module in model.modules()]
    weights = copy.deepcopy(dict(model.named_parameters()))
    once = recalibrate_batch_norm(model, [normal(32, 6)])
    first = copy.deepcopy(model.state_dict())
    assert recalibrate_batch_norm(model, [(normal(32, 6), torch.zeros(32))]) == once == ("2", "3")
    assert all(torch.equal(value, first[key]) for key, value in model.state_dict().items())  # no dropout, no history
    assert torch.equal(generator, torch.get_rng_state())
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, weights[name]) for name, value in model.named_parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())


def broken_stream() -> Iterator[Tensor]:
    yield normal(8, 3)
    raise OSError("the disk went away")


@pytest.mark.parametrize(
    ("batches", "error"),
    [
        ([], InputError), ([normal(8, 4)], InputError), (broken_stream(), OSError), (["text"], InputError),
        ([normal(1, 3)], InputError),
    ],
)  # fmt: skip
def test_a_failed_recalibration_leaves_the_statistics(batches: Any, error: type[Exception]) -> None:
    model = nn.Sequential(nn.BatchNorm1d(3))
    model(normal(8, 3))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(error):
        recalibrate_batch_norm(model, batches)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model.training


def test_without_batch_norm_the_stream_is_not_read() -> None:
    assert recalibrate_batch_norm(nn.Linear(3, 2), broken_stream()) == ()
