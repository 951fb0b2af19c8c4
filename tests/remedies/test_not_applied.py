"""What was not applied is never told as tried, and what was applied comes off again."""

from __future__ import annotations

import copy
import math
import pathlib
import pickle
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from babysit.nn import activation
from babysit.record import ACTIVATIONS, Finding, NotAppliedError, Remedy, TraceStore
from babysit.rehearsal import LiveObjects, heal
from babysit.remedies import applied_to_script
from babysit.remedies._at_batches import _of_a_graph
from babysit.scripts import Patcher, Runner, Script, ScriptSubject, watching_environment

# A parabola fitted by three bare tensors. At a rate of 0.01 it diverges; at 0.001 it is learned.
BARE = """\
import torch
torch.manual_seed(0)
x = torch.linspace(-5, 5, 100)
y = 3 * x**2 - 2 * x + 1
a, b, c = (torch.zeros((), requires_grad=True) for _ in range(3))
opt = torch.optim.SGD([a, b, c], lr=0.01)
for _ in range(400):
    loss = ((a * x**2 + b * x + c - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print("loss: %g" % loss.item())
"""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner(2, watching_environment()) as found:
        yield found


@pytest.fixture
def bare(runner: Runner, tmp_path: pathlib.Path) -> ScriptSubject:
    path = tmp_path / "train.py"
    path.write_text(BARE)
    return ScriptSubject(Script(str(path)), folder=tmp_path, runner=runner)


@pytest.mark.parametrize("remedies", [("lr=0.001",), ("clip-norm=1",), ("optimizer=adam", "lr=0.1"), ("lr-times=0.1",)])
def test_bare_tensors_take_what_is_done_at_steps(bare: ScriptSubject, remedies: tuple[str, ...]) -> None:
    assert not math.isfinite(bare.rehearse(400, probes="losses").series("loss").values[-1])
    found = bare.rehearse(400, [Remedy.parse(text) for text in remedies], probes="losses")
    losses = found.series("loss").values
    assert math.isfinite(losses[-1])
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", ["insert-batch-norm", "initialise", "unfreeze"])
def test_what_needs_a_network_is_refused_with_the_reason(bare: ScriptSubject, name: str) -> None:
    with pytest.raises(NotAppliedError, match=f"{name} could not be applied: no torch.nn.Module is called"):
        bare.rehearse(400, [Remedy("lr", "0.001"), Remedy(name)], probes="losses")


def test_healing_tells_what_was_not_applied_and_ranks_the_rest(bare: ScriptSubject) -> None:
    asked = [Finding("diverged", "sick", remedies=(Remedy("insert-batch-norm"), Remedy("lr", "0.001")))]
    found = heal(bare, findings=asked, seconds=60, seeds=1)
    assert [one.name for one in found.remedies] == ["lr"]
    assert found.effect is not None
    assert found.effect.gain > 0.9
    tried = {" ".join(map(str, one.remedies)): one for one in found.tried}
    refused = tried["insert-batch-norm"]
    assert "could not be applied: no torch.nn.Module" in refused.refused
    assert math.isnan(refused.gain)
    assert not refused.outcome
    assert not tried["lr=0.001"].refused
    assert [bool(one.refused) for one in found.tried] == sorted(bool(one.refused) for one in found.tried)


