"""The lecture's babysitting rows, diagnosed: its net on real CIFAR-10, at rates too high, too low and sound."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import babysit
from babysit.record import Finding, silent
from tests.training.test_lecture import images, pytestmark  # noqa: F401  the mark skips without the images


def session(lr: float, epochs: int, *, centred: bool = True, batch: int = 50) -> list[Finding]:
    """Net 3072-50-10, weights 0.0001 randn, biases 0, plain SGD on 1000 images."""
    pictures, classes = images(1000)
    inputs = torch.tensor(pictures, dtype=torch.float32).flatten(1)
    if centred:
        inputs = inputs - inputs.mean(0)
    labels = torch.tensor(classes)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3072, 50), nn.ReLU(), nn.Linear(50, 10))
    for layer in (net[0], net[2]):
        assert isinstance(layer, nn.Linear)
        nn.init.normal_(layer.weight, std=1e-4)
        nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    with babysit.watch(net, optimizer, overhead=0.2, progress=silent) as w:
        for _ in range(epochs):
            for rows in torch.randperm(len(inputs)).split(batch):
                optimizer.zero_grad()
                functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
                optimizer.step()
    return list(w.findings)


def cause_of(findings: list[Finding], name: str) -> str:
    return next(finding.explained_by for finding in findings if finding.name == name)


def test_a_rate_of_a_million_is_nan_at_once() -> None:
    findings = session(1e6, 1)
    assert "learning-rate-too-high" in [finding.name for finding in findings]
    assert cause_of(findings, "diverged") in ("learning-rate-too-high", "inputs-badly-scaled")


def test_a_rate_of_a_millionth_is_too_low() -> None:
    assert "learning-rate-too-low" in [finding.name for finding in session(1e-6, 40, batch=200)]


def test_a_rate_a_little_too_high_is_the_cause_of_the_late_infinity() -> None:
    findings = session(3e-3, 15)
    assert findings[0].name == "learning-rate-too-high"
    assert cause_of(findings, "diverged") == "learning-rate-too-high"


def test_uncentred_pixels_are_named() -> None:
    names = {finding.name for finding in session(1e-6, 1, centred=False)}
    assert names & {"inputs-badly-scaled", "inputs-not-centred"}


@pytest.mark.parametrize("lr", [1e-4, 5e-4])
def test_a_good_rate_is_not_blamed(lr: float) -> None:
    names = {finding.name for finding in session(lr, 10) if finding.severity == "sick"}
    assert not names & {"learning-rate-too-high", "learning-rate-too-low", "diverged", "stuck-at-chance"}
