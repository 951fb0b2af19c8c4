import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
STEPS = 50
betas = torch.linspace(1e-3, 0.15, STEPS)
alphas = 1 - betas
bars = alphas.cumprod(0)


def two_moons(n):
    a = math.pi * torch.rand(n)
    flip = torch.rand(n) < 0.5
    x = torch.where(flip, 1 - a.cos(), a.cos()) - 0.5
    y = torch.where(flip, 0.5 - a.sin(), a.sin()) - 0.25
    pts = torch.stack([x, y], 1) / torch.tensor([0.87, 0.5])
    return pts + 0.05 * torch.randn(n, 2)


class Denoiser(nn.Module):
    def __init__(self, h=96):
        super().__init__()
        self.freq = nn.Parameter(torch.arange(1, 9).float() * math.pi / 2, requires_grad=False)
        self.inp = nn.Linear(2 + 16, h)
        self.mid = nn.ModuleList(nn.Linear(h, h) for _ in range(2))
        self.out = nn.Linear(h, 2)

    def forward(self, x, t):
        phase = (t.float() / STEPS).unsqueeze(1) * self.freq
        h = nn.functional.silu(self.inp(torch.cat([x, phase.sin(), phase.cos()], 1)))
        for layer in self.mid:
            h = h + nn.functional.silu(layer(h))
        return self.out(h)


net = Denoiser()
opt = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=2e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 2000)
running = None
for step in range(2000):
    x0 = two_moons(256)
    t = torch.randint(STEPS, (256,))
    noise = torch.randn_like(x0)
    xt = bars[t].sqrt().unsqueeze(1) * x0 + (1 - bars[t]).sqrt().unsqueeze(1) * noise
    loss = ((net(xt, t) - noise) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
    if step % 400 == 399:
        print(f"{step + 1}: {running:.4f}")

with torch.no_grad():
    x = torch.randn(1500, 2)
    for k in reversed(range(STEPS)):
        t = torch.full((len(x),), k)
        x = (x - betas[k] / (1 - bars[k]).sqrt() * net(x, t)) / alphas[k].sqrt()
        if k:
            x = x + betas[k].sqrt() * torch.randn_like(x)
    true, other = two_moons(1500), two_moons(1500)


def energy(a, b):
    return 2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()


print(f"metric: {1 - (energy(x, true) / energy(torch.randn(1500, 2), true)).item():.3f}")
