"""A closure, called several times a step."""

import torch
from torch import nn

torch.manual_seed(0)
inputs = torch.linspace(-1, 1, 64)[:, None]
targets = inputs.sin()
net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=5)


def closure() -> torch.Tensor:
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(inputs), targets)
    loss.backward()
    return loss


for _ in range(6):
    loss = optimizer.step(closure)
print([parameter.sum().item() for parameter in net.parameters()], float(loss.detach()))
