"""One network after the other, with an optimizer each."""

import torch
from torch import nn

torch.manual_seed(0)
inputs, labels = torch.randn(64, 5), torch.randint(0, 3, (64,))
for width in (8, 16):
    net = nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(6):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(inputs), labels)
        loss.backward()
        optimizer.step()
    print(width, loss.item())