def test_a_remedy_that_nothing_met_is_not_told_as_tried(runner: Runner, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(BARE.replace("lr=0.01", "lr=0.001"))
    subject = ScriptSubject(Script(str(path)), folder=tmp_path, runner=runner)
    for name in ("remove-softmax", "shuffle", "match-shapes"):
        with pytest.raises(NotAppliedError, match="could not be applied"):
            subject.rehearse(50, [Remedy(name)], probes="losses")


def test_live_objects_tell_it_too() -> None:
    net = nn.Linear(3, 1)
    batches = [(torch.randn(8, 3), torch.randn(8, 1))] * 4
    subject = LiveObjects(net, lambda out, wanted: (out - wanted).square().mean(), batches, torch.optim.Adam)
    with pytest.raises(NotAppliedError, match="loss=l1 could not be applied: no loss function of PyTorch was called"):
        subject.rehearse(5, [Remedy("loss", "l1")])


ON_AND_OFF = ["standardise-inputs", "loss=l1", "insert-batch-norm", "activation=tanh", "insert-activation=relu",
              "dropout=0.1", "train-mode", "weight-decay=0.5", "optimizer=adam", "lr=0.5"]  # fmt: skip


@pytest.mark.parametrize("text", ON_AND_OFF)
def test_what_is_put_on_comes_off_when_the_patcher_closes(text: str) -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    shape, options = repr(net), {**opt.param_groups[0], "params": [*net.parameters()]}
    original = nn.functional.mse_loss
    if text == "train-mode":
        net.eval()
    with Patcher(TraceStore(None), remedies=applied_to_script([Remedy.parse(text)]), optimizers=[opt]) as patcher:
        for _ in range(3):
            opt.zero_grad()
            nn.functional.mse_loss(net(torch.randn(16, 4)), torch.randn(16, 1)).backward()
            opt.step()
        twin = copy.deepcopy(net)
        pickle.dumps(net)
    assert patcher.not_applied() == []
    assert repr(net) == shape
    assert type(opt) is torch.optim.SGD
    assert {**opt.param_groups[0], "params": [*net.parameters()]} == options
    assert nn.functional.mse_loss is original
    for module in net.modules():
        assert not module._forward_pre_hooks
        assert not module._forward_hooks
    # A copy that was made meanwhile keeps hooks that do nothing any more.
    inputs = torch.randn(5, 4)
    if text in ("standardise-inputs", "loss=l1", "lr=0.5"):
        twin.load_state_dict(net.state_dict())
        assert torch.equal(twin.eval()(inputs), net.eval()(inputs))


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"identity", "maxout", "tanh"}))
def test_every_activation_that_a_network_may_have_can_be_swapped(name: str) -> None:
    net = nn.Sequential(nn.Linear(3, 8), activation(name), nn.Linear(8, 1))
    batches = [(torch.randn(8, 3), torch.randn(8, 1))] * 2
    subject = LiveObjects(net, nn.MSELoss(), batches, torch.optim.Adam)
    swapped, left = (subject.rehearse(2, remedies) for remedies in ([Remedy("activation", "tanh")], []))
    assert swapped.series("loss").values != left.series("loss").values


@pytest.mark.parametrize(
    ("others", "graph"),
    [
        ((torch.tensor([[0, 1], [1, 2]]),), True),
        ((torch.eye(3),), True),
        ((torch.eye(3).to_sparse(),), True),
        ((torch.zeros(3, 2),), False),
        ((), False),
    ],
)
def test_nodes_of_a_graph_have_no_tiny_batch(others: tuple[torch.Tensor, ...], graph: bool) -> None:
    assert _of_a_graph((torch.randn(3, 5), *others)) == graph


@pytest.mark.parametrize("first", ["activation=relu", "insert-activation=relu", "loss=l1", "linear-output"])
def test_batch_norm_is_inserted_beside_a_remedy_that_replaces_functions(first: str) -> None:
    """The nonlinearity behind a layer is known by its name, which a replaced function keeps."""
    net = nn.Sequential(nn.Linear(3, 8), nn.Sigmoid(), nn.Linear(8, 1), nn.Sigmoid())
    batches = [(torch.randn(8, 3), torch.rand(8, 1))] * 2
    subject = LiveObjects(net, nn.MSELoss(), batches, torch.optim.Adam)
    for texts in ((first, "insert-batch-norm"), ("insert-batch-norm", first)):
        assert len(subject.rehearse(2, [Remedy.parse(text) for text in texts]).series("loss").values) == 2
