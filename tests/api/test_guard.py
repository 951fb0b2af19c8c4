"""The guard of watch: what it stops, what it leaves alone, what it keeps and goes back to, whom it tells."""

import copy
import http.server
import json
import math
import pathlib
import sys
import threading
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional

import babysit
from babysit.api import Watch
from babysit.record import Finding, FindingsChanged, GuardActed, InputError, ProgressEvent, silent
from babysit.reports import Notify
from babysit.training._guard_rules import LossRules
from babysit.training._kept_state import pack_state, put_back
from tests.api.guarded import FAILS, SOUND, blobs, mlp, scenarios, sgd

IN_THE_GATE = ("nan-loss-at-80-adam", "dead-units", "rate-100-from-start", "skips-steps-of-nans", "game-judge", "fp16")


def guarded(name: str, folder: pathlib.Path, seed: int = 0, **options: Any) -> tuple[Watch, list[ProgressEvent]]:
    torch.manual_seed(seed)
    net, optimizers, step, steps = (FAILS | SOUND)[name]()
    heard: list[ProgressEvent] = []
    arguments = {"progress": heard.append, "guard": "stop", "guard_folder": folder / "guard", **options}
    with babysit.watch(net, optimizers, **arguments) as w:
        for number in range(steps):
            step(number)
    return w, heard


@pytest.mark.parametrize(
    ("name", "fails"),
    [
        pytest.param(name, fails, marks=[] if name in IN_THE_GATE else [pytest.mark.slow])
        for name, _, fails in scenarios()
    ],
)
def test_what_is_lost_is_stopped_and_what_is_rough_goes_on(name: str, fails: bool, tmp_path: pathlib.Path) -> None:
    w, heard = guarded(name, tmp_path)
    assert bool(w.stopped) == fails, w.stopped
    told = [event for event in heard if isinstance(event, GuardActed)]
    assert len(told) == len(w.trace.happened("guard")) == fails
    assert (tmp_path / "guard").exists() == fails  # what was not needed is deleted
    assert not [event for event in w.trace.happened("unseen") if "guard" in event.text]


def test_there_are_thirty_of_each() -> None:
    assert len(FAILS) >= 30
    assert len(SOUND) >= 30


BEGAN = [2.0] * 10  # the first losses, from which the limit is counted


@pytest.mark.parametrize(
    ("losses", "lost"),
    [
        (BEGAN + [2.1e4] * 10, "exploded"),
        (BEGAN + [2.1e4] * 9 + [2.0], ""),  # it comes back
        (BEGAN + [1.9e4] * 30, ""),  # far above the 125 times that sound ones rise to, and below the limit
        (BEGAN + [-1.9e7] * 30, ""),  # a critic's loss has no lower end
        (BEGAN + [-2.1e7] * 10, "exploded"),
        (BEGAN + [math.nan] * 20, "not a number"),
        (BEGAN + [math.nan] * 19 + [2.0], ""),  # a scaler skipped these steps
        ([1e-6] * 10 + [0.9e4] * 30, ""),  # a training that begins near zero
    ],
)
def test_losses_that_are_lost_and_losses_that_are_rough(losses: list[float], lost: str) -> None:
    rules = LossRules()
    told = [why for loss in losses if (why := rules.take(loss))]
    assert bool(told) == bool(lost)
    assert lost in "".join(told)


def broken_at(step: int, number: int) -> float:
    return math.nan if number == step else 1.0


def trained(
    folder: pathlib.Path, mode: str, *, at: int = 80, steps: int = 200, **options: Any
) -> tuple[Watch, nn.Module, Any]:
    torch.manual_seed(3)
    net = mlp(norm=True)
    optimizer = sgd(net)
    with babysit.watch(net, optimizer, progress=silent, guard=mode, guard_folder=folder, **options) as w:  # type: ignore[arg-type]
        for number in range(steps):
            inputs, labels = blobs()
            optimizer.zero_grad()
            (functional.cross_entropy(net(inputs), labels) * broken_at(at, number)).backward()
            optimizer.step()
    return w, net, optimizer


def test_the_last_good_weights_are_back_and_on_disk(tmp_path: pathlib.Path) -> None:
    w, net, optimizer = trained(tmp_path, "stop")
    assert "the loss became NaN" in w.stopped
    assert w.kept is not None
    kept = safetensors.torch.load_file(w.kept)
    for name, value in net.state_dict().items():
        assert torch.equal(kept[f"network.{name}"], value), name
        assert torch.isfinite(value.float()).all()
    momentum = [state["momentum_buffer"] for state in optimizer.state.values()]
    assert all(bool(torch.isfinite(one).all()) for one in momentum)
    assert "last-good.safetensors" in w.trace.happened("guard")[0].text
    inputs, labels = blobs(500)
    net.eval()
    assert (net(inputs).argmax(1) == labels).float().mean() > 0.25


def test_it_goes_back_with_a_lower_rate_and_trains_on(tmp_path: pathlib.Path) -> None:
    w, net, optimizer = trained(tmp_path, "rollback")
    assert w.stopped == ""
    (event,) = w.trace.happened("guard")
    assert "went back from step 80" in event.text
    rates = w.trace.series("lr").values
    assert rates[0] == pytest.approx(0.05)
    assert rates[-1] == pytest.approx(0.005)
    assert optimizer.param_groups[0]["lr"] == 0.05  # whatever sets rates finds its own
    inputs, labels = blobs(500)
    net.eval()
    assert (net(inputs).argmax(1) == labels).float().mean() > 0.9
    assert w.kept is not None
    assert w.kept.exists()


