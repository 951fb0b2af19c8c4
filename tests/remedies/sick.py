"""A small sick training for each remedy, as a script and as the objects that the script makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from babysit.rehearsal import LiveObjects

HEAD = """\
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(3)
x = {x}
y = {y}
net = {net}
{after}
criterion = {criterion}
opt = {opt}
"""
LOOP = """\
{schedule}
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x[:150], y[:150]), batch_size=25, shuffle={shuffle})
for epoch in range({epochs}):
    {mode}
    for inputs, targets in data:
        {clear}
        loss = {loss}
        loss.backward()
        {step}
    {schedule_step}
    with torch.no_grad():
        {evaluate}
        print("accuracy: %.4f" % (net(x[150:]).argmax(1) == y[150:]).float().mean())
"""
USUAL = {
    "x": "torch.randn(200, 6)", "y": "(x.sum(1) > 0).long()",
    "net": "nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))", "after": "",
    "criterion": "nn.CrossEntropyLoss()", "opt": "torch.optim.SGD(net.parameters(), lr=0.3)",
    "schedule": "", "schedule_step": "", "shuffle": "True", "epochs": "4", "mode": "net.train()",
    "clear": "opt.zero_grad()", "loss": "criterion(net(inputs), targets)", "step": "opt.step()",
    "evaluate": "net.eval()",
}  # fmt: skip
NUMBERS = {
    "y": "500 + 100 * x[:, :1]", "net": "nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))",
    "criterion": "nn.MSELoss()", "opt": "torch.optim.Adam(net.parameters(), lr=0.01)",
}  # fmt: skip
DROPPING = "nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2))"
NORMED = "nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16, momentum=0.001), nn.ReLU(), nn.Linear(16, 2))"


@dataclass(frozen=True)
class Sick:
    """A training that needs a remedy.

    Attributes:
        value: Of the remedy.
        parts: Of the script that are not the usual ones.
        text: Whether the remedy is written into the script's text, and not applied from its top.
    """

    value: str | None = None
    parts: dict[str, str] = field(default_factory=dict)
    text: bool = True

    @property
    def script(self) -> str:
        """The whole script."""
        return (HEAD + LOOP).format(**{**USUAL, **self.parts})

    def objects(self) -> LiveObjects:
        """What the script makes, as live objects."""
        made: dict[str, Any] = {}
        exec(HEAD.format(**{**USUAL, **self.parts}), made)
        rows = torch.utils.data.TensorDataset(made["x"][:150], made["y"][:150])
        shuffle = self.parts.get("shuffle", "True") == "True"
        loader = torch.utils.data.DataLoader(rows, batch_size=25, shuffle=shuffle)
        step = None
        if self.parts.get("mode"):

            def step(network: nn.Module, batch: Any) -> torch.Tensor:
                exec(self.parts["mode"], {"net": network})
                loss: torch.Tensor = made["criterion"](network(batch[0]), batch[1])
                return loss

        return LiveObjects(made["net"], made["criterion"], loader, made["opt"], step=step)


SICK: dict[str, Sick] = {
    "activation": Sick("tanh"),
    "batch-size": Sick("50"),
    "bias-prior": Sick(None, {**NUMBERS, "y": "5 + x[:, :1]"}, text=False),
    "call-step": Sick(None, {"step": "pass"}),
    "centre-inputs": Sick(None, {"x": "torch.randn(200, 6) + 5"}),
    "class-weights": Sick(None, {"y": "(x.sum(1) > 3).long()"}, text=False),
    "clear-gradients": Sick(None, {"clear": "pass"}),
    "clip-norm": Sick("0.01"),
    "constant-schedule": Sick(
        None,
        {"schedule": "schedule = torch.optim.lr_scheduler.StepLR(opt, 1, 0.1)", "schedule_step": "schedule.step()"},
    ),
    "drop-constant-features": Sick(
        None, {"x": "torch.cat([torch.randn(200, 5), torch.full((200, 1), 3.0)], 1)"}, text=False
    ),
    "copy-state": Sick(None, {"schedule": "kept = net.state_dict()", "schedule_step": "net.load_state_dict(kept)"}),
    "dropout": Sick("0.1", {"net": DROPPING}),
    "epochs": Sick("8"),
    "evaluation-mode": Sick(None, {"net": DROPPING, "evaluate": "pass"}),
    "flip-sign": Sick(None, {"loss": "-criterion(net(inputs), targets)"}),
    "impute-inputs": Sick(
        None,
        {
            "x": "torch.where(torch.rand(200, 6) > 0.9, torch.nan, torch.randn(200, 6))",
            "y": "(x.nan_to_num().sum(1) > 0).long()",
        },
        text=False,
    ),
    "initialise": Sick("he", {"after": "[p.data.zero_() for p in net.parameters()]"}),
    "insert-activation": Sick("relu", {"net": "nn.Sequential(nn.Linear(6, 16), nn.Linear(16, 2))"}),
    "insert-batch-norm": Sick(),
    "linear-output": Sick(None, {"net": "nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2), nn.Sigmoid())"}),
    "loss": Sick("l1", {**NUMBERS, "y": "x[:, :1]"}, text=False),
    "lr": Sick("0.01"),
    "match-shapes": Sick(None, {**NUMBERS, "y": "x[:, 0]"}),
    "move-batch-norm": Sick(
        None, {"net": "nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2), nn.BatchNorm1d(2))"}
    ),
    "optimise-all-parameters": Sick(None, {"opt": "torch.optim.SGD(net[2].parameters(), lr=0.3)"}),
    "optimizer": Sick("adam"),
    "recalibrate-batch-norm": Sick(None, {"net": NORMED}, text=False),
    "remove-sigmoid": Sick(
        None,
        {
            "y": "(x.sum(1, keepdim=True) > 0).float()",
            "criterion": "nn.BCEWithLogitsLoss()",
            "net": "nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())",
        },
    ),
    "remove-softmax": Sick(
        None, {"net": "nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2), nn.Softmax(1))"}
    ),
    "scale-inputs": Sick(None, {"x": "torch.randn(200, 6) * 9"}),
    "seed-workers": Sick(
        None,
        {
            "schedule": "def noisy(rows):\n    inputs, targets = torch.utils.data.default_collate(rows)\n"
            "    return inputs + torch.randn(inputs.shape), targets",
            "shuffle": "True, num_workers=2, worker_init_fn=lambda number: torch.manual_seed(0), collate_fn=noisy",
        },
    ),
    "shuffle": Sick(None, {"shuffle": "False"}),
    "sigmoid-output": Sick(
        None,
        {
            "y": "(x.sum(1, keepdim=True) > 0).float()",
            "criterion": "nn.BCELoss()",
            "net": "nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Softmax(1))",
        },
    ),
    "softmax-axis": Sick(None, {"net": "nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2), nn.Softmax(0))"}),
    "standardise-inputs": Sick(None, {"x": "torch.randn(200, 6) * 9 + 9"}),
    "standardise-targets": Sick(None, NUMBERS, text=False),
    "step-schedule": Sick(None, {"schedule": "schedule = torch.optim.lr_scheduler.StepLR(opt, 1, 0.1)"}),
    "train-mode": Sick(None, {"net": DROPPING, "mode": "net.eval()"}),
    "unfreeze": Sick(None, {"after": "net[0].requires_grad_(False)"}),
    "unscale-gradients": Sick(
        None,
        {
            "opt": "torch.optim.SGD(net.parameters(), lr=0.3)\nscaler = torch.amp.GradScaler('cpu')",
            "loss": "scaler.scale(criterion(net(inputs), targets))",
            "step": "nn.utils.clip_grad_norm_(net.parameters(), 1)\n        scaler.step(opt)\n        scaler.update()",
        },
    ),
    "weight-decay": Sick("0.1"),
    "wider": Sick("2"),
}
