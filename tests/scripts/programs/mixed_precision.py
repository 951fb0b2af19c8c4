"""Autocast to bfloat16 with a scaler that is off, as on a CPU."""

import torch
from torch import nn

torch.manual_seed(0)
inputs, labels = torch.randn(128, 10), torch.randint(0, 2, (128,))
net = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cpu", enabled=False)
for _ in range(12):
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nn.functional.cross_entropy(net(inputs), labels)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
print([parameter.sum().item() for parameter in net.parameters()], loss.item())
