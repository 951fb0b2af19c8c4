"""A network without an optimizer: its weights are changed by hand."""

import torch
from torch import nn

torch.manual_seed(0)
inputs, labels = torch.randn(90, 4), torch.randint(0, 3, (90,))
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
for _ in range(20):
    loss = nn.functional.cross_entropy(net(inputs), labels)
    net.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.sub_(0.1 * parameter.grad)  # type: ignore[operator]
print([parameter.sum().item() for parameter in net.parameters()], loss.item())
