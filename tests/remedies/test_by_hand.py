"""Under a remedy the weights are, step by step, those of the script that somebody has edited by hand."""

from __future__ import annotations

import pathlib
import textwrap
from typing import Any

import pytest
import torch

from babysit.record import Remedy, TraceStore
from babysit.rehearsal import KINDS
from babysit.remedies import applied_to_script
from babysit.scripts import Patcher

HEAD = """
import math
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
x = torch.randn(96, 5)
y = x @ torch.randn(5, 1) + 0.3
labels = (y[:, 0] > 0).long()
net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, OUT))
"""
LOOPS = {
    "plain": """
opt = MADE
for step in range(9):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    CLEAR
    loss = LOSS
    loss.backward()
    CLIP
    opt.step()
""",
    "closure": """
opt = MADE
for step in range(9):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    def closure():
        CLEAR
        loss = LOSS
        loss.backward()
        CLIP
        return loss
    opt.step(closure)
""",
    "warm-up by hand": """
opt = MADE
for step in range(9):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    for group in opt.param_groups:
        group["lr"] = RATE * min(1.0, (step + 1) / 5)
    CLEAR
    loss = LOSS
    loss.backward()
    CLIP
    opt.step()
""",
    "warm-up by hand in a closure": """
opt = MADE
for step in range(9):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    for group in opt.param_groups:
        group["lr"] = RATE * min(1.0, (step + 1) / 5)
    def closure():
        CLEAR
        loss = LOSS
        loss.backward()
        CLIP
        return loss
    opt.step(closure)
""",
    "schedule of warm-up": """
opt = MADE
schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: min(1.0, (step + 1) / 5))
for step in range(9):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    CLEAR
    loss = LOSS
    loss.backward()
    CLIP
    opt.step()
    schedule.step()
""",
    "steps down": """
opt = MADE
schedule = torch.optim.lr_scheduler.StepLR(opt, 3, 0.3)
for step in range(9):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    CLEAR
    loss = LOSS
    loss.backward()
    CLIP
    opt.step()
    schedule.step()
""",
    "one cycle": """
opt = MADE
schedule = torch.optim.lr_scheduler.OneCycleLR(opt, RATE, total_steps=12, cycle_momentum=False)
for step in range(9):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    CLEAR
    loss = LOSS
    loss.backward()
    CLIP
    opt.step()
    schedule.step()
""",
    "accumulation": """
opt = MADE
opt.zero_grad()
for step in range(12):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    loss = LOSS / 2
    loss.backward()
    if step % 2:
        CLIP
        opt.step()
        CLEAR
""",
    "scaler": """
opt = MADE
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for step in range(9):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    CLEAR
    loss = LOSS
    scaler.scale(loss).backward()
    UNSCALE
    CLIP
    scaler.step(opt)
    scaler.update()
""",
}
PARTS = {
    "OUT": "1",
    "MADE": "torch.optim.SGD(net.parameters(), lr=RATE)",
    "RATE": "0.05",
    "CLEAR": "opt.zero_grad()",
    "LOSS": "F.mse_loss(net(x[rows]), y[rows])",
    "UNSCALE": "pass",
    "CLIP": "pass",
}
BCE = "F.binary_cross_entropy_with_logits(net(x[rows]), (y[rows] > 0).float())"


def trained(loop: str, remedies: tuple[str, ...] = (), /, **parts: str) -> torch.Tensor:
    """The weights at the end, as one tensor."""
    text = textwrap.dedent(HEAD) + LOOPS[loop]
    for name, value in {**PARTS, **parts}.items():
        text = text.replace(name, value)
    made: dict[str, Any] = {"__name__": "by_hand"}
    applied = applied_to_script([Remedy.parse(one) for one in remedies], kinds=KINDS) if remedies else None
    with Patcher(TraceStore(None), remedies=applied, probes="losses") as patcher:
        exec(compile(text, "train.py", "exec"), made)
        weights = torch.cat([one.detach().flatten() for one in made["net"].parameters()])
    assert patcher.not_applied() == []
    return weights


def same(loop: str, remedies: tuple[str, ...], sick: dict[str, str], well: dict[str, str]) -> None:
    healed, written = trained(loop, remedies, **sick), trained(loop, **well)
    torch.testing.assert_close(healed, written, rtol=2e-5, atol=2e-6)
    assert not torch.allclose(healed, trained(loop, **sick), rtol=1e-4, atol=1e-5)


