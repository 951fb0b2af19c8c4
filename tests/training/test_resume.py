"""Interrupted and resumed, a training ends as if it had never stopped: weights, optimizer, trace, bit for bit."""

import math
import pathlib
import signal
from collections.abc import Iterator

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from babysit.record import Recipe, Run, RunFolderError, StorageError, Trace
from babysit.training import Outcome, Training, build_loss
from tests.training.setups import CLASSES, examples, kept_run, network, recipe

STEPS = 40  # five epochs of eight


class StopsAt(nn.Module):
    """A loss that presses Ctrl-C when its training has come to a step."""

    def __init__(self, loss: nn.Module, step: int) -> None:
        super().__init__()
        self.loss, self.step, self.calls = loss, step, 0

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.calls += 1
            if self.calls == self.step:
                signal.raise_signal(signal.SIGINT)
        loss: Tensor = self.loss(outputs, targets)
        return loss


def train(run: Run, chosen: Recipe, stop_after: int = 0) -> tuple[dict[str, Tensor], Outcome]:
    model = network(dropout=0.3, batch_norm=True)
    loss = StopsAt(build_loss(chosen.loss, CLASSES), stop_after)
    outcome = Training(model, loss, examples(), chosen, run=run).run()
    return model.state_dict(), outcome


def assert_equal(one: Run, other: Run) -> None:
    ours, theirs = (load_file(run.path / "checkpoint.safetensors") for run in (one, other))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
    assert told(one.trace()) == told(other.trace())


def told(trace: Trace) -> list[str]:
    """What the loop itself measures; which steps the probes look at depends on the time they took, and so does the
    order in which the quantities of a step are written down."""
    return sorted(repr(row) for row in trace.rows if row.quantity in ("loss", "lr", "data-loss", "accuracy", "r2"))


OPTIMIZERS = ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad"]
SCHEDULES = ["constant", "step", "cosine", "inverse-time", "plateau"]


def settings_of(optimizer: str) -> list[str]:
    if optimizer in ("sgd", "momentum", "nesterov"):
        return {"sgd": [], "momentum": ["momentum=0.9"], "nesterov": ["momentum=0.9", "nesterov=true"]}[optimizer]
    return [f"optimizer.name={optimizer}", "momentum=0.5"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("stop_after", [3, 8, 21])
def test_every_optimizer_goes_on_where_it_was(optimizer: str, stop_after: int, tmp_path: pathlib.Path) -> None:
    chosen = recipe(*settings_of(optimizer), "l2=0.01", "clip_norm=1.0")
    compare(chosen, [stop_after], tmp_path)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_goes_on_where_it_was(schedule: str, tmp_path: pathlib.Path) -> None:
    chosen = recipe(f"schedule.name={schedule}", "warm_up=0.1", "schedule.patience=1", "lr=0.5", "momentum=0.9")
    compare(chosen, [11, 13], tmp_path)


def compare(chosen: Recipe, stops: list[int], folder: pathlib.Path) -> None:
    """One training in one go, one stopped after so many steps each time it is begun."""
    whole, parts = kept_run(folder / "whole", chosen), kept_run(folder / "parts", chosen)
    wanted, _ = train(whole, chosen)
    done = 0
    for stop in stops:
        _, outcome = train(parts, chosen, stop_after=stop)
        assert not outcome.finished
        done += stop
        assert outcome.position.step == done
        assert len(parts.trace().series("loss").steps) == done
    found, outcome = train(parts, chosen)
    assert outcome.finished
    assert outcome.position.step == STEPS
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name
    assert_equal(parts, whole)


def test_the_callers_random_numbers_are_left_alone(tmp_path: pathlib.Path) -> None:
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    train(kept_run(tmp_path / "run", recipe()), recipe())
    assert torch.equal(torch.rand(4), wanted)


@pytest.fixture
def _ctrl_c_raises() -> Iterator[None]:
    """As in a terminal: a process that a script started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_raises")
def test_ctrl_c_works_as_before_afterwards(tmp_path: pathlib.Path) -> None:
    train(kept_run(tmp_path / "run", recipe()), recipe(), stop_after=5)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("_ctrl_c_raises")
def test_a_second_ctrl_c_stops_at_once(tmp_path: pathlib.Path) -> None:
    class Impatient(StopsAt):
        def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
            loss = super().forward(outputs, targets)
            if self.calls == self.step:
                signal.raise_signal(signal.SIGINT)
            return loss

    chosen = recipe()
    run = kept_run(tmp_path / "run", chosen)
    loss = Impatient(build_loss(chosen.loss, CLASSES), 9)
    with pytest.raises(KeyboardInterrupt):
        Training(network(dropout=0.3, batch_norm=True), loss, examples(), chosen, run=run).run()
    _, outcome = train(run, chosen)
    assert outcome.finished


@pytest.mark.parametrize("damage", ["cut", "text", "other network", "schema"])
def test_a_damaged_checkpoint_is_refused_by_name(damage: str, tmp_path: pathlib.Path) -> None:
    chosen = recipe()
    run = kept_run(tmp_path / "run", chosen)
    train(run, chosen, stop_after=10)
    file = run.path / "checkpoint.safetensors"
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "text":
        file.write_bytes(b"not a checkpoint")
    elif damage == "schema":
        file.write_bytes(content.replace(b'"schema":"1"', b'"schema":"9"'))
    model = network(5) if damage == "other network" else network(dropout=0.3, batch_norm=True)
    again = Training(model, build_loss(chosen.loss, CLASSES), examples(), chosen, run=run)
    with pytest.raises(RunFolderError, match=r"checkpoint\.safetensors"):
        again.run()


def test_a_full_disk_stops_it_and_loses_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = recipe()
    whole, run = kept_run(tmp_path / "whole", chosen), kept_run(tmp_path / "run", chosen)
    train(whole, chosen)
    real, writes = Run.write, 0

    def full(self: Run, name: str, content: bytes | str, *, durable: bool = True) -> None:
        nonlocal writes
        writes += 1
        if writes > 1:
            raise StorageError("cannot write: No space left on device", cause="the disk is full")
        real(self, name, content, durable=durable)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "write", full)
        with pytest.raises(StorageError, match="disk is full"):
            train(run, chosen)
    _, outcome = train(run, chosen)
    assert outcome.finished
    assert_equal(run, whole)


def test_infinite_numbers_in_a_position_survive(tmp_path: pathlib.Path) -> None:
    chosen = recipe()
    run = kept_run(tmp_path / "run", chosen)
    _, outcome = train(run, chosen, stop_after=2)  # before the first epoch ended, no loss is the best yet
    assert math.isinf(outcome.position.best_loss)
    assert train(run, chosen)[1].finished