def test_it_goes_back_three_times_and_stops_then(tmp_path: pathlib.Path) -> None:
    torch.manual_seed(0)
    net = mlp()
    optimizer = sgd(net)
    with babysit.watch(net, optimizer, progress=silent, guard="rollback", guard_folder=tmp_path) as w:
        for number in range(200):
            inputs, labels = blobs()
            optimizer.zero_grad()
            (functional.cross_entropy(net(inputs), labels) * (math.nan if number > 60 else 1)).backward()
            optimizer.step()
    texts = [event.text for event in w.trace.happened("guard")]
    assert len(texts) == 4
    assert "stopped" in texts[-1]
    assert all(bool(torch.isfinite(one).all()) for one in net.parameters())


def test_until_it_acts_weights_are_what_they_are_without(tmp_path: pathlib.Path) -> None:
    weights = []
    for mode in ("off", "stop", "rollback"):
        _, net, optimizer = trained(tmp_path, mode, at=-1, steps=60)
        weights.append([*net.state_dict().values(), *(one["momentum_buffer"] for one in optimizer.state.values())])
        assert not optimizer._optimizer_step_pre_hooks
    assert all(torch.equal(one, other) for ours in weights[1:] for one, other in zip(weights[0], ours, strict=True))


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.RMSprop, torch.optim.SGD])
def test_the_optimizers_state_comes_back_and_its_rate_stays(kind: type[torch.optim.Optimizer]) -> None:
    torch.manual_seed(0)
    net = mlp()
    options: dict[str, Any] = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    optimizer = kind(net.parameters(), lr=0.01, **options)  # type: ignore[call-arg]
    inputs, labels = blobs()

    def train(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            functional.cross_entropy(net(inputs), labels).backward()
            optimizer.step()

    train(5)
    content, before = pack_state(net, [optimizer], 5), copy.deepcopy(optimizer.state_dict()["state"])
    train(5)
    optimizer.param_groups[0]["lr"] = 0.5
    put_back(content, net, [optimizer])
    after = optimizer.state_dict()["state"]
    assert before.keys() == after.keys() != set()
    for index, entries in before.items():
        for name, value in entries.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(after[index][name])), name
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_tied_weights_lstms_and_odd_optimizers_are_kept(tmp_path: pathlib.Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.lstm, self.out = nn.Embedding(9, 8), nn.LSTM(8, 8), nn.Linear(8, 9)
            self.out.weight = self.words.weight
            self.register_buffer("part", torch.arange(10.0)[2:4])

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.out(self.lstm(self.words(ids))[0])  # type: ignore[no-any-return]

    for make in (
        lambda p: torch.optim.LBFGS(p, max_iter=2),
        lambda p: torch.optim.Adagrad(p),
        lambda p: torch.optim.AdamW(p),
    ):
        net = Tied()
        optimizer = make(net.parameters())
        with babysit.watch(net, optimizer, progress=silent, guard="stop", guard_folder=tmp_path) as w:
            for number in range(40):
                ids = torch.randint(0, 9, (5, 3))

                def closure(
                    optimizer: torch.optim.Optimizer = optimizer,
                    net: nn.Module = net,
                    ids: torch.Tensor = ids,
                    number: int = number,
                ) -> torch.Tensor:
                    optimizer.zero_grad()
                    loss = functional.cross_entropy(net(ids).flatten(0, 1), ids.flatten()) * broken_at(30, number)
                    loss.backward()
                    return loss

                optimizer.step(closure)  # type: ignore[no-untyped-call]
        assert w.stopped
        assert not [event.text for event in w.trace.happened("unseen") if "guard" in event.text]
        assert all(bool(torch.isfinite(one).all()) for one in net.parameters())


def test_a_disk_that_refuses_ends_the_guard_and_not_the_training(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("no folder")
    w, _, _ = trained(tmp_path / "file", "stop", at=-1, steps=20)
    assert w.stopped == ""
    assert any("not guarded any more" in event.text for event in w.trace.happened("unseen"))
    assert len(w.trace.series("lr").values) == 20


def test_a_command_is_notified(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "told"
    program = (
        "import sys, os; open(sys.argv[1], 'a').write(sys.argv[2] + '|' + os.environ['BABYSIT_MESSAGE'] + chr(10))"
    )
    trained(tmp_path, "stop", notify=[sys.executable, "-c", program, str(out)])
    lines = out.read_text().splitlines()
    assert any(line.startswith("the guard stopped the training at step") for line in lines)
    assert all(line.split("|")[0] == line.split("|")[1] for line in lines)


def test_a_finding_is_told_once() -> None:
    told: list[str] = []
    notify = Notify(told.append)
    sick = Finding("diverged", "sick")
    for findings in ([sick], [sick, Finding("units-dead", "sick", explained_by="diverged")], [Finding("slow", "note")]):
        notify(FindingsChanged(tuple(findings)))
    assert len(told) == 1


def test_an_address_is_notified_where_it_is_given(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    got: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        trained(tmp_path, "stop", notify=f"http://127.0.0.1:{server.server_port}/secret")
        server.shutdown()
    assert any("the guard stopped" in one["text"] for one in got)
    trained(tmp_path, "stop", notify=f"http://127.0.0.1:{server.server_port}/secret")
    said = capsys.readouterr().err
    assert "127.0.0.1 could not be notified" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("options", "message"),
    [({"guard": "on"}, "off, stop, rollback"), ({"notify": ""}, "a command"), ({"notify": [1]}, "a command")],
)
def test_what_is_not_legal_is_refused(options: dict[str, Any], message: str) -> None:
    net = mlp()
    with pytest.raises(InputError, match=message):
        babysit.watch(net, sgd(net), **options)
