import math
import os

import torch
from torch import nn, optim

CONFIG = {
    "tags": 5,
    "length": 128,
    "train": 1600,
    "test": 500,
    "batch_size": 32,
    "epochs": 15,
    "optimizer": {"lr": 4e-3, "betas": (0.9, 0.99)},
    "scheduler": {"gamma": 0.9},
    "seed": int(os.environ.get("SEED", 0)),
}


def clips(n, cfg):
    """Each tag is a tone of its own; a clip holds any number of them, with random phase and loudness."""
    t = torch.arange(cfg["length"]) / cfg["length"]
    tags = (torch.rand(n, cfg["tags"]) < 0.4).float()
    freq = torch.tensor([5.0, 8.0, 12.0, 17.0, 23.0])
    phase = 2 * math.pi * torch.rand(n, cfg["tags"], 1)
    loud = 0.6 + 0.8 * torch.rand(n, cfg["tags"], 1)
    tones = loud * torch.sin(2 * math.pi * freq[:, None] * t + phase)
    x = (tags.unsqueeze(2) * tones).sum(1) + 0.7 * torch.randn(n, cfg["length"])
    return x.unsqueeze(1), tags


class Tagger(nn.Module):
    def __init__(self, tags):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 15, stride=2, padding=7), nn.LeakyReLU(0.1),
            nn.Conv1d(16, 24, 9, stride=2, padding=4), nn.LeakyReLU(0.1),
        )
        self.head = nn.Linear(48, tags)

    def forward(self, x):
        h = self.features(x)
        return self.head(torch.cat([h.mean(2), h.amax(2)], dim=1))


def main(cfg):
    torch.manual_seed(cfg["seed"])
    x, y = clips(cfg["train"], cfg)
    x_test, y_test = clips(cfg["test"], cfg)
    net = Tagger(cfg["tags"])
    opt = optim.Adam(net.parameters(), **cfg["optimizer"])
    sched = optim.lr_scheduler.ExponentialLR(opt, **cfg["scheduler"])
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(cfg["epochs"]):
        total = 0.0
        for idx in torch.randperm(len(x)).split(cfg["batch_size"]):
            opt.zero_grad()
            loss = criterion(net(x[idx]), y[idx])
            loss.backward()
            opt.step()
            total += loss.item() * len(idx)
        sched.step()
        print(f"epoch {epoch:2d} loss {total / len(x):.4f}")
    with torch.no_grad():
        pred = (net(x_test) > 0).float()
    tp = (pred * y_test).sum()
    f1 = 2 * tp / (pred.sum() + y_test.sum())
    print(f"metric: {f1.item():.3f}")


main(CONFIG)
