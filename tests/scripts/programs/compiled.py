"""A compiled network."""

import torch
from torch import nn

torch.manual_seed(0)
inputs, labels = torch.randn(64, 5), torch.randint(0, 3, (64,))
net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
quick = torch.compile(net, backend="aot_eager")
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(8):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(quick(inputs), labels)
    loss.backward()
    optimizer.step()
print([parameter.sum().item() for parameter in net.parameters()], loss.item())
