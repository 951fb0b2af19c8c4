"""Few-shot sinusoids: an outer loop over tasks, an inner loop of gradient steps through which the outer gradient flows."""
import math
import os
import torch
import torch.nn as nn
from torch.func import functional_call

torch.manual_seed(int(os.environ.get("SEED", 0)))
INNER_LR, SHOTS, TASKS = 0.05, 10, 6


class Sinusoid:
    def __init__(self):
        self.amplitude = 0.5 + 1.5 * torch.rand(()).item()
        self.phase = math.pi * torch.rand(()).item()

    def sample(self, n):
        x = 6 * torch.rand(n, 1) - 3
        return x / 1.73, self.amplitude * torch.sin(x + self.phase)


net = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
mse = nn.MSELoss()


def adapt(weights, x, y, steps, create_graph):
    for _ in range(steps):
        loss = mse(functional_call(net, weights, x), y)
        grads = torch.autograd.grad(loss, list(weights.values()), create_graph=create_graph)
        weights = {k: w - INNER_LR * g for (k, w), g in zip(weights.items(), grads)}
    return weights


outer = torch.optim.Adam(net.parameters(), lr=2e-3)
for it in range(600):
    total = 0.0
    for _ in range(TASKS):
        task = Sinusoid()
        fast = adapt(dict(net.named_parameters()), *task.sample(SHOTS), steps=1, create_graph=True)
        x, y = task.sample(20)
        total = total + mse(functional_call(net, fast, x), y)
    outer.zero_grad()
    (total / TASKS).backward()
    outer.step()
    if it % 100 == 0:
        print(f"iteration {it}: query loss after adaptation {total.item() / TASKS:.3f}")

explained = []
for _ in range(200):
    task = Sinusoid()
    fast = adapt(dict(net.named_parameters()), *task.sample(SHOTS), steps=5, create_graph=False)
    x, y = task.sample(50)
    with torch.no_grad():
        explained.append(1 - (mse(functional_call(net, fast, x), y) / (task.amplitude ** 2 / 2)).item())
print(f"metric: {torch.tensor(explained).median().item():.3f}")
