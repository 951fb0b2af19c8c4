"""Fails in the midst of training."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for number in range(5):
    rows = torch.randn(8, 3 if number < 3 else 4)
    optimizer.zero_grad()
    net(rows).mean().backward()
    optimizer.step()
    print("step", number)
