"""Float16 on a CPU with a scaler that is on: losses are told as they are, not as they are scaled."""

import torch
from torch import nn

torch.manual_seed(0)
inputs, labels = torch.randn(128, 10), torch.randint(0, 2, (128,))
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for _ in range(12):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(inputs), labels)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
print([parameter.sum().item() for parameter in net.parameters()], loss.item())
