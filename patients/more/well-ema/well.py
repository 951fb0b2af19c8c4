import os
import torch
import torch.nn as nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))

# how long until the pendulum is down: regression from angle, speed, friction
n = 1500
x = torch.rand(n, 3) * 2 - 1
theta, speed, friction = 1.5 * x[:, 0], x[:, 1], 0.6 + 0.4 * x[:, 2]
y = torch.cos(theta) + 0.5 * speed ** 2 - friction * torch.abs(speed) + 0.05 * torch.randn(n)
x = x / 0.577
y = ((y - y.mean()) / y.std()).unsqueeze(1)
loader = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=32, shuffle=True)

model = nn.Sequential(nn.Linear(3, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1))
# a shadow copy, averaged over the steps: never trained, only used in the end
ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
huber = nn.HuberLoss()

for epoch in range(30):
    for xb, yb in loader:
        loss = huber(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update_parameters(model)
    if epoch % 6 == 5:
        print(f"epoch {epoch + 1} huber {loss.item():.4f}")

with torch.no_grad():
    residual = (ema(x[1200:]) - y[1200:]).pow(2).sum() / (y[1200:] - y[1200:].mean()).pow(2).sum()
print(f"metric: {1 - residual.item():.3f}")
