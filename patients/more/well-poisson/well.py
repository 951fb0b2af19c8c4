import os
import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", 0))
rng = np.random.default_rng(seed)
torch.manual_seed(seed)

# bicycle hires an hour: time of day, temperature, weekend
n = 2000
hour = rng.integers(0, 24, n)
temperature = rng.normal(12, 8, n)
weekend = rng.integers(0, 2, n)
rush = np.exp(-((hour - 8) ** 2) / 4) + np.exp(-((hour - 17) ** 2) / 6)
rate = np.exp(1.0 + (1.6 - 1.2 * weekend) * rush + 0.8 * weekend * np.exp(-((hour - 14) ** 2) / 18) + 0.04 * temperature)
hires = rng.poisson(rate)

X = np.column_stack([np.sin(hour * np.pi / 12), np.cos(hour * np.pi / 12), np.sin(hour * np.pi / 6),
                     np.cos(hour * np.pi / 6), (temperature - 12) / 8, 2 * weekend - 1])
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(hires, dtype=torch.float32)
cut = 1600

model = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
criterion = nn.PoissonNLLLoss(log_input=True)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

for epoch in range(40):
    perm = torch.randperm(cut)
    total = 0.0
    for i in range(0, cut, 64):
        rows = perm[i:i + 64]
        loss = criterion(model(X[rows]).squeeze(1), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    if epoch % 8 == 7:
        print(f"epoch {epoch + 1} poisson nll {total / cut:.3f}")

with torch.no_grad():
    expected = model(X[cut:]).squeeze(1).exp()
r2 = 1 - ((expected - y[cut:]) ** 2).sum() / ((y[cut:] - y[cut:].mean()) ** 2).sum()
print(f"metric: {r2.item():.3f}")
