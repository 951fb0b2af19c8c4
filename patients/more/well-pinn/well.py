"""Physics-informed network: -u'' = pi^2 sin(pi x) on [-1, 1], u = 0 at both ends."""
import math
import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(x)


u = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), Sine(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(u.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1200], gamma=0.2)
ends = torch.tensor([[-1.0], [1.0]])

for step in range(1600):
    x = (2 * torch.rand(64, 1) - 1).requires_grad_(True)
    y = u(x)
    du = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
    ddu = torch.autograd.grad(du.sum(), x, create_graph=True)[0]
    residual = ddu + math.pi ** 2 * torch.sin(math.pi * x)
    loss = residual.pow(2).mean() + 20 * u(ends).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 200 == 0:
        print(f"step {step} loss {loss.item():.5f}")

grid = torch.linspace(-1, 1, 201).unsqueeze(1)
with torch.no_grad():
    truth = torch.sin(math.pi * grid)
    print(f"metric: {1 - ((u(grid) - truth).pow(2).mean() / truth.var()).item():.4f}")
