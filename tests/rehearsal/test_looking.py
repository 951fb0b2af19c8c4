"""Rows gone through before a training: twins across splits, statistics of both, rows that mix; output biases."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import babysit
from babysit.api import Checked
from babysit.diseases import DISEASES
from babysit.record import Event, InputError, Remedy, Row, Trace, load_recipe, with_settings
from babysit.rehearsal import LiveObjects, RecipeSubject, restored
from babysit.rehearsal._row_mixing import gradient_mixing, row_mixing
from tests.rehearsal.subjects import CROSS_ENTROPY, Convolutional, Recurrent, digits, loader_of, mlp


def checked(train: Tensor, labels: Tensor, held: Tensor, held_labels: Tensor) -> Checked:
    network = mlp(train.shape[1], 3)
    return babysit.check(
        network,
        CROSS_ENTROPY,
        loader_of(train, labels),
        torch.optim.Adam(network.parameters()),
        validation=loader_of(held, held_labels, shuffle=False),
        only=["data"],
        steps=10,
    )


def rows(count: int, seed: int) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(count, 6, generator=stream), torch.arange(count) % 3


def test_a_clean_split_is_clean() -> None:
    train, held = rows(400, 0), rows(100, 1)
    report = checked(*train, *held)
    assert not [one for one in report.findings if one.name == "split-leaks"]
    assert report.steps["data"].numbers["validation rows among the training rows"] == 0


@pytest.mark.parametrize(("planted", "severity"), [(5, "warning"), (80, "sick")])
def test_planted_rows_are_found(planted: int, severity: str) -> None:
    (train, labels), (held, held_labels) = rows(400, 0), rows(100, 1)
    held[:planted] = train[100 : 100 + planted]
    found = [one for one in checked(train, labels, held, held_labels).findings if one.name == "split-leaks"]
    assert [one.severity for one in found] == [severity]
    assert found[0].evidence["validation rows that are training rows"] == planted / 100


def test_few_values_repeat_themselves_and_are_no_leak() -> None:
    stream = torch.Generator().manual_seed(0)
    train, held = (torch.randint(0, 2, (count, 6), generator=stream).float() for count in (400, 100))
    report = checked(train, torch.arange(400) % 3, held, torch.arange(100) % 3)
    assert not [one for one in report.findings if one.name == "split-leaks"]


@pytest.mark.parametrize("both", [True, False])
def test_statistics_of_both_splits_are_found(both: bool) -> None:
    (train, labels), (held, held_labels) = rows(400, 0), rows(100, 1)
    held = held + 1.0
    every = torch.cat([train, held]) if both else train
    mean, std = every.double().mean(0), every.double().std(0, correction=0)
    report = checked(((train - mean) / std).float(), labels, ((held - mean) / std).float(), held_labels)
    found = [one.where for one in report.findings if one.name == "split-leaks"]
    assert found == (["statistics"] if both else [])


NETWORKS: dict[str, tuple[Any, bool]] = {
    "mlp": (lambda: mlp(norm=True, dropout=0.5), False),
    "cnn": (Convolutional, False),
    "lstm": (lambda: Recurrent(batch_first=True), False),
    "lstm over rows": (lambda: Recurrent(batch_first=False), True),
    "softmax over rows": (lambda: nn.Sequential(mlp(), nn.Softmax(0)), True),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_that_mix_by_both_ways(name: str) -> None:
    torch.manual_seed(0)
    make, mixes = NETWORKS[name]
    network = make()
    live = LiveObjects(network, CROSS_ENTROPY, loader_of(*digits()), torch.optim.Adam).live_parts()
    with restored([network]):
        exchanged, slow = row_mixing(live), gradient_mixing(live)
    assert exchanged is not None
    assert slow is not None
    assert (exchanged > 1e-3) == (slow > 1e-3) == mixes


def test_rows_that_cannot_be_told_are_not_judged() -> None:
    network = nn.Linear(4, 4)
    sequences = [(torch.randn(5, 8, 4), torch.randn(5, 8, 4))] * 2  # time first, rows second
    live = LiveObjects(network, nn.MSELoss(), sequences, torch.optim.Adam).live_parts()
    assert row_mixing(live) is None


def test_biases_at_the_targets_average_cost_what_a_constant_answer_costs() -> None:
    network = mlp(4, 1)
    targets = 5 + torch.randn(512, 1)
    loader = loader_of(torch.randn(512, 4), targets)
    subject = LiveObjects(network, nn.MSELoss(), loader, torch.optim.Adam)
    plain, prior = (subject.rehearse(1, list(one)).series("loss").values[0] for one in ((), (Remedy("bias-prior"),)))
    assert plain > 20
    assert prior == pytest.approx(float(targets.var()), rel=0.4)
    without = nn.Sequential(nn.Linear(4, 1, bias=False))
    with pytest.raises(InputError, match="bias-prior"):
        LiveObjects(without, nn.MSELoss(), loader, torch.optim.Adam).rehearse(1, [Remedy("bias-prior")])


@pytest.mark.parametrize("source", ["iris", "diabetes"])
def test_a_recipe_is_rehearsed_as_it_is_trained(source: str) -> None:
    recipe = with_settings(load_recipe("default"), [f"data.source={source}"])
    subject = RecipeSubject(recipe)
    first, second = (subject.rehearse(5).series("loss").values for _ in range(2))
    assert first == second
    assert subject.rehearse(5, [Remedy("lr", "1e-9")]).series("loss").values[0] == first[0]
    narrow = subject.rehearse(5, [Remedy("activation", "tanh")])
    assert any(layer.activation == "tanh" for layer in narrow.layers)
    with pytest.raises(InputError, match="needs a share"):
        subject.rehearse(1, [Remedy("dropout")])


def tiny(*losses: float, accuracy: float | None = None) -> Trace:
    scores = () if accuracy is None else (Row(len(losses) - 1, "train", "", "accuracy", accuracy),)
    return Trace(
        (
            *(Row(step, "train", "", "loss", loss) for step, loss in enumerate(losses)),
            *scores,
            Row(0, "train", "(targets)", "label-entropy", 2.3),
        ),
        facts={"rehearsal": "tiny-batch", "loss": "cross-entropy"},
    )


def test_the_rules_of_rehearsals_know_their_borders() -> None:
    rule = DISEASES["cannot-overfit-tiny-batch"].find
    assert rule(tiny(*[2.3] * 40, accuracy=0.2))
    assert not rule(tiny(*[2.3] * 10, accuracy=0.2))  # too few steps
    assert not rule(tiny(*[0.9] * 40, accuracy=1.0))  # smoothed labels
    assert not rule(tiny(*[2.3] * 39, 0.01))
    assert not rule(Trace(tiny(*[2.3] * 40, accuracy=0.2).rows))  # a training, not a rehearsal
    mixed = DISEASES["rows-mixed"].find
    assert mixed(Trace((Row(0, "train", "(outputs)", "row-mixing", 0.1),)))
    assert not mixed(Trace((Row(0, "train", "(outputs)", "row-mixing", 1e-6),)))
    assert (
        DISEASES["batch-fails"].find(Trace(events=(Event(0, "failed", "RuntimeError: shapes", "fc"),)))[0].where == "fc"
    )
    for name in ("cannot-overfit-tiny-batch", "rows-mixed", "batch-fails"):
        assert not DISEASES[name].find(Trace())
