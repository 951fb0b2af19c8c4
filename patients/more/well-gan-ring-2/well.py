import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
MODES, RADIUS, SPREAD = 8, 1.5, 0.08


def real(n):
    k = torch.randint(MODES, (n,)) * (2 * math.pi / MODES)
    return RADIUS * torch.stack([k.cos(), k.sin()], 1) + SPREAD * torch.randn(n, 2)


def mlp(i, o, h=64):
    return nn.Sequential(nn.Linear(i, h), nn.LeakyReLU(0.2), nn.Linear(h, h), nn.LeakyReLU(0.2), nn.Linear(h, o))


G, D = mlp(8, 2), mlp(2, 1)
opt_g = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.9))
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.9))
soft = nn.functional.softplus

for step in range(1500):
    x = real(128).requires_grad_(True)
    score = D(x)
    with torch.no_grad():
        fake = G(torch.randn(128, 8))
    # non-saturating loss with the R1 penalty on real points
    (grad,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    loss_d = soft(-score).mean() + soft(D(fake)).mean() + 0.05 * grad.pow(2).sum(1).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()

    loss_g = soft(-D(G(torch.randn(128, 8)))).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    if step % 300 == 0:
        print(f"{step}: d {loss_d.item():.3f} g {loss_g.item():.3f}")

with torch.no_grad():
    s = G(torch.randn(2000, 8))
k = torch.arange(MODES) * (2 * math.pi / MODES)
centres = RADIUS * torch.stack([k.cos(), k.sin()], 1)
distance, nearest = torch.cdist(s, centres).min(1)
good = distance < 4 * SPREAD
covered = torch.bincount(nearest[good], minlength=MODES) > 40
print(f"metric: {(good.float().mean() * covered.float().mean()).item():.3f}")
