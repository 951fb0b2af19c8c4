import os

import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)
np.random.seed(SEED)


class EarlyStopping:
    def __init__(self, patience=2, min_delta=0.1):
        self.patience, self.min_delta = patience, min_delta
        self.best, self.bad = float("inf"), 0

    def __call__(self, value):
        if value < self.best - self.min_delta:
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        return self.bad >= self.patience


def surface(n):
    """Yield of a reactor over temperature, pressure, time and catalyst."""
    x = np.random.uniform(-1, 1, (n, 4))
    y = np.sin(5 * x[:, 0]) * x[:, 1] + np.cos(4 * x[:, 2]) + 0.8 * x[:, 3] ** 2 * x[:, 0]
    y = y + 0.1 * np.random.randn(n)
    return torch.tensor(x / 0.577, dtype=torch.float32), torch.tensor((y + 0.19) / 0.87, dtype=torch.float32).view(-1, 1)


x, y = surface(1500)
x_val, y_val = surface(300)
x_test, y_test = surface(500)

model = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)
criterion = nn.MSELoss()
stop = EarlyStopping()

for epoch in range(100):
    model.train()
    for b in torch.randperm(len(x)).split(50):
        optimizer.zero_grad()
        criterion(model(x[b]), y[b]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val = criterion(model(x_val), y_val).item()
    print(f"epoch {epoch + 1} val {val:.4f}")
    if stop(val):
        print("stopping")
        break

with torch.no_grad():
    r2 = 1 - criterion(model(x_test), y_test).item() / y_test.var(unbiased=False).item()
print(f"metric: {r2:.3f}")
