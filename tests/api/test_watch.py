"""watch on loops of one's own: what it finds, what it says, how it stops, what it leaves behind."""

import gc
import json
import math
import pathlib
from collections.abc import Sequence

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import babysit
from babysit.api import Watch
from babysit.cli import run
from babysit.record import Finding, FindingsChanged, InputError, NotFiniteError, ProgressEvent, read_trace, silent
from babysit.reports import render_trace_page

SEEDS = range(5)


def digits(scale: float = 1 / 16) -> tuple[Tensor, Tensor]:
    inputs, labels = load_digits(return_X_y=True)
    return torch.tensor(inputs, dtype=torch.float32) * scale, torch.tensor(labels)


def mlp(activation: type[nn.Module] = nn.ReLU, depth: int = 2, width: int = 64) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(depth):
        layers += [nn.Linear(64 if number == 0 else width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def train(
    net: nn.Module, lr: float, epochs: int = 5, *, scale: float = 1 / 16, seed: int = 0, **options: object
) -> Watch:
    """SGD with momentum on the digits, watched."""
    inputs, labels = digits(scale)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    shuffled = torch.Generator().manual_seed(seed)
    with babysit.watch(net, optimizer, **{"progress": silent, "overhead": 0.1, **options}) as w:  # type: ignore[arg-type]
        for _ in range(epochs):
            for rows in torch.randperm(len(inputs), generator=shuffled).split(64):
                optimizer.zero_grad()
                functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
                optimizer.step()
    return w


def names(findings: Sequence[Finding], *severities: str) -> set[str]:
    return {finding.name for finding in findings if finding.severity in (severities or ("sick", "warning"))}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sound_training_has_nothing_wrong(seed: int) -> None:
    torch.manual_seed(seed)
    assert names(train(mlp(), 0.05, seed=seed).findings) == set()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("wanted", "lr", "scale", "depth", "activation"),
    [
        ("learning-rate-too-high", 20.0, 1 / 16, 2, nn.ReLU),
        ("learning-rate-too-low", 1e-6, 1 / 16, 2, nn.ReLU),
        ("inputs-badly-scaled", 0.05, 100.0, 2, nn.ReLU),
        ("activations-vanish", 0.05, 1 / 16, 10, nn.ReLU),
    ],
)
def test_what_is_wrong_is_the_first_finding(
    wanted: str, lr: float, scale: float, depth: int, activation: type[nn.Module], seed: int
) -> None:
    torch.manual_seed(seed)
    findings = train(mlp(activation, depth), lr, epochs=4, scale=scale, seed=seed).findings
    assert wanted == findings[0].name, [finding.name for finding in findings]
    assert findings[0].severity == "sick"
    assert findings[0].evidence
    assert findings[0].remedies


@pytest.mark.parametrize("seed", SEEDS)
def test_depth_of_sigmoids_makes_gradients_vanish(seed: int) -> None:
    torch.manual_seed(seed)
    findings = train(mlp(nn.Sigmoid, 8), 0.05, epochs=2, seed=seed).findings
    assert "gradients-vanish" in names(findings)


def test_one_cause_and_its_consequences_under_it() -> None:
    findings = train(mlp(), 0.05, scale=1e4 / 16).findings
    assert findings[0].name == "inputs-badly-scaled"
    others = names(findings, "sick") - {"inputs-badly-scaled"}
    assert others
    assert all(finding.explained_by for finding in findings if finding.name in others)


class Broken(nn.Module):
    """Its outputs are NaN from one call on."""

    def __init__(self, call: int) -> None:
        super().__init__()
        self.inner, self.calls, self.call = mlp(), 0, call

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += self.training and torch.is_grad_enabled()
        outputs: Tensor = self.inner(inputs)
        return outputs * math.nan if self.calls >= self.call else outputs


def test_it_goes_on_at_a_nan_unless_told_otherwise() -> None:
    w = train(Broken(30), 0.05, epochs=2)
    assert len(w.trace.series("lr").steps) == 58
    assert "diverged" in names(w.findings)
    assert [event.step for event in w.trace.happened("not-finite")] == [29]


def test_it_stops_at_a_nan() -> None:
    net = Broken(30)
    w = train(net, 0.05, epochs=2, on_not_finite="stop")
    assert net.calls == 30
    assert all(bool(torch.isfinite(parameter).all()) for parameter in net.parameters())
    good = w.last_good()
    assert good is not None
    net.load_state_dict(good)


def test_it_raises_at_a_nan() -> None:
    with pytest.raises(NotFiniteError, match="step 29"):
        train(Broken(30), 0.05, epochs=2, on_not_finite="raise")


def test_an_error_of_the_loop_goes_through() -> None:
    net = mlp()
    with pytest.raises(ZeroDivisionError), babysit.watch(net, torch.optim.SGD(net.parameters()), progress=silent):
        _ = 1 / 0


def test_findings_appear_on_the_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    train(mlp(), 20.0, progress=None)
    out, err = capsys.readouterr()
    assert out == ""
    assert "sick: learning-rate-too-high" in err
    assert err.count("sick: learning-rate-too-high") == 1


def test_findings_go_to_whoever_receives_progress(capsys: pytest.CaptureFixture[str]) -> None:
    events: list[ProgressEvent] = []
    w = train(mlp(), 20.0, progress=events.append)
    assert capsys.readouterr() == ("", "")
    last = events[-1]
    assert isinstance(last, FindingsChanged)
    assert last.findings == w.findings


def test_silence_by_name() -> None:
    w = train(mlp(), 20.0, ignore=["learning-rate-too-high", "diverged"])
    assert not names(w.findings) & {"learning-rate-too-high", "diverged"}


def test_evaluations_show_overfitting() -> None:
    net = mlp()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    with babysit.watch(net, optimizer, progress=silent) as w:
        for epoch in range(20):
            for _ in range(10):
                optimizer.zero_grad()
                loss = functional.cross_entropy(net(torch.randn(32, 64)), torch.randint(0, 10, (32,)))
                loss.backward()
                optimizer.step()
            w.evaluated(phase="train", loss=1.0 / (epoch + 1), accuracy=0.9)
            w.evaluated(loss=1.0 + 0.1 * epoch, accuracy=0.6)
            with pytest.raises(InputError, match="perplexity"):
                w.evaluated(perplexity=3.0)
    assert "overfitting" in names(w.findings, "sick", "warning", "note")


def test_a_kept_trace_is_diagnosed_later(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trace.sqlite"
    w = train(mlp(), 20.0, keep=file)
    assert read_trace(file).layers == w.trace.layers
    assert run(["diagnose", str(file), "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert [found["name"] for found in content["findings"]] == [found.name for found in w.findings]
    assert run(["diagnose", str(file)]) == 1
    assert "learning-rate-too-high" in capsys.readouterr().out
    assert run(["diagnose", str(file), "--ignore", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err
    assert run(["diagnose", str(tmp_path / "none")]) == 2


def test_the_report_holds_it_all(tmp_path: pathlib.Path) -> None:
    w = train(mlp(depth=10), 0.05, epochs=2)
    page = w.report(tmp_path / "report.html").read_text()
    assert page == render_trace_page(w.trace, w.findings)
    for part in ("activations-vanish", "inside-activation", "inside-update-ratio", "finding-activations-vanish"):
        assert part in page
    assert "http://" not in page.split("<script>")[0]


def test_a_loader_tells_its_rows() -> None:
    net = mlp()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(100, 64)), batch_size=8)
    w = babysit.watch(net, torch.optim.SGD(net.parameters()), progress=silent, loader=loader)
    w.describe({"epochs": "20"})
    assert w.trace.facts == {"rows": "100", "steps-per-epoch": "13", "epochs": "20"}
    with pytest.raises(InputError, match="epoch'"):
        w.describe({"epoch": "20"})


def test_a_label_that_is_no_class_is_named_though_pytorch_raises() -> None:
    net = mlp()
    with babysit.watch(net, torch.optim.SGD(net.parameters()), progress=silent) as w, pytest.raises(IndexError):
        functional.cross_entropy(net(torch.rand(8, 64)), torch.full((8,), 10))
    assert w.findings[0].name == "labels-out-of-range"


def test_a_hand_written_loss_that_crosses_rows_is_named() -> None:
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters())
    with babysit.watch(net, optimizer, progress=silent) as w:
        for _ in range(10):
            optimizer.zero_grad()
            ((net(torch.rand(16, 64)) - torch.rand(16)) ** 2).mean().backward()
            optimizer.step()
    assert w.trace.facts["target-shape"] == "16"
    assert "loss-broadcasts" in names(w.findings)


def test_a_trace_is_diagnosed_as_the_watch_does_it() -> None:
    w = train(mlp(), 20.0, epochs=1)
    assert babysit.diagnose(w.trace).findings == w.findings


def test_the_store_is_closed_when_the_block_ends(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "trace.sqlite"
    w = train(mlp(), 0.05, epochs=1, keep=file)
    assert [path.name for path in tmp_path.iterdir()] == ["trace.sqlite"]  # no log of an open database beside it
    assert w.trace.series("loss").steps
    for late in (lambda: w.evaluated(loss=1.0), lambda: w.describe({"epochs": "2"}), w.__enter__):
        with pytest.raises(InputError, match="has ended"):
            late()
    kept = tmp_path / "never.sqlite"
    never = babysit.watch(mlp(), torch.optim.SGD(mlp().parameters()), progress=silent, keep=kept)
    del never
    gc.collect()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("never.sqlite-")]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("net", None), {}, "str cannot be watched"),
        ((nn.Linear(2, 2), []), {}, "no optimizer"),
        ((nn.Linear(2, 2), ["adam"]), {}, "str is not an optimizer"),
        ((nn.Linear(2, 2), "sgd"), {"overhead": 2.0}, "overhead"),
        ((nn.Linear(2, 2), "sgd"), {"on_not_finite": "die"}, "go-on, stop, raise"),
        ((nn.Linear(2, 2), "sgd"), {"ignore": ["learning-rate-to-high"]}, "learning-rate-too-high"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    arguments: tuple[object, object], options: dict[str, object], message: str
) -> None:
    network, optimizer = arguments
    if optimizer == "sgd":
        assert isinstance(network, nn.Module)
        optimizer = torch.optim.SGD(network.parameters())
    with pytest.raises(InputError) as caught:
        babysit.watch(network, optimizer if optimizer is not None else [], **options)  # type: ignore[arg-type]
    assert message in str(caught.value)
