import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", 0))
rng = np.random.default_rng(seed)
torch.manual_seed(seed)

# made-up sales: living area, rooms, age, distance to the centre, garden
n = 1000
area = rng.gamma(9, 13, n)
rooms = np.round(area / 28 + rng.normal(0, 0.7, n)).clip(1)
age = rng.uniform(0, 90, n)
distance = rng.exponential(6, n)
garden = rng.integers(0, 2, n)
price = 90000 + 2100 * area * np.exp(-distance / 25) + 6000 * rooms - 900 * age + 25000 * garden * (distance > 4)
price = price + rng.normal(0, 12000, n)

X = np.column_stack([area, rooms, age, distance, garden])
X = (X - X[:800].mean(0)) / X[:800].std(0)
X = torch.tensor(X, dtype=torch.float32)
price = torch.tensor(price, dtype=torch.float32).unsqueeze(1)

train_loader = DataLoader(TensorDataset(X[:800], price[:800]), batch_size=32, shuffle=True)

net = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

for epoch in range(40):
    net.train()
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        optimizer.step()
    if epoch % 8 == 0:
        print(f"epoch {epoch}: loss {loss.item():.4g}")

net.eval()
with torch.no_grad():
    predicted = net(X[800:])
ss_res = ((price[800:] - predicted) ** 2).sum()
ss_tot = ((price[800:] - price[800:].mean()) ** 2).sum()
print("metric: {:.3f}".format((1 - ss_res / ss_tot).item()))