CLIPPED = {"CLIP": "nn.utils.clip_grad_norm_(net.parameters(), 0.1)", "UNSCALE": "scaler.unscale_(opt)"}
ADAM = "torch.optim.Adam(net.parameters(), lr=RATE)"
GROUPS = (
    "torch.optim.SGD([{'params': net[0].parameters(), 'lr': RATE}, {'params': net[2].parameters(), 'lr': 0.1 * RATE}])"
)
# One file's RATE is another's: the same text with another number.
ONCE_A_STEP = {
    "rate": (("lr=0.2",), {}, {"RATE": "0.2"}),
    "much too large a rate": (("lr=0.01",), {"RATE": "10.0"}, {"RATE": "0.01"}),
    "rate times": (("lr-times=3",), {}, {"RATE": "0.15"}),
    "another kind": (("optimizer=adam", "lr=0.01"), {}, {"MADE": ADAM, "RATE": "0.01"}),
    "another kind at its own rate": (("optimizer=adam",), {}, {"MADE": ADAM, "RATE": "0.001"}),
    "decay": (("weight-decay=0.4",), {}, {"MADE": "torch.optim.SGD(net.parameters(), lr=RATE, weight_decay=0.4)"}),
    "clip": (("clip-norm=0.1",), {}, CLIPPED),
    "sign": (("flip-sign",), {"LOSS": "-F.mse_loss(net(x[rows]), y[rows])"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", ONCE_A_STEP)
@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_done_at_steps(loop: str, name: str) -> None:
    remedies, sick, well = ONCE_A_STEP[name]
    same(loop, remedies, sick, well)


@pytest.mark.parametrize("loop", [loop for loop in LOOPS if "hand" not in loop and loop != "one cycle"])
def test_groups_keep_the_ratio_of_their_rates(loop: str) -> None:
    same(loop, ("lr=0.3",), {"MADE": GROUPS}, {"MADE": GROUPS, "RATE": "0.3"})
    adam = GROUPS.replace("SGD", "Adam")
    same(loop, ("optimizer=adam", "lr=0.01"), {"MADE": GROUPS}, {"MADE": adam, "RATE": "0.01"})


@pytest.mark.parametrize("loop", ["steps down", "schedule of warm-up"])
def test_a_constant_schedule_is_the_rate_that_the_optimizer_was_made_with(loop: str) -> None:
    torch.testing.assert_close(trained(loop, ("constant-schedule",)), trained("plain"), rtol=2e-5, atol=2e-6)


def test_of_one_cycle_the_rate_that_was_made_is_another_than_its_first() -> None:
    made = {"MADE": "torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.0)", "RATE": "0.4"}
    found = trained("one cycle", ("constant-schedule", "optimizer=adam", "lr=0.4"), **made)
    written = trained("plain", MADE="torch.optim.Adam(net.parameters(), lr=0.05)")
    torch.testing.assert_close(found, written, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("loop", ["plain", "closure", "scaler", "warm-up by hand", "steps down"])
def test_gradients_that_were_never_cleared(loop: str) -> None:
    same(loop, ("clear-gradients",), {"CLEAR": "pass"}, {})
    same(loop, ("clear-gradients", "lr=0.2"), {"CLEAR": "pass", "RATE": "1.0"}, {"RATE": "0.2"})


def test_gradients_that_accumulate_are_cleared_once_a_step() -> None:
    same("accumulation", ("clear-gradients",), {"CLEAR": "pass"}, {})


@pytest.mark.parametrize("loop", ["plain", "closure", "scaler", "accumulation", "warm-up by hand"])
def test_a_sign_is_turned_where_gradients_are_never_cleared(loop: str) -> None:
    same(loop, ("flip-sign",), {"CLEAR": "pass", "LOSS": "-F.mse_loss(net(x[rows]), y[rows])"}, {"CLEAR": "pass"})


LOSSES = {
    "another loss": (("loss=l1",), {}, {"LOSS": "F.l1_loss(net(x[rows]), y[rows])"}),
    "shapes": (("match-shapes",), {"LOSS": "F.mse_loss(net(x[rows]), y[rows, 0])"}, {}),
    "softmax": (
        ("remove-softmax",),
        {"OUT": "2", "LOSS": "F.cross_entropy(net(x[rows]).softmax(1), labels[rows])"},
        {"OUT": "2", "LOSS": "F.cross_entropy(net(x[rows]), labels[rows])"},
    ),
    "sigmoid": (("remove-sigmoid",), {"LOSS": BCE.replace("net(x[rows])", "net(x[rows]).sigmoid()")}, {"LOSS": BCE}),
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_done_at_the_loss(loop: str, name: str) -> None:
    remedies, sick, well = LOSSES[name]
    same(loop, remedies, sick, well)
    # Together with a rate, which acts at another place.
    same(loop, (*remedies, "lr=0.2"), {**sick, "RATE": "3.0"}, {**well, "RATE": "0.2"})


def test_where_a_schedule_by_hand_goes_on_from_no_rate_of_the_optimizer_its_highest_is_what_counts() -> None:
    made = {"MADE": "torch.optim.SGD(net.parameters(), lr=1.0)", "RATE": "0.02"}
    text = textwrap.dedent(HEAD) + LOOPS["warm-up by hand"]
    for name, value in {**PARTS, **made}.items():
        text = text.replace(name, value)
    space: dict[str, Any] = {"__name__": "by_hand"}
    with Patcher(TraceStore(None), remedies=applied_to_script([Remedy("lr", "0.2")], highest_rate=0.02)):
        exec(text, space)
        found = torch.cat([one.detach().flatten() for one in space["net"].parameters()])
    torch.testing.assert_close(found, trained("warm-up by hand", RATE="0.2"), rtol=2e-5, atol=2e-6)


def test_the_trace_has_the_rates_that_were_stepped_with(tmp_path: pathlib.Path) -> None:
    store = TraceStore(None)
    with Patcher(store, remedies=applied_to_script([Remedy("lr", "0.5")]), probes="losses"):
        text = textwrap.dedent(HEAD) + LOOPS["warm-up by hand"]
        for name, value in PARTS.items():
            text = text.replace(name, value)
        exec(text, {"__name__": "by_hand"})
    rates = store.read().series("lr").values
    assert max(rates) == pytest.approx(0.5)
    assert rates[0] == pytest.approx(0.1)


BARE = """
w = torch.zeros(5, 1, requires_grad=True)
for step in range(9):
    rows = slice(16 * (step % 6), 16 * (step % 6) + 16)
    loss = SIGN F.mse_loss(x[rows] @ w, y[rows])
    loss.backward()
    CLIP
    with torch.no_grad():
        w -= RATE * (w.grad + DECAY * w)
    CLEAR
"""
BY_HAND = {
    "rate": (("lr=0.02",), {"RATE": "0.9"}, {"RATE": "0.02"}),
    "clip": (("clip-norm=0.1",), {}, {"CLIP": "nn.utils.clip_grad_norm_([w], 0.1)"}),
    "clip and rate": (("clip-norm=0.1", "lr=0.2"), {}, {"CLIP": "nn.utils.clip_grad_norm_([w], 0.1)", "RATE": "0.2"}),
    "sign": (("flip-sign",), {"SIGN": "-"}, {}),
    "clear": (("clear-gradients",), {"CLEAR": "pass"}, {}),
    "clear and rate": (("clear-gradients", "lr=0.02"), {"CLEAR": "pass", "RATE": "0.5"}, {"RATE": "0.02"}),
    "decay": (("weight-decay=0.3",), {}, {"DECAY": "0.3"}),
}


def by_hand(remedies: tuple[str, ...], rate: float | None, parts: dict[str, str]) -> tuple[torch.Tensor, list[float]]:
    text = textwrap.dedent(HEAD).replace("OUT", "1") + BARE
    usual = {"RATE": "0.05", "CLEAR": "w.grad.zero_()", "CLIP": "pass", "SIGN": "", "DECAY": "0.0"}
    for name, value in {**usual, **parts}.items():
        text = text.replace(name, value)
    store, made = TraceStore(None), dict[str, Any]({"__name__": "by_hand"})
    asked = [Remedy.parse(one) for one in remedies]
    applied = applied_to_script(asked, kinds=KINDS, highest_rate=rate) if remedies else None
    with Patcher(store, remedies=applied, probes="losses") as patcher:
        exec(compile(text, "train.py", "exec"), made)
    assert patcher.not_applied() == []
    return made["w"].detach(), list(store.read().series("lr").values)


@pytest.mark.parametrize("name", BY_HAND)
def test_steps_that_are_made_by_hand(name: str) -> None:
    remedies, sick, well = BY_HAND[name]
    _, rates = by_hand((), None, sick)
    assert name == "clear" or name == "clear and rate" or rates[0] == pytest.approx(float(sick.get("RATE", 0.05)), 1e-3)
    healed, _ = by_hand(remedies, float(sick.get("RATE", 0.05)), sick)
    torch.testing.assert_close(healed, by_hand((), None, well)[0], rtol=2e-5, atol=2e-6)


def test_a_rate_that_was_not_seen_cannot_be_another() -> None:
    with pytest.raises(AssertionError, match="changed by hand, and were not seen to move"):
        by_hand(("lr=0.1",), None, {})
