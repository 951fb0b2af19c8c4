"""Networks so simple that what the probes must measure can be worked out by hand."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from babysit.nn import Maxout
from babysit.probes import Observer
from babysit.probes._pending import Pending
from babysit.probes._targets import TargetProbe
from babysit.record import Trace, TraceStore

SEEDS = range(5)


def observe(net: nn.Module, inputs: Tensor, lr: float = 0.1, steps: int = 1) -> Trace:
    """Plain SGD on half the mean of the squared outputs: the gradient of output o is o / n for n outputs."""
    store = TraceStore(None)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    with Observer(net, [optimizer], store, overhead=None):
        for _ in range(steps):
            optimizer.zero_grad()
            (net(inputs).square().mean() / 2).backward()
            optimizer.step()
    store.flush()
    return store.read()


def linear(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def first(trace: Trace, quantity: str, layer: str) -> float:
    return trace.series(quantity, layer=layer).values[0]


INPUTS = torch.tensor([[1.0, -2.0], [3.0, 4.0]])


def test_identity_layers_hand_on_what_they_get() -> None:
    trace = observe(nn.Sequential(linear(torch.eye(2)), linear(torch.eye(2))), INPUTS)
    for layer in ("0", "1"):
        assert first(trace, "activation-mean", layer) == pytest.approx(1.5)
        assert first(trace, "activation-std", layer) == pytest.approx(INPUTS.std(correction=0).item())
        assert first(trace, "activation-max", layer) == 4.0
        # The gradient of an output is the output over 4; the identity hands it back as it is.
        assert first(trace, "activation-gradient-std", layer) == pytest.approx(math.sqrt(30 / 4) / 4)
    gradient = INPUTS.T @ INPUTS / 4
    assert first(trace, "gradient-norm", "1") == pytest.approx(gradient.norm().item())
    assert first(trace, "gradient-mean", "1") == pytest.approx(gradient.mean().item())
    assert first(trace, "update-norm", "1") == pytest.approx(0.1 * gradient.norm().item(), rel=1e-5)
    assert first(trace, "update-ratio", "1") == pytest.approx(0.1 * gradient.norm().item() / math.sqrt(2), rel=1e-5)
    assert first(trace, "update-cosine", "") == pytest.approx(1.0)


def test_layers_that_double_double_and_layers_of_zero_give_zero() -> None:
    doubling = observe(nn.Sequential(*(linear(2 * torch.eye(2)) for _ in range(4))), INPUTS)
    spreads = [first(doubling, "activation-std", str(number)) for number in range(4)]
    assert [after / before for before, after in itertools.pairwise(spreads)] == pytest.approx([2.0] * 3)
    gradients = [first(doubling, "activation-gradient-std", str(number)) for number in range(4)]
    assert [before / after for before, after in itertools.pairwise(gradients)] == pytest.approx([2.0] * 3)
    nothing = observe(nn.Sequential(linear(torch.zeros(2, 2)), linear(torch.eye(2))), INPUTS)
    assert first(nothing, "activation-std", "0") == 0.0
    assert first(nothing, "gradient-norm", "1") == 0.0
    assert first(nothing, "update-ratio", "1") == 0.0
    assert first(nothing, "weight-std", "0") == 0.0


def test_constant_weights_make_units_identical() -> None:
    trace = observe(nn.Sequential(linear(torch.ones(4, 2)), nn.Tanh(), linear(torch.randn(1, 4))), INPUTS)
    assert first(trace, "identical-units-share", "0") == 1.0
    torch.manual_seed(0)
    drawn = observe(nn.Sequential(linear(torch.randn(4, 2)), nn.Tanh(), linear(torch.randn(1, 4))), INPUTS)
    assert first(drawn, "identical-units-share", "0") == 0.0


def test_a_layer_that_ignores_its_inputs_tells_no_rows_apart() -> None:
    layer = nn.Linear(2, 3)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    trace = observe(nn.Sequential(layer, linear(torch.eye(3))), INPUTS)
    assert first(trace, "row-spread", "0") == pytest.approx(0.0, abs=1e-6)


def test_a_dead_unit_and_a_saturated_one() -> None:
    layer = nn.Linear(2, 4)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([-1e6, 1.0, 2.0, 0.1]))
    relu = observe(nn.Sequential(layer, nn.ReLU(), linear(torch.ones(1, 4))), INPUTS, lr=0.0, steps=3)
    assert relu.series("never-active-share", layer="1").values == (0.25,) * 3
    assert relu.series("activation-zero-share", layer="1").values == (0.25,) * 3
    assert relu.series("window-rows", layer="1").values == (2.0, 4.0, 6.0)
    tanh = observe(nn.Sequential(layer, nn.Tanh(), linear(torch.ones(1, 4))), INPUTS, lr=0.0)
    assert first(tanh, "activation-flat-share", "1") == 0.25
    assert first(tanh, "saturated-unit-share", "1") == 0.25


def test_a_piece_that_never_wins() -> None:
    layer = Maxout(2, 2, pieces=2)
    with torch.no_grad():
        layer.linear.weight.zero_()
        layer.linear.bias.copy_(torch.tensor([1.0, 1.0, 0.0, 0.0]))  # the first pieces win everywhere
    trace = observe(nn.Sequential(layer, linear(torch.ones(1, 2))), INPUTS)
    assert trace.series("maxout-pieces-used", layer="0.max_pieces").values == (0.5,)


def test_positive_inputs_give_gradients_of_one_sign() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 8), nn.Tanh(), nn.Linear(8, 1))
    positive = observe(net, torch.rand(1, 20) + 0.1)
    assert first(positive, "gradient-sign-share", "0") == 1.0
    centred = observe(net, torch.cat([torch.rand(1, 10) + 0.1, -torch.rand(1, 10) - 0.1], dim=1))
    assert first(centred, "gradient-sign-share", "0") == 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_noise_scale_is_that_of_each_rows_own_gradient(seed: int) -> None:
    torch.manual_seed(seed)
    layer, inputs, labels = nn.Linear(6, 3), torch.randn(32, 6), torch.randint(0, 3, (32,))
    store = TraceStore(None)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.0)
    net = nn.Sequential(layer)
    with Observer(net, [optimizer], store, overhead=None):
        for _ in range(2):  # which linear layer is the last is known from the second pass on
            optimizer.zero_grad()
            functional.cross_entropy(net(inputs), labels).backward()
            optimizer.step()
    store.flush()
    gradients = []
    for row in range(32):
        layer.zero_grad()
        functional.cross_entropy(layer(inputs[row : row + 1]), labels[row : row + 1]).backward()
        assert layer.weight.grad is not None
        gradients.append(layer.weight.grad.flatten().clone())
    each = torch.stack(gradients).double()
    covariance = (each - each.mean(0)).square().sum() / 31
    signal = each.mean(0).square().sum() - covariance / 32
    assert store.read().series("gradient-noise-scale").values[-1] == pytest.approx(float(covariance / signal), rel=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_do_not_depend_on_the_order_of_rows_or_units(seed: int) -> None:
    torch.manual_seed(seed)
    first_layer, second_layer = torch.randn(10, 6), torch.randn(2, 10)
    inputs, units = torch.randn(40, 6), torch.randperm(10)
    straight = observe(nn.Sequential(linear(first_layer), nn.ReLU(), linear(second_layer)), inputs)
    turned = observe(
        nn.Sequential(linear(first_layer[units]), nn.ReLU(), linear(second_layer[:, units])), inputs[torch.randperm(40)]
    )
    wanted = {(row.layer, row.quantity): row.value for row in straight.rows}
    for row in turned.rows:
        assert row.value == pytest.approx(wanted[row.layer, row.quantity], rel=1e-3, abs=1e-6), row


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_ratios_and_shares_do_not_depend_on_the_scale(scale: float) -> None:
    torch.manual_seed(0)
    weights = torch.randn(10, 6), torch.randn(2, 10)
    inputs = torch.randn(40, 6)
    plain = observe(nn.Sequential(linear(weights[0]), nn.ReLU(), linear(weights[1])), inputs)
    scaled = observe(nn.Sequential(linear(weights[0] * scale), nn.ReLU(), linear(weights[1])), inputs)
    for quantity, layer in (
        ("row-spread", "0"), ("never-active-share", "1"), ("gradient-sign-share", "0"), ("identical-units-share", "0"),
    ):  # fmt: skip
        assert first(scaled, quantity, layer) == pytest.approx(first(plain, quantity, layer), rel=1e-4)


# CS231n, the ten-layer experiment: 1000 inputs N(0, 1) of 500 numbers, ten layers of 500 units.
TEN_LAYERS = {
    "tanh, 0.01 randn": (nn.Tanh, 0.01, {1: 0.213, 2: 0.0476, 3: 0.0106}),
    "tanh, 1.0 randn": (nn.Tanh, 1.0, {1: 0.982, 5: 0.982, 10: 0.982}),
    "tanh, Xavier": (nn.Tanh, 1 / math.sqrt(500), {1: 0.6277, 2: 0.4855, 3: 0.4070, 5: 0.3209, 10: 0.2279}),
    "ReLU, Xavier": (nn.ReLU, 1 / math.sqrt(500), {1: 0.584, 2: 0.414, 3: 0.295, 5: 0.153, 10: 0.026}),
    "ReLU, He": (nn.ReLU, math.sqrt(2 / 500), {1: 0.825, 2: 0.828, 3: 0.814, 5: 0.834, 10: 0.845}),
    "tanh, PyTorch's": (nn.Tanh, None, {1: 0.460, 2: 0.249, 3: 0.141, 5: 0.0465, 10: 0.0030}),
    "ReLU, PyTorch's": (nn.ReLU, None, {1: 0.337, 2: 0.138, 3: 0.057, 5: 0.0098}),
}


@pytest.mark.parametrize("name", TEN_LAYERS)
def test_the_lectures_ten_layers_as_the_probes_see_them(name: str) -> None:
    activation, std, wanted = TEN_LAYERS[name]
    found: dict[int, list[float]] = {layer: [] for layer in wanted}
    for seed in SEEDS:
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for _ in range(10):
            weighted = nn.Linear(500, 500, bias=False)
            if std is not None:
                nn.init.normal_(weighted.weight, std=std)
            layers += [weighted, activation()]
        trace = observe(nn.Sequential(*layers), torch.randn(1000, 500), lr=0.0)
        for layer, values in found.items():
            values.append(first(trace, "activation-std", str(2 * layer - 1)))
        if name == "tanh, 1.0 randn":
            assert first(trace, "activation-flat-share", "9") > 0.8
        if name == "ReLU, He":
            shares = [first(trace, "never-active-share", str(2 * layer - 1)) for layer in (1, 5, 10)]
            assert shares[0] == 0.0
            assert shares[0] <= shares[1] <= shares[2] < 0.3
    for layer, values in found.items():
        # Deep ReLU layers differ from draw to draw; the slide's is one draw.
        tolerance = 0.25 if activation is nn.ReLU and layer >= 3 else 0.06
        assert sum(values) / len(values) == pytest.approx(wanted[layer], rel=tolerance), (name, layer)


def test_pixels_of_one_map_are_labels_and_several_labels_a_row_are_not() -> None:
    maps = torch.zeros(4, 1, 2, 2)
    maps[0, 0, 0, 0] = 1.0

    def seen(targets: Tensor, width: int) -> dict[str, float]:
        pending = Pending()
        TargetProbe().see(0, targets, width, pending)
        return {row.quantity: row.value for row in pending.rows()}

    pixels = seen(maps, width=1)
    assert pixels["label-top-share"] == pytest.approx(15 / 16)
    assert pixels["classes-seen"] == 2
    assert "label-top-share" not in seen(maps.reshape(4, 4), width=4)
    assert "label-top-share" not in seen(maps + 0.5, width=1)


@pytest.mark.filterwarnings("ignore:size_average")
@pytest.mark.parametrize(
    ("options", "reduction"), [({"size_average": False}, "sum"), ({"reduce": False}, "none"), ({}, "mean")]
)
def test_the_reduction_is_known_by_its_old_names_too(options: dict[str, bool], reduction: str) -> None:
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with TraceStore(None) as store:
        with Observer(net, [optimizer], store, overhead=None):
            functional.mse_loss(net(torch.ones(3, 2)), torch.ones(3, 1), **options).sum().backward()  # type: ignore[arg-type]
            optimizer.step()
        assert store.read().facts["loss-reduction"] == reduction


def test_later_passes_of_a_step_count_among_the_inputs() -> None:
    net = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with TraceStore(None) as store:
        with Observer(net, [optimizer], store, overhead=None):
            for _ in range(3):
                optimizer.zero_grad()
                torch.stack([net(torch.full((2, 1), float(size))).sum() for size in range(1, 9)]).sum().backward()
                optimizer.step()
        store.flush()
        trace = store.read()
    assert trace.series("value-max", layer="(inputs)").values[-1] == 8.0  # of the eighth pass of the steps before
    assert trace.series("value-min", layer="(inputs)").values[-1] == 1.0
