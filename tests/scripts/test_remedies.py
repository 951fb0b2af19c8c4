"""Each remedy on a script does what the same change in its text does."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest
import torch

from babysit.record import Remedy, TraceStore
from babysit.rehearsal import Ask
from babysit.remedies import applied_to_script
from babysit.scripts import Patcher, ScriptSubject
from tests.scripts.conftest import program

Made = Callable[..., ScriptSubject]

SOFTMAX: dict[str, object] = {"outputs": "net(x[rows]).softmax(1)"}
# Remedies, the parts of the sick program, and those of the program in whose text it is mended: both must do the same.
MENDED: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "lr": ("lr=0.05", {"lr": 3.0}, {"lr": 0.05}),
    "lr-times": ("lr-times=10", {"lr": 0.03}, {"lr": 0.3}),
    "epochs": ("epochs=4", {"epochs": 2}, {"epochs": 4}),
    "clear-gradients": ("clear-gradients", {"before": "pass"}, {}),
    "remove-softmax": ("remove-softmax", SOFTMAX, {}),
    "flip-sign": ("flip-sign", {"outputs": "-net(x[rows])"}, {"outputs": "-net(x[rows])"}),
    "train-mode": ("train-mode", {"before": "opt.zero_grad(); net.eval()"}, {}),
}


def losses(subject: ScriptSubject, *remedies: str) -> list[float]:
    trace = subject.rehearse(40, [Remedy.parse(text) for text in remedies], probes="losses")
    return list(trace.series("loss").values)


@pytest.mark.parametrize("name", [name for name in MENDED if name != "flip-sign"])
def test_as_if_written_into_the_text(made: Made, name: str) -> None:
    remedy, sick, well = MENDED[name]
    changed = losses(made(**sick), remedy)
    written = losses(made(**well))
    assert changed == pytest.approx(written, rel=1e-4)
    if name != "train-mode":  # this network has no layers that know of modes
        assert losses(made(**sick)) != pytest.approx(written, rel=1e-4)


def test_flipping_the_sign_climbs(made: Made) -> None:
    assert losses(made(lr=0.1), "flip-sign")[-1] > 2 * losses(made(lr=0.1))[-1]


@pytest.mark.parametrize(
    ("remedy", "parts"),
    [
        ("standardise-inputs", {"outputs": "net(x[rows] * 300 + 900)", "lr": 0.1}),
        ("scale-inputs", {"outputs": "net(x[rows] * 300 + 900)", "lr": 0.5, "epochs": 150}),
        ("centre-inputs", {"outputs": "net(x[rows] + 30)", "lr": 0.1}),
        ("impute-inputs", {"outputs": "net(torch.where(x[rows] > 2, torch.nan, x[rows]))"}),
        ("optimizer=adam", {"lr": 1e-6, "epochs": 60}),
        ("call-step", {"step": "pass"}),
        ("clip-norm=1", {"lr": 0.3, "outputs": "net(x[rows]) * 50"}),
        ("initialise=he", {"zeros": "[p.data.zero_() for p in net.parameters()]"}),
        ("unfreeze", {"zeros": "net.requires_grad_(False); net[2].bias.requires_grad_()"}),
    ],
)  # fmt: skip
def test_it_learns_with_the_remedy(made: Made, remedy: str, parts: dict[str, object]) -> None:
    changed = made(**parts).run(Ask(remedies=(Remedy.parse(remedy),), probes="losses")).answer
    assert changed.how == "finished", changed.error
    assert changed.score is not None
    assert changed.score[1] > 0.85


def test_the_same_rows_are_learned_by_heart(made: Made) -> None:
    subject = made(epochs=100, lr=0.5)
    found = losses(subject, "tiny-batch=10")
    assert found[-1] < 0.05
    # Batches keep the number of rows that the script gave them.
    assert subject.run(Ask(remedies=(Remedy("tiny-batch", "10"),))).answer.how == "finished"


def test_standardised_targets_are_undone_in_the_answers(made: Made) -> None:
    text = """\
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(256, 3)
y = 1000 + 200 * x[:, :1]
net = nn.Linear(3, 1)
opt = torch.optim.Adam(net.parameters(), lr=0.05)
for step in range(200):
    rows = torch.randint(256, (64,))
    opt.zero_grad()
    nn.functional.mse_loss(net(x[rows]), y[rows]).backward()
    opt.step()
with torch.no_grad():
    print("metric: %.4f" % (1 - (net(x) - y).square().sum() / (y - y.mean()).square().sum()))
"""
    subject = made(text)
    plain = subject.run(Ask(probes="losses")).output.split()[-1]
    mended = subject.run(Ask(remedies=(Remedy("standardise-targets"),), probes="losses"))
    assert float(plain) < 0
    assert float(mended.output.split()[-1]) > 0.99
    assert mended.answer.score is not None
    assert mended.answer.score[1] > 0.9


def test_nothing_of_the_remedies_stays(made: Made) -> None:
    before = torch.relu, torch.nn.functional.cross_entropy, torch.autograd.backward
    asked = [Remedy("activation", "tanh"), Remedy("loss", "mse"), Remedy("clear-gradients")]
    with Patcher(TraceStore(None), remedies=applied_to_script(asked)):
        assert torch.relu is not before[0]
    assert (torch.relu, torch.nn.functional.cross_entropy, torch.autograd.backward) == before


def test_programs_of_tests_are_what_they_say(tmp_path: pathlib.Path) -> None:
    compile(program(), "train.py", "exec")
